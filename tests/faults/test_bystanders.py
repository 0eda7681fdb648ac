"""Connections that only cost: thousands that idle, one that stops reading, one that drips."""

from __future__ import annotations

import asyncio
import json
import resource
import socket
import sys
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from pathlib import Path

import psutil
import pytest
from capswriter_clients import frame, read_to_final
from marked_speech import part, references, serving_faulty, stats
from servers import TESTS, Server
from websockets.asyncio.client import connect
from websockets.frames import Frame, Opcode

from capswriter.audio import Samples
from capswriter.bench.load import Outcome, Work, calling, percentile, summary

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(400)]

TALKATIVE = 100
"""Second of the marked speech from which each word has 20,000 letters."""

HELPERS = 2
"""Processes that hold the idle sockets, so that what these cost their owner does not count."""

PAUSE = 0.08
"""Seconds between an answer and the next dictation: 300 of them outlast the pings every 20 s."""


def write_words(directory: Path) -> None:
    """Have short words heard up to ``TALKATIVE``, and very long ones from then on."""
    words = [
        [f"w{n}" if n < 2 * TALKATIVE else "x" * 20_000, n / 2 + 0.1, n / 2 + 0.3]
        for n in range(400)
    ]
    (directory / "words.json").write_text(json.dumps({"period": 200, "words": words}))


@contextmanager
def open_files(count: int):
    """Let this process and its children have so many files open, or skip."""
    before = soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < count:
        pytest.skip(f"a process may have {hard} files open here, and this takes {count}")
    if soft != resource.RLIM_INFINITY:
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, count), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


@asynccontextmanager
async def idlers(server: Server, count: int):
    """Have so many sockets open that say nothing; gives the kB that each takes of the front."""
    front = psutil.Process(server.pid)
    before = front.memory_info().rss
    helpers = [
        await asyncio.create_subprocess_exec(
            sys.executable,
            str(TESTS / "idle_sockets.py"),
            server.url,
            str(count // HELPERS),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        for _ in range(HELPERS)
    ]
    try:
        for helper in helpers:
            assert await helper.stdout.readline() == b"open\n"
        assert (await stats(server))["active_connections"] == count
        yield (front.memory_info().rss - before) / count / 1000
    finally:
        ends = [await helper.communicate(b"") for helper in helpers]
    assert [helper.returncode for helper in helpers] == HELPERS * [0], ends
    while (await stats(server))["active_connections"]:
        await asyncio.sleep(0.05)


def files_done(server: Server) -> int:
    return sum("end file done" in line for line in server.log)


@asynccontextmanager
async def stopped_reader(server: Server, samples: Samples):
    """Have a client that asks for megabytes of text, reads nothing of it, and in the end all."""
    host, port = server.url.removeprefix("ws://").split(":")
    narrow = socket.socket()
    narrow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536)
    narrow.connect((host, int(port)))
    async with connect(server.url, sock=narrow, ping_interval=None, max_size=None) as stopped:
        stopped.transport.pause_reading()
        ended = files_done(server)
        await stopped.send(frame("stopped", "file", samples.tobytes(), is_final=True))
        # No speech makes so much text in a minute, so what it costs to make is nobody's measure.
        while files_done(server) == ended:
            await asyncio.sleep(0.05)
        yield
        stopped.transport.resume_reading()
        assert len((await read_to_final(stopped)).text) > 1_000_000


@asynccontextmanager
async def dripping(server: Server):
    """Have a client that sends a byte of a message every second."""
    message = Frame(Opcode.TEXT, frame("drip", "mic", bytes(3200)).encode()).serialize(mask=True)
    async with connect(server.url, ping_interval=None) as drip:

        async def drop() -> None:
            for byte in message:
                drip.transport.write(bytes([byte]))
                await asyncio.sleep(1)

        dropping = asyncio.create_task(drop())
        yield
        assert not dropping.done()
        assert drip.close_code is None
        dropping.cancel()
        drip.transport.abort()


async def dictate(server: Server, works: list[Work], count: int) -> list[Outcome]:
    """Dictate so many times, one after the other."""
    outcomes = []
    async with calling(server.url) as caller:
        for number in range(count):
            outcomes.append(await caller.say(works[number % len(works)]))
            await asyncio.sleep(PAUSE)
    return outcomes


async def test_an_active_client_does_not_notice_those_who_only_cost(tmp_path, marked, full):
    idle, tasks = (2000, 300) if full else (500, 40)
    write_words(tmp_path)
    works = [part(marked, 3 * n, 3, "mic") for n in range(20)]
    megabytes = part(marked, TALKATIVE, 60, "file").samples
    alone: list[Outcome] = []
    beside: list[Outcome] = []
    each = []
    with (
        open_files(idle + 1000),
        serving_faulty(
            tmp_path, workers=2, max_connections=idle + 100, slow_reader_timeout=300
        ) as server,
    ):
        texts = await references(server, works)
        for _ in range(2):  # by turns, so that what else the machine does hits both
            alone += await dictate(server, works, tasks)
            async with AsyncExitStack() as stack:
                each.append(await stack.enter_async_context(idlers(server, idle)))
                await stack.enter_async_context(stopped_reader(server, megabytes))
                await stack.enter_async_context(dripping(server))
                beside += await dictate(server, works, tasks)
    for outcomes in (alone, beside):
        assert [o for o in outcomes if o.text != texts[o.name]] == []
    waits = [[outcome.wait for outcome in outcomes] for outcomes in (alone, beside)]
    print(
        f"\n{2 * tasks} dictations of 3 s, one after the other, end of speech to text:"
        f"\n  alone {summary(waits[0])}"
        f"\n  beside {idle} idle sockets, a stopped reader and a dripping sender "
        f"{summary(waits[1])}"
        f"\n  {each[0]:.1f} kB for each idle socket"
    )
    times, grace = (2, 0.005) if full else (3, 0.05)
    assert percentile(waits[1], 99) <= times * percentile(waits[0], 99) + grace
    assert each[0] < 30  # the second time there is room left from the first
