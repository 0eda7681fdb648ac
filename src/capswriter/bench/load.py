"""Load for a server: clients that dictate and send files, and what became of each task.

They speak CapsWriter's v2. ``closed_loop`` keeps a number of clients busy, ``deal`` until a heap of
tasks is done; ``open_loop`` lets tasks arrive at a rate, however slow the answers are.
"""

from __future__ import annotations

import asyncio
import itertools
import math
import time
import uuid
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Literal, TypeAlias

import anyio
import numpy as np
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake

from capswriter.audio import SAMPLE_RATE
from capswriter.protocols.capswriter import (
    SUBPROTOCOL,
    AudioFrame,
    Encoding,
    Failure,
    Result,
    parse_reply,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence

    from capswriter.audio import Samples

Kind: TypeAlias = Literal["mic", "file"]

MIC_FRAME = SAMPLE_RATE // 20
"""Samples in a frame of a microphone: 50 ms."""

FILE_FRAME = 60 * SAMPLE_RATE
"""Samples in a frame of a file."""

NOBODY = str(uuid.UUID(int=0))
"""Name of no task: that of the one in hand takes its place."""

CLOSED, REFUSED = "connection_closed", "connection_refused"
"""Errors of tasks that got no answer because there was no connection (any more)."""

SILENT = "no_answer"
"""Error of tasks whose client has lost its patience."""


@dataclass(frozen=True, eq=False)
class Work:
    """Something to have recognised.

    Args:
        kind: dictated, or a file.
        samples: float32[n], mono, 16 kHz.
        name: for telling outcomes apart.
        paced: as slowly as it was spoken, or at once.
        segment: seconds that segments may have; None for the protocol's default.
    """

    kind: Kind
    samples: Samples
    name: str = ""
    paced: bool = False
    segment: float | None = None

    @property
    def seconds(self) -> float:
        """Seconds of audio."""
        return len(self.samples) / SAMPLE_RATE

    @property
    def frame(self) -> int:
        """Samples in a frame."""
        return MIC_FRAME if self.paced else FILE_FRAME

    @cached_property
    def frames(self) -> list[bytes]:
        """The frames of a task by the name of ``NOBODY``; made once."""
        pcm = np.round(self.samples * 32_768).astype("<i2")
        return [
            AudioFrame(
                NOBODY,
                self.kind,
                pcm[start : start + self.frame].tobytes(),
                is_final=start + self.frame >= len(pcm),
                time_start=0.0,
                seg_duration=self.segment,
                encoding=Encoding.S16LE,
            )
            .encode()
            .encode()
            for start in range(0, max(1, len(pcm)), self.frame)
        ]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one task; times are monotonic seconds.

    Args:
        kind: of the work.
        name: of the work.
        client: number of the client that sent it.
        seconds: of audio.
        sent_at: its first frame left.
        spoken_at: its last byte left.
        final_at: its text or error came.
        text: None after an error.
        error: code of the error, empty where there is a text.
        retry_after: seconds, where the error tells.
    """

    kind: Kind
    name: str
    client: int
    seconds: float
    sent_at: float
    spoken_at: float
    final_at: float
    text: str | None = None
    error: str = ""
    retry_after: float | None = None

    @property
    def wait(self) -> float:
        """Seconds from the last byte to the text, or to the error."""
        return self.final_at - self.spoken_at


class Caller:
    """One client: a socket, any number of tasks at once.

    Args:
        socket: connected.
        number: of the client.
    """

    def __init__(self, socket: ClientConnection, number: int = 0) -> None:
        self.number = number
        self.strays = 0
        """Replies that no task was waiting for: to nobody's question, or after a final one."""
        self._ended = False
        self._socket = socket
        self._waiting: dict[str, asyncio.Future[Result | Failure]] = {}

    async def say(self, work: Work) -> Outcome:
        """Send a task and wait for its end, whatever that is."""
        task_id = str(uuid.uuid4())
        answer = asyncio.get_running_loop().create_future()
        self._waiting[task_id] = answer
        sent_at = time.monotonic()
        with suppress(ConnectionClosed):  # the reader ends the task, if it has not ended itself
            await self._send(task_id, work, answer)
        if self._ended:
            self._end_all()
        spoken_at = time.monotonic()
        end = await answer
        final_at = time.monotonic()
        times = (work.seconds, sent_at, min(spoken_at, final_at), final_at)
        if isinstance(end, Result):
            return Outcome(work.kind, work.name, self.number, *times, text=end.text)
        return Outcome(
            work.kind, work.name, self.number, *times, error=end.code, retry_after=end.retry_after
        )

    async def read(self) -> None:
        """Take replies until the connection ends, which ends all tasks."""
        with suppress(ConnectionClosed):
            async for message in self._socket:
                self._take(parse_reply(message))
        self._ended = True
        self._end_all()

    def _end_all(self) -> None:
        while self._waiting:
            task_id, answer = self._waiting.popitem()
            if not answer.done():  # else whoever asked has stopped waiting
                answer.set_result(Failure(task_id, CLOSED, "the connection has ended"))

    def _take(self, reply: Result | Failure) -> None:
        if reply.task_id not in self._waiting:
            self.strays += 1
        elif isinstance(reply, Failure) or reply.is_final:
            answer = self._waiting.pop(reply.task_id)
            if not answer.done():
                answer.set_result(reply)

    async def _send(
        self, task_id: str, work: Work, answer: asyncio.Future[Result | Failure]
    ) -> None:
        began = time.monotonic()
        for number, frame in enumerate(work.frames, 1):
            if work.paced:  # a frame can be sent when its last sample has been spoken
                due = began + number * work.frame / SAMPLE_RATE
                await asyncio.sleep(due - time.monotonic())
            if answer.done():
                return
            await self._socket.send(frame.replace(NOBODY.encode(), task_id.encode(), 1), text=True)


@asynccontextmanager
async def calling(url: str, number: int = 0, *, token: str = "") -> AsyncIterator[Caller]:
    """Connect a client.

    Raises:
        OSError, InvalidHandshake: there is no server, or it lets nobody in.
    """
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    async with connect(
        url,
        subprotocols=[SUBPROTOCOL],  # type: ignore[list-item]  # a NewType of str
        additional_headers=headers,
        compression=None,
        max_size=None,
        max_queue=None,
        ping_interval=None,
    ) as socket:
        caller = Caller(socket, number)
        reading = asyncio.create_task(caller.read())
        try:
            yield caller
        finally:
            await socket.close()
            await reading


async def closed_loop(
    url: str,
    works: Sequence[Work],
    *,
    clients: int,
    tasks: int | None = None,
    seconds: float = math.inf,
    pause: float = 0.0,
    stop: asyncio.Event | None = None,
    on_outcome: Callable[[Outcome], None] | None = None,
) -> list[Outcome]:
    """Let each client send its next task when it has the answer to the one before.

    Args:
        url: of the server.
        works: each client walks through them in turns, from a place of its own.
        clients: how many.
        tasks: how many in all; no limit by default.
        seconds: after which no task is begun.
        pause: seconds of each client between an answer and its next task.
        stop: when it is set, no task is begun either.
        on_outcome: called with each as it comes.
    """
    outcomes: list[Outcome] = []
    left = itertools.count() if tasks is None else iter(range(tasks))
    ends = time.monotonic() + seconds

    async def client(number: int) -> None:
        own = itertools.islice(itertools.cycle(works), number % len(works), None)
        async with calling(url, number) as caller:
            for work in own:
                over = time.monotonic() >= ends or (stop is not None and stop.is_set())
                if over or next(left, None) is None:
                    return
                outcomes.append(await caller.say(work))
                if on_outcome is not None:
                    on_outcome(outcomes[-1])
                await asyncio.sleep(pause)

    await asyncio.gather(*map(client, range(clients)))
    return outcomes


async def deal(
    url: str,
    works: Iterator[Work],
    *,
    clients: int,
    on_outcome: Callable[[Outcome], None],
    token: str = "",
    patience: float = math.inf,
) -> None:
    """Let clients take tasks from one heap, each its next when it has the answer to the one before.

    When a connection has ended or a task gets no answer, nobody takes another.

    Args:
        url: of the server.
        works: the heap.
        clients: how many.
        on_outcome: called with each as it comes; the last may be of ``CLOSED`` or ``SILENT``.
        token: what the server wants callers to know.
        patience: seconds to wait for an answer, besides those of the audio of all clients.

    Raises:
        OSError, InvalidHandshake: there is no server, or it lets nobody in.
    """
    given_up = False

    async def client(caller: Caller) -> None:
        nonlocal given_up
        while not given_up and (work := next(works, None)) is not None:
            began = time.monotonic()
            try:
                with anyio.fail_after(patience + clients * work.seconds):
                    outcome = await caller.say(work)
            except TimeoutError:
                outcome = failed(work, caller.number, began, SILENT)
            given_up = given_up or outcome.error in {CLOSED, SILENT}
            on_outcome(outcome)

    async with AsyncExitStack() as stack:
        callers = [
            await stack.enter_async_context(calling(url, number, token=token))
            for number in range(clients)
        ]
        await asyncio.gather(*map(client, callers))


async def open_loop(
    url: str,
    works: Iterable[Work],
    *,
    rate: float,
    seconds: float,
    clients: int = 16,
    on_outcome: Callable[[Outcome], None] | None = None,
    token: str = "",
) -> list[Outcome]:
    """Let tasks arrive at a rate, evenly, and wait for the end of all.

    Args:
        url: of the server.
        works: taken in turns.
        rate: tasks a second.
        seconds: of arrivals.
        clients: who send them in turns.
        on_outcome: called with each as it comes.
        token: what the server wants callers to know.
    """
    turns: Iterator[Work] = itertools.cycle(works)
    saying: list[asyncio.Task[Outcome]] = []

    async def say(caller: Caller, work: Work) -> Outcome:
        outcome = await caller.say(work)
        if on_outcome is not None:
            on_outcome(outcome)
        return outcome

    async with AsyncExitStack() as stack:
        callers = [
            await stack.enter_async_context(calling(url, number, token=token))
            for number in range(clients)
        ]
        began = time.monotonic()
        for index in range(round(rate * seconds)):
            await asyncio.sleep(began + index / rate - time.monotonic())
            saying.append(asyncio.create_task(say(callers[index % clients], next(turns))))
        return list(await asyncio.gather(*saying))


async def once(url: str, work: Work, *, client: int = 0, token: str = "") -> Outcome:
    """Do one task on a connection of its own; an error where there is no connection to be had."""
    now = time.monotonic()
    try:
        async with calling(url, client, token=token) as caller:
            return await caller.say(work)
    except (OSError, InvalidHandshake):
        return failed(work, client, now, REFUSED, ended=now)


def failed(
    work: Work, client: int, began: float, error: str, *, ended: float | None = None
) -> Outcome:
    """Describe a task that came to nothing; it ends now unless told otherwise."""
    ended = time.monotonic() if ended is None else ended
    return Outcome(work.kind, work.name, client, work.seconds, began, ended, ended, error=error)


def percentile(values: Sequence[float], percent: float) -> float:
    """Value below which so many percent of the values lie; NaN without values."""
    return float(np.percentile(values, percent)) if len(values) else math.nan


def summary(values: Sequence[float]) -> str:
    """Write p50, p95, p99 and maximum of seconds as milliseconds, in one line."""
    shown = [f"p{percent} {percentile(values, percent) * 1000:.0f}" for percent in (50, 95, 99)]
    return f"{', '.join(shown)}, max {max(values, default=math.nan) * 1000:.0f} ms"
