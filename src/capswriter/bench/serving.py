"""A real server as a process of its own, and what it tells of its workers."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import anyio
import httpx
from anyio.streams.buffered import BufferedByteReceiveStream

from capswriter.errors import UserError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from pathlib import Path

    from anyio.abc import Process

LOOK_EVERY = 0.005
"""Seconds between looks at a worker that is to be idle."""

PATIENCE = 120.0
"""Seconds for that."""

END_S = 15.0
"""Seconds that a server has to end when it is asked to."""

LONGEST_LINE = 65_536

LAST_WORDS = 4096
"""Bytes of its log in which the reason is looked for."""

TOKEN = "CAPSWRITER_TOKEN"  # noqa: S105  # the name of the variable

_NEW_GROUP: int = getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0)  # Windows alone has it


class NotServing(UserError):
    """A server does not start, or does not get ready."""


@dataclass(frozen=True, slots=True)
class Served:
    """A server that runs.

    Args:
        url: of its WebSocket.
        pid: of its front.
        http: open, for asking it.
        log: what it says goes there.
    """

    url: str
    pid: int
    http: httpx.AsyncClient
    log: Path

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
            NotServing: that takes too long, or the server has ended.
        """
        ends = time.monotonic() + PATIENCE
        while time.monotonic() < ends:
            try:
                workers = await self.workers()
            except httpx.HTTPError as error:
                raise NotServing(f"the server does not answer; {self.log} may say why") from error
            pids = [worker["pid"] for worker in workers]
            if all(each["state"] == "idle" for each in workers) and but_for not in pids:
                return pids
            await asyncio.sleep(LOOK_EVERY)
        raise NotServing(f"workers were not idle within {PATIENCE:.0f} s")


@asynccontextmanager
async def started(arguments: Sequence[str], *, log: Path, token: str = "") -> AsyncIterator[Served]:
    """Start a server, give it once all workers are idle, and end it with the block.

    It outlives neither the block nor this process, and Ctrl-C reaches it by us alone.

    Args:
        arguments: of Python, up to those that follow here.
        log: file for what it says.
        token: what callers have to know.

    Raises:
        NotServing: it does not start.
    """
    environment = {name: os.environ[name] for name in os.environ if name != TOKEN}
    if token:  # a command line would be for all to see
        environment[TOKEN] = token
    with log.open("ab") as file:
        server = await anyio.open_process(
            [sys.executable, *arguments, "--until-stdin-closes"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=file,
            env=environment,
            start_new_session=sys.platform != "win32",
            creationflags=_NEW_GROUP,
        )
    try:
        line = await _first_line(server)
        if not line.startswith("ready: "):
            raise NotServing(f"the server did not start; {log} says why: {last_words(log)}")
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        async with httpx.AsyncClient(timeout=PATIENCE, trust_env=False, headers=headers) as http:
            served = Served(line.split()[1].rstrip("/"), server.pid, http, log)
            await served.idle()
            yield served
    finally:
        with anyio.CancelScope(shield=True):
            await _end(server)
            await server.aclose()


def last_words(log: Path) -> str:
    """Give the last line of a log."""
    try:
        text = log.read_bytes()[-LAST_WORDS:].decode(errors="replace")
    except OSError:
        text = ""
    lines = text.strip().splitlines()
    return lines[-1].removeprefix("capswriter: ") if lines else "it is empty"


async def _first_line(server: Process) -> str:
    """Read what it says when it is ready; empty where it ends before."""
    assert server.stdout is not None  # noqa: S101  # it is a pipe
    try:
        said = await BufferedByteReceiveStream(server.stdout).receive_until(b"\n", LONGEST_LINE)
    except (anyio.EndOfStream, anyio.IncompleteRead):
        return ""
    return said.decode(errors="replace")


async def _end(server: Process) -> None:
    assert server.stdin is not None  # noqa: S101  # it is a pipe
    await server.stdin.aclose()
    for stop in (server.terminate, server.kill):
        with anyio.move_on_after(END_S):
            await server.wait()
        if server.returncode is not None:
            return
        stop()
    await server.wait()
