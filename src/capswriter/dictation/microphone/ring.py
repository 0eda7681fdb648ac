"""The last samples of a stream, and when each of them was heard."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from capswriter.audio import Samples

DRIFT = 0.001
"""Seconds per second by which the two clocks may differ."""


class Ring:
    """Keeps the last samples, each by its position: how many were pushed before it.

    Args:
        capacity: how many samples are kept at least; at most one block more.
    """

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._blocks: deque[Samples] = deque()
        self.start = 0
        """Position of the oldest sample that is kept."""
        self.end = 0
        """Position of the sample that comes next."""

    def push(self, block: Samples) -> None:
        """Add a block, which must not be changed afterwards, and forget what is too old."""
        self._blocks.append(block)
        self.end += len(block)
        while self.end - self.start - len(self._blocks[0]) >= self._capacity:
            self.start += len(self._blocks.popleft())

    def since(self, position: int) -> Samples:
        """Return the kept samples from ``position`` on."""
        wanted, blocks = self.end - max(position, self.start), []
        for block in reversed(self._blocks):
            if wanted <= 0:
                break
            blocks.append(block[-wanted:])
            wanted -= len(block)
        return np.concatenate([*reversed(blocks), np.empty(0, np.float32)])


class SampleClock:
    """Tells when a sample was heard, from when blocks of samples arrive.

    A block may come late, never early: the earliest arrivals are believed. The sound card's clock
    and the computer's differ a little, so that belief gives way, by ``DRIFT``.

    Args:
        rate: samples per second.
    """

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self._zero: float | None = None
        self._told = 0

    def tell(self, position: int, heard: float) -> None:
        """Say that the sample at ``position`` was heard at ``heard`` or before.

        Args:
            position: of a sample.
            heard: in seconds of ``time.monotonic``.
        """
        zero = heard - position / self._rate
        if self._zero is None:
            self._zero = zero
        else:
            self._zero = min(zero, self._zero + (position - self._told) / self._rate * DRIFT)
        self._told = position

    def restart(self) -> None:
        """Forget what was told: samples are missing, and positions mean other times."""
        self._zero = None

    def time(self, position: int) -> float:
        """Return when a sample was or will be heard, in seconds of ``time.monotonic``."""
        assert self._zero is not None, "a clock that was told nothing"  # noqa: S101
        return self._zero + position / self._rate

    def position(self, heard: float) -> int:
        """Return the position of the sample that was or will be heard at a time."""
        assert self._zero is not None, "a clock that was told nothing"  # noqa: S101
        return round((heard - self._zero) * self._rate)
