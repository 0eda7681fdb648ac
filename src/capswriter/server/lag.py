"""How late the event loop comes: the sign that something on it blocks."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass

import numpy as np

SLEEP = 0.05
"""Seconds of the sleep whose lateness is measured."""

REMEMBERED = 1200
"""Sleeps that are remembered: a minute of them."""


@dataclass(frozen=True, slots=True)
class Lateness:
    """Of the newest 1,200 sleeps; milliseconds."""

    p50: float
    p95: float
    p99: float
    max: float
    count: int


class LoopLag:
    """Measures how late sleeps of 50 ms wake up, while ``measure`` runs."""

    def __init__(self) -> None:
        self._late: deque[float] = deque(maxlen=REMEMBERED)

    async def measure(self) -> None:
        """Measure until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + SLEEP
            await asyncio.sleep(SLEEP)
            self._late.append(max(0.0, loop.time() - due))

    def lateness(self) -> Lateness:
        """Compute the percentiles; zeros before the first sleep has ended."""
        if not self._late:
            return Lateness(0.0, 0.0, 0.0, 0.0, 0)
        late = np.percentile(self._late, (50, 95, 99, 100))
        p50, p95, p99, worst = (round(1000 * float(each), 3) for each in late)
        return Lateness(p50, p95, p99, worst, len(self._late))
