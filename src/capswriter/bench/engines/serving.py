"""A real server with a model, as a process of its own, and what it tells of its workers."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import httpx
import psutil

from capswriter.bench.engines.report import Skipped

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

FORKING, SPAWNING = "capswriter", "capswriter.bench.engines.spawning"
"""Programs: workers are forked from a server of forks, or started anew."""

LOOK_EVERY = 0.005
"""Seconds between looks at a worker that is to be idle."""

PATIENCE = 60.0
"""Seconds for that."""


@dataclass(frozen=True, slots=True)
class Served:
    """A server that runs.

    Args:
        url: of its WebSocket.
        pid: of its front.
        http: open, for asking it.
    """

    url: str
    pid: int
    http: httpx.AsyncClient

    async def workers(self) -> list[dict[str, Any]]:
        """Ask for the state of each worker."""
        answer = await self.http.get(self.url.replace("ws", "http", 1) + "/stats")
        found: list[dict[str, Any]] = answer.json()["workers"]
        return found

    async def idle(self, *, but_for: int | None = None) -> list[int]:
        """Wait until all workers are idle; their process ids.

        Args:
            but_for: a worker that has been killed.

        Raises:
            Skipped: that takes too long.
        """
        ends = time.monotonic() + PATIENCE
        while time.monotonic() < ends:
            workers = await self.workers()
            pids = [worker["pid"] for worker in workers]
            if all(each["state"] == "idle" for each in workers) and but_for not in pids:
                return pids
            await asyncio.sleep(LOOK_EVERY)
        raise Skipped(f"workers were not idle within {PATIENCE:.0f} s")


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
        Skipped: it does not start.
    """
    command = ["serve", "--port", "0", "--workers", str(workers), "--model", str(model)]
    with log.open("ab") as file:
        server = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", program, *command, "--punctuation", "off"),
            "--until-stdin-closes",  # as it does when this process is killed
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=file,
            env=os.environ,
        )
    try:
        line = (await server.stdout.readline()).decode() if server.stdout else ""
        if not line.startswith("ready: "):
            raise Skipped(f"the server did not start; {log} says why")
        async with httpx.AsyncClient(timeout=PATIENCE) as http:
            served = Served(line.split()[1].rstrip("/"), server.pid, http)
            await served.idle()
            yield served
    finally:
        if server.returncode is None:
            server.send_signal(signal.SIGTERM)
        await server.wait()


def proportional(pid: int) -> float:
    """Read a process's memory in MiB, each shared page divided among those who share it (PSS)."""
    return float(psutil.Process(pid).memory_full_info().pss) / 2**20


def others(front: int, workers: list[int]) -> dict[int, str]:
    """Name the processes of a server that are no workers, with the start of their command."""
    below = psutil.Process(front).children(recursive=True)
    return {
        process.pid: " ".join(process.cmdline())[-60:]
        for process in below
        if process.pid not in workers
    }
