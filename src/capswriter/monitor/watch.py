"""Watching a server, round after round, until it ends, time is up, or Ctrl-C."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from capswriter.monitor.sampling import Sampler

if TYPE_CHECKING:
    from collections.abc import Iterator

    from capswriter.monitor.sampling import Reading


def rounds(
    front: int, *, interval: float, duration: float | None = None
) -> Iterator[list[Reading]]:
    """Read a server's processes again and again; end when its front has ended, or time is up.

    A round that is late is not made up for.

    Args:
        front: process of it.
        interval: seconds from round to round.
        duration: seconds after which to end, with a last round; None for as long as it runs.
    """
    began = due = time.monotonic()
    ends = None if duration is None else began + duration
    sampler = Sampler(began, front=front)
    while True:
        readings = sampler.sample()
        if not any(reading.pid == front for reading in readings):
            return
        yield readings
        now = time.monotonic()
        if ends is not None and now >= ends:
            return
        due = max(due + interval, now)
        if ends is not None:
            due = min(due, ends)
        time.sleep(max(0.0, due - now))
