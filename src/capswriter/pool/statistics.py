"""What the recogniser tells about itself."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING

import numpy as np

from capswriter.pool.task import Priority

if TYPE_CHECKING:
    from collections.abc import Mapping

REMEMBERED = 1000
"""Latencies kept for each class."""


class State(Enum):
    """What a worker is doing."""

    LOADING = "loading"
    IDLE = "idle"
    BUSY = "busy"
    DOWN = "down"
    PARKED = "parked"


@dataclass(frozen=True, slots=True)
class WorkerStatistics:
    """One worker, now.

    Args:
        number: which, from 0.
        pid: of its process, while there is one.
        state: what it is doing.
        completed: tasks done in this place since the start.
        busy_seconds: that engines in this place have worked.
    """

    number: int
    pid: int | None
    state: State
    completed: int
    busy_seconds: float


@dataclass(frozen=True, slots=True)
class Percentiles:
    """Of the newest thousand; seconds."""

    p50: float
    p95: float
    p99: float
    count: int

    @classmethod
    def of(cls, values: deque[float]) -> Percentiles:
        """Compute them; zeros where there are no values."""
        if not values:
            return cls(0.0, 0.0, 0.0, 0)
        p50, p95, p99 = (round(float(each), 4) for each in np.percentile(values, (50, 95, 99)))
        return cls(p50, p95, p99, len(values))


@dataclass(frozen=True, slots=True)
class Statistics:
    """The recogniser, now; counts are since its start.

    Args:
        workers: one each.
        active: tasks that workers have.
        queued: tasks that wait.
        queued_seconds: audio in them.
        backlog_seconds: audio of files that has arrived and is not recognised, on the disk or here.
        completed, failed, retried: tasks.
        rejected: utterances that were refused because too much waited.
        worker_restarts: workers that were replaced.
        deaths: workers that went, by cause.
        wait: seconds tasks waited for a worker, by class.
        latency: seconds from the queue to the result, by class.
        pace: seconds of audio that a worker does in a second.
    """

    workers: tuple[WorkerStatistics, ...]
    active: int
    queued: int
    queued_seconds: float
    backlog_seconds: float
    completed: int
    failed: int
    retried: int
    rejected: int
    worker_restarts: int
    deaths: Mapping[str, int]
    wait: Mapping[str, Percentiles]
    latency: Mapping[str, Percentiles]
    pace: float

    @property
    def oom_errors(self) -> int:
        """Workers that went for want of memory."""
        return self.deaths.get("out_of_memory", 0)

    @property
    def success_rate(self) -> float:
        """Of the tasks that ended, the share that got a result."""
        ended = self.completed + self.failed
        return self.completed / ended if ended else 1.0


def _windows() -> dict[Priority, deque[float]]:
    return {priority: deque(maxlen=REMEMBERED) for priority in Priority}


@dataclass(slots=True)
class Latencies:
    """The newest latencies of each class."""

    wait: dict[Priority, deque[float]] = field(default_factory=_windows)
    total: dict[Priority, deque[float]] = field(default_factory=_windows)

    def note(self, priority: Priority, *, wait: float, total: float) -> None:
        """Add one task's seconds."""
        self.wait[priority].append(wait)
        self.total[priority].append(total)


def by_class(windows: Mapping[Priority, deque[float]]) -> dict[str, Percentiles]:
    """Compute the percentiles of each class, by its name."""
    return {priority.name.lower(): Percentiles.of(each) for priority, each in windows.items()}
