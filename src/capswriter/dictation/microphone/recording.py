"""One dictation's samples, as they come."""

from __future__ import annotations

import time
from collections import deque
from typing import TYPE_CHECKING

import anyio

from capswriter.audio import SAMPLE_RATE, Samples
from capswriter.audio.resample import Resampler

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from capswriter.dictation.microphone.run import Run


class Recording:
    """What is heard from a little before the key went down, until a little after it came up.

    Iterating over it, once, gives blocks of mono samples at 16 kHz as they come, and ends when the
    tail is there, at once when the recording is cancelled.

    Args:
        key_down: when the key went down, in seconds of ``time.monotonic``.
        pre_roll: how many seconds before that it begins.
        changed: called when the recording was stopped or cancelled.
    """

    def __init__(
        self, key_down: float, pre_roll: float, changed: Callable[[Recording], None]
    ) -> None:
        self.key_down = key_down
        self.key_up: float | None = None
        """When the key came up, once the recording was stopped."""
        self.begins = key_down - pre_roll
        """From when on it wants what is heard."""
        self.ends: float | None = None
        """Until when it wants what is heard, once it was stopped."""
        self.first_sample: float | None = None
        """Seconds from the key to the first sample: negative, as much pre-roll as there was."""
        self.is_ended = False
        """Whether no more blocks will come, other than those that nobody has taken."""
        self.is_cancelled = False
        self.overflows = 0
        """How often samples were lost because the computer was too busy."""
        self.breaks = 0
        """How often the microphone was lost."""
        self._samples = 0
        self._changed = changed
        self._blocks: deque[Samples] = deque()
        self._news = anyio.Event()
        self._resampler: Resampler | None = None
        self._run: Run | None = None
        self._next = 0
        self._taken_before = 0

    @property
    def seconds(self) -> float:
        """Seconds of sound so far."""
        return self._samples / SAMPLE_RATE

    def stop(self, tail: float = 0.2, *, at: float | None = None) -> None:
        """End the recording when what is heard until ``tail`` seconds after the key has come.

        Args:
            tail: seconds.
            at: when the key came up, in seconds of ``time.monotonic``; now by default.
        """
        if self.ends is None and not self.is_ended:
            self.key_up = time.monotonic() if at is None else at
            self.ends = self.key_up + tail
            self._changed(self)

    def cancel(self) -> None:
        """End the recording at once, and forget what nobody has taken."""
        if not self.is_ended:
            self.is_cancelled = True
            self._blocks.clear()
            if self._run is not None:  # the next recording may begin with it
                self._run.taken = self._taken_before
            self._end()
            self._changed(self)

    async def __aiter__(self) -> AsyncIterator[Samples]:
        """Give the blocks as they come."""
        while True:
            while self._blocks:
                yield self._blocks.popleft()
            if self.is_ended:
                return
            await self._news.wait()
            self._news = anyio.Event()

    def position(self, run: Run) -> int:
        """Return which sample of a run it wants next."""
        if run is self._run:
            return self._next
        return max(0, run.clock.position(self.begins), run.taken)

    def take(self, run: Run) -> None:
        """Take what a run has that is wanted, and end when that was all."""
        if self.is_ended or not run.ring.end:
            return
        start = self.position(run)
        if run is not self._run:
            self._break()
            start = max(start, run.ring.start)
        until = run.ring.end
        if self.ends is not None:
            until = min(until, max(run.clock.position(self.ends), start))
        if start < until:
            self._begin(run, start)
            block = run.ring.since(start)[: until - start]
            self._next = start + len(block)
            run.taken = max(run.taken, self._next)
            assert self._resampler is not None  # noqa: S101
            self._give(self._resampler.push(block))
        if self.ends is not None and run.clock.position(self.ends) <= run.ring.end:
            self.finish()

    def finish(self) -> None:
        """End the recording with what there is."""
        if not self.is_ended:
            self._break()
            self._end()

    def _begin(self, run: Run, start: int) -> None:
        if run is self._run:
            return
        self._run = run
        self._resampler = Resampler(run.rate)
        self._taken_before = run.taken
        if self.first_sample is None:
            self.first_sample = run.clock.time(start) - self.key_down

    def lose(self) -> None:
        """Hear that the microphone is lost; what a new run brings is added."""
        self.breaks += 1
        self._break()

    def _break(self) -> None:
        """Bring out what the resampler holds, as no sample follows on the last one."""
        if self._resampler is not None:
            self._give(self._resampler.finish())
        self._resampler = self._run = None

    def _give(self, block: Samples) -> None:
        if len(block):
            self._samples += len(block)
            self._blocks.append(block)
            self._news.set()

    def _end(self) -> None:
        self.is_ended = True
        self._news.set()
