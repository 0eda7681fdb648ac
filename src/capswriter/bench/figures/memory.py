"""How much memory: steadily, at most, more with each worker, and whether it leaks.

The memory of a moment is the sum over all processes of ``pss``, in which every shared page counts
once; where a process does not tell it, its ``rss`` counts, which is more.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from capswriter.bench.figures.groups import Ratio, common, group, groups, middle

if TYPE_CHECKING:
    from collections.abc import Mapping

    from capswriter.bench.result import Result, Run, Usage

FRONT = "front"
"""Name of the process that owns the sockets."""

THIRD = 3
"""Moments that each third of a run needs before its drift is told."""


@dataclass(frozen=True, slots=True)
class Moment:
    """What all processes took up at about the same time.

    Args:
        at: seconds since the run began.
        processes: by name and process id.
    """

    at: float
    processes: Mapping[tuple[str, int], Usage]

    @property
    def memory(self) -> int:
        """Bytes of all."""
        return sum(map(memory_of, self.processes.values()))


@dataclass(frozen=True, slots=True)
class Cost:
    """What a server takes, in bytes at its worst.

    Args:
        base: workers that were measured first, usually 1.
        total: of the front and so many workers.
        front: of it alone; None where nobody tells.
        further: each worker beyond.
        shared: whether ``further`` is the difference between numbers of workers, so that what
            they share is counted once; else it is what one worker takes where nothing can be
            compared.
    """

    base: int
    total: float
    front: float | None
    further: float
    shared: bool

    def of(self, workers: int) -> float:
        """Give what so many workers and the front would take."""
        return self.total + (workers - self.base) * self.further


def memory_of(usage: Usage) -> int:
    """Give the bytes of one process."""
    return usage.rss if usage.pss is None else usage.pss


def has_pss(run: Run) -> bool:
    """Tell whether shared pages count once throughout."""
    return all(usage.pss is not None for usage in run.usage)


def moments(run: Run) -> list[Moment]:
    """Put together what was seen in one look at all processes."""
    found: list[dict[tuple[str, int], Usage]] = []
    for usage in sorted(run.usage, key=lambda usage: usage.at):
        key = usage.process, usage.pid
        if not found or key in found[-1]:
            found.append({})
        found[-1][key] = usage
    return [Moment(min(usage.at for usage in seen.values()), seen) for seen in found]


def steady(run: Run) -> float | None:
    """Give the median memory of the second half of a run."""
    seen = moments(run)
    return middle(moment.memory for moment in seen[len(seen) // 2 :])


def peak(run: Run) -> float | None:
    """Give the most memory of a run."""
    return max((float(moment.memory) for moment in moments(run)), default=None)


def drift(run: Run) -> float | None:
    """Give by what share memory grew from the middle third of a run to its last.

    The least of both are compared, as that is what stays when work is done; the first third is
    left out, as memory fills up then. None where a third has fewer than three moments.
    """
    seen = [moment.memory for moment in moments(run)]
    size = len(seen) // 3
    if size < THIRD:
        return None
    before, after = min(seen[-2 * size : -size]), min(seen[-size:])
    return after / before - 1 if before else None


def memory_growth(result: Result, workers: int) -> Ratio | None:
    """Divide the steady memory of so many workers by that of the fewest, round by round."""
    fewest = next(iter(groups(result, "server")), None)
    return common(group(result, "server", workers), fewest, steady)


def replaced(run: Run) -> int | None:
    """Count the processes that took another's place during a run: the same name, another pid."""
    if not run.usage:
        return None
    seen = {(usage.process, usage.pid) for usage in run.usage}
    return len(seen) - len({name for name, _ in seen})


def cost(result: Result) -> Cost | None:
    """Tell what the front and each worker take at their worst; None without a measurement.

    The medians over the rounds of the peak of each run are compared between the fewest and the most
    workers. If more workers did not take more, or only one number was measured, each further worker
    is taken for as large as the workers of the first runs were on average.
    """
    measured = [each for each in groups(result, "server") if each.median(peak) is not None]
    if not measured:
        return None
    first, last = measured[0], measured[-1]
    total, most = first.median(peak), last.median(peak)
    assert total is not None  # noqa: S101  # as just asked
    assert most is not None  # noqa: S101
    front = first.median(_front)
    if last.workers > first.workers and most > total:
        further = (most - total) / (last.workers - first.workers)
        return Cost(first.workers, total, front, further, shared=True)
    return Cost(
        first.workers, total, front, (total - (front or 0)) / max(1, first.workers), shared=False
    )


def _front(run: Run) -> float | None:
    return max(
        (float(memory_of(usage)) for usage in run.usage if usage.process == FRONT), default=None
    )
