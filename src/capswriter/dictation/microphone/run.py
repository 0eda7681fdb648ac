"""An open stream, from where its blocks arrive to the samples that recordings take."""

from __future__ import annotations

import math
import time
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING

import numpy as np

from capswriter.dictation.microphone.mixing import Mixer
from capswriter.dictation.microphone.ring import Ring, SampleClock

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from numpy.typing import NDArray

MOST_WAITING_S = 60.0
"""Seconds of sound that may wait for a busy event loop; what comes then is lost, and counted."""

FLOOR_DB = -100.0
"""Level of silence."""

LEVEL_S = 0.1
"""Seconds that a level is measured over."""


class Run:
    """Hears a stream in PortAudio's thread, without ever waiting, and keeps its end in the loop's.

    Args:
        loop: whose thread takes the blocks.
        news: called there when blocks wait, or the stream has ended.
        rate: samples per second.
        channels: how many a block has.
        kept: seconds of sound that are kept.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        news: Callable[[Run], None],
        *,
        rate: int,
        channels: int,
        kept: float,
    ) -> None:
        self.rate = rate
        self.ring = Ring(round(rate * kept))
        self.clock = SampleClock(rate)
        self.taken = 0
        """Up to which position samples are some recording's."""
        self.overflows = 0
        """How often samples were lost because the computer was too busy."""
        self.is_ended = False
        """Whether the stream ended by itself."""
        self.last_heard = time.monotonic()
        """When the last block came, or the run began."""
        self._loop = loop
        self._news = news
        self._mixer = Mixer(channels)
        self._waiting: deque[tuple[NDArray[np.float32], float, bool]] = deque()
        self._dropped = False
        self._is_called = False

    def heard(self, block: NDArray[np.float32], at: float, *, overflowed: bool) -> None:
        """Take a block from the stream's thread."""
        self.last_heard = time.monotonic()
        if len(self._waiting) * len(block) > MOST_WAITING_S * self.rate:
            self._dropped = True
            return
        self._waiting.append((block, at, overflowed or self._dropped))
        self._dropped = False
        self._call()

    def ended(self) -> None:
        """Hear from the stream's thread that nothing more will come."""
        self.is_ended = True
        self._call()

    def drain(self) -> bool:
        """Move the oldest block that waits into the ring, in the loop's thread.

        Returns:
            Whether there was one.
        """
        self._is_called = False
        if not self._waiting:
            return False
        block, at, overflowed = self._waiting.popleft()
        if overflowed:
            self.overflows += 1
            self.clock.restart()
        self.clock.tell(self.ring.end, at)
        self.ring.push(self._mixer.mix(block))
        return True

    @property
    def level(self) -> float:
        """How loud it has been lately: the root of the mean square, in decibels of full scale."""
        last = self.ring.since(self.ring.end - round(LEVEL_S * self.rate))
        power = float(np.dot(last, last)) / max(1, len(last))
        return max(FLOOR_DB, 10 * math.log10(power)) if power > 0 else FLOOR_DB

    def _call(self) -> None:
        if not self._is_called:
            self._is_called = True
            with suppress(RuntimeError):  # the loop is closed
                self._loop.call_soon_threadsafe(self._news, self)
