"""A server with a model of full size, and where the memory of its processes goes."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import psutil

from capswriter.bench.engines.report import Skipped
from capswriter.bench.serving import NotServing, started
from capswriter.monitor.family import Family, Kind
from capswriter.processes import pss_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from capswriter.bench.serving import Served

FORKING, SPAWNING = "capswriter", "capswriter.bench.engines.spawning"
"""Programs: workers are forked from a server of forks, or started anew."""


@asynccontextmanager
async def serving(
    model: Path, *, workers: int, program: str = FORKING, log: Path
) -> AsyncIterator[Served]:
    """Start a server, and end it with the block.

    Args:
        model: directory.
        workers: how many.
        program: see above.
        log: file for what it says.

    Raises:
        Skipped: it does not start, or its workers do not get idle.
    """
    asked = ("--port", "0", "--workers", str(workers), "--model", str(model))
    try:
        arguments = ("-m", program, "serve", *asked, "--punctuation", "off")
        async with started(arguments, log=log) as served:
            yield served
    except NotServing as error:
        raise Skipped(str(error)) from error


def proportional(pid: int) -> float:
    """Read a process's memory in MiB, each shared page divided among those who share it (PSS).

    Raises:
        Skipped: this system does not tell it.
    """
    size = pss_of(psutil.Process(pid))
    if size is None:
        raise Skipped("this system does not tell how much memory processes share")
    return size / 2**20


def others(front: int) -> list[int]:
    """Find the processes of a server that are no workers, its front left out."""
    below = Family(front).look()
    return [process.pid for process, kind in below.items() if kind is not Kind.WORKER]
