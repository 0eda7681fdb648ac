"""The place of one worker in the pool: what it does, how its starts went, whether it is wanted."""

from __future__ import annotations

import asyncio
import itertools
import time
from typing import TYPE_CHECKING

from capswriter.pool.statistics import State, WorkerStatistics

if TYPE_CHECKING:
    from collections.abc import Iterator

    from capswriter.pool.task import Result

LONGEST_PAUSE = 30.0
"""Seconds between attempts to start a worker that keeps dying."""


class Slot:
    """The place of one worker; the process in it changes."""

    def __init__(self, number: int) -> None:
        loop = asyncio.get_running_loop()
        self.number = number
        self.state = State.LOADING
        self.pid: int | None = None
        self.trouble = ""
        self.first: asyncio.Future[str | None] = loop.create_future()
        """How the first start went: None, or the reason why not."""
        self.wanted = asyncio.Event()
        self.wanted.set()
        self._call: asyncio.Future[None] = loop.create_future()
        self._resting = 0.0
        self._completed = 0
        self._busy_seconds = 0.0
        self._failures = 0

    def statistics(self) -> WorkerStatistics:
        """Tell what its worker is doing."""
        return WorkerStatistics(
            self.number, self.pid, self.state, self._completed, round(self._busy_seconds, 3)
        )

    def note(self, result: Result) -> None:
        """Note a task that its worker has done."""
        self._failures = 0
        self._completed += 1
        self._busy_seconds += result.seconds

    def succeed(self) -> None:
        """Note that its worker has loaded the model."""
        self.trouble = ""
        if not self.first.done():
            self.first.set_result(None)

    def fail(self, reason: str) -> None:
        """Note why its worker did not start."""
        self.trouble = reason
        self._failures += 1
        if not self.first.done():
            self.first.set_result(reason)

    def rest(self) -> None:
        """Note that its worker has nothing to do."""
        self.state = State.IDLE
        self._resting = time.monotonic()

    def rested_since(self) -> float:
        """Tell when its worker last had nothing to do, in monotonic seconds."""
        return self._resting

    def park(self) -> None:
        """Do without its worker, once that is idle."""
        self.wanted.clear()
        self.call()

    def unpark(self) -> None:
        """Have a worker again."""
        self.wanted.set()

    def call(self) -> None:
        """Have its keeper look whether there is something to do."""
        if not self._call.done():
            self._call.set_result(None)

    async def called(self) -> None:
        """Wait for a call."""
        self._call = asyncio.get_running_loop().create_future()
        await self._call

    def pauses(self) -> Iterator[float]:
        """Seconds to wait before each start: none after a good one, growing after bad ones."""
        for _ in itertools.count():
            yield min(0.5 * (2**self._failures - 1), LONGEST_PAUSE)
