"""A server of our own for as long as it is needed: ``capswriter transcribe --local``."""

from __future__ import annotations

import asyncio
import os
import re
import secrets
import subprocess
import sys
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import anyio
from anyio.streams.buffered import BufferedByteReceiveStream

from capswriter.client.server import find_server

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from pathlib import Path

    from anyio.abc import ByteReceiveStream, Process

    from capswriter.client.server import Server

END_S = 10.0
"""Seconds that the server has to end once its standard input is closed."""

LONGEST_LINE = 65_536

_NEW_GROUP: int = getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0)  # Windows alone has it
_READY = re.compile(r"ready: (wss?://\S+)")


class LocalServerFailed(Exception):
    """The server ended before it was ready; it has said why on the standard error.

    Args:
        status: its exit status; negative where a signal ended it.
    """

    def __init__(self, status: int) -> None:
        super().__init__(f"the local server ended with status {status} before it was ready")
        self.status = status


@dataclass(frozen=True, slots=True)
class Local:
    """What ``--local`` starts.

    Args:
        workers: as ``capswriter serve --workers`` takes it; None for its default.
        model: as ``capswriter serve --model`` takes it; None for its default.
        config_file: the ``config.py`` to use; None to look for one.
        program: what starts ``capswriter``.
        token: that keeps other programs on this computer from using it.
    """

    workers: str | None = None
    model: str | None = None
    config_file: Path | None = None
    program: Sequence[str] = (sys.executable, "-m", "capswriter")
    token: str = field(default_factory=secrets.token_urlsafe, repr=False)

    def command(self) -> list[str]:
        """The whole command line."""
        # Without the certificate that the settings may name: it is not for this address.
        private = ("--host", "127.0.0.1", "--port", "0", "--tls-cert", "", "--tls-key", "")
        command = [*self.program, "serve", *private]
        given = {"--workers": self.workers, "--model": self.model, "--config": self.config_file}
        for flag, value in given.items():
            if value is not None:
                command += [flag, str(value)]
        return [*command, "--until-stdin-closes"]


@asynccontextmanager
async def own_server(local: Local) -> AsyncIterator[Server]:
    """Start a server as ``local_server`` does, and give it with the token that it wants."""
    async with local_server(local) as url:
        yield await find_server(url, token=local.token)


@asynccontextmanager
async def local_server(local: Local) -> AsyncIterator[str]:
    """Start a server, give its URL once it is ready, and end it with the block.

    It ends when its standard input closes, so it does not outlive us, however we end. Its
    standard error is ours. It may take its time: a first start downloads a model.

    Args:
        local: what to start.

    Raises:
        LocalServerFailed: it ended before it was ready.
    """
    process = await anyio.open_process(
        local.command(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=None,
        # Its log would stand between our lines; whoever wants it can say so.
        # The token goes through the environment, as a command line is for all to see.
        env={
            "CAPSWRITER_LOG_LEVEL": "warning",
            **os.environ,
            "CAPSWRITER_TOKEN": local.token,
        },
        # Ctrl-C is for us; we end it in our own time.
        start_new_session=sys.platform != "win32",
        creationflags=_NEW_GROUP,
    )
    draining: asyncio.Task[None] | None = None
    try:
        assert process.stdout is not None  # noqa: S101  it is a pipe
        url = await _ready(process, process.stdout)
        draining = asyncio.create_task(_drain(process.stdout))
        yield url
    finally:
        with anyio.CancelScope(shield=True):
            await _end(process)
            if draining is not None:
                draining.cancel()
                await asyncio.wait([draining])
            await process.aclose()


async def _ready(process: Process, stdout: ByteReceiveStream) -> str:
    lines = BufferedByteReceiveStream(stdout)
    while True:
        try:
            line = await lines.receive_until(b"\n", LONGEST_LINE)
        except (anyio.EndOfStream, anyio.IncompleteRead):
            raise LocalServerFailed(await process.wait()) from None
        if found := _READY.match(line.decode(errors="replace")):
            return found[1]


async def _drain(stdout: ByteReceiveStream) -> None:
    """Read on, as a full pipe would stop the server."""
    async for _ in stdout:
        pass


async def _end(process: Process) -> None:
    assert process.stdin is not None  # noqa: S101  it is a pipe
    await process.stdin.aclose()
    for stop in (process.terminate, process.kill):
        with anyio.move_on_after(END_S):
            await process.wait()
        if process.returncode is not None:
            return
        stop()
    await process.wait()
