"""What the cores did, and which worker was busy when."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from capswriter.bench.figures.memory import moments

if TYPE_CHECKING:
    from capswriter.bench.result import Run


@dataclass(frozen=True, slots=True)
class BusyTime:
    """What one worker did in a run.

    Args:
        worker: its number.
        segments: how many it recognised.
        audio: seconds of them.
        seconds: in which its engine worked.
        share: of the audio of all workers.
        idle: share of the run's time in which it did nothing.
    """

    worker: int
    segments: int
    audio: float
    seconds: float
    share: float
    idle: float


def busy_times(run: Run) -> list[BusyTime]:
    """Tell what each worker did; those that did nothing too. Empty where nobody told."""
    window = _window(run)
    if not run.spans or window <= 0:
        return []
    total = sum(span.audio for span in run.spans) or 1.0
    numbers = {span.worker for span in run.spans}
    # Those that never had a segment have no span: the run says how many there were.
    idle = (number for number in range(run.workers) if number not in numbers)
    numbers.update(list(idle)[: max(0, run.workers - len(numbers))])
    found = []
    for number in sorted(numbers):
        spans = [span for span in run.spans if span.worker == number]
        audio = sum(span.audio for span in spans)
        seconds = sum(span.ended - span.began for span in spans)
        idle_part = min(1.0, max(0.0, 1 - seconds / window))
        found.append(BusyTime(number, len(spans), audio, seconds, audio / total, idle_part))
    return found


def idle_share(run: Run) -> float | None:
    """Give the share of the run's time in which a worker did nothing, on average."""
    times = busy_times(run)
    return sum(each.idle for each in times) / len(times) if times else None


def under_way(run: Run) -> float | None:
    """Give how many tasks were under way on average.

    The sum of ``ended`` - ``sent`` of all samples, divided by the run's ``seconds``.
    """
    if not run.samples or run.seconds <= 0:
        return None
    return sum(sample.ended - sample.sent for sample in run.samples) / run.seconds


def cores_used(run: Run, process: str = "") -> float | None:
    """Give the cores that all processes used on average.

    The growth of ``cpu`` between the first and the last moment, summed over the processes and
    divided by the time between. A process that came later counts from its start.

    Args:
        run: in which.
        process: how the names of those that count begin.
    """
    steps = load_over_time(run)
    if not steps:
        return None
    start = moments(run)[0].at
    taken, before = 0.0, start
    for at, loads in steps:
        used = sum(cores for name, cores in loads.items() if name.startswith(process))
        taken += used * (at - before)
        before = at
    return taken / (before - start)


def load_over_time(run: Run) -> list[tuple[float, dict[str, float]]]:
    """Give the cores that each process used between two moments.

    Returns:
        For each moment but the first: when, and the cores since the moment before, by process.
    """
    found: list[tuple[float, dict[str, float]]] = []
    for before, now in pairwise(moments(run)):
        if now.at <= before.at:
            continue
        loads: dict[str, float] = {}
        for key, usage in now.processes.items():
            earlier = before.processes.get(key)
            taken = max(0.0, usage.cpu - (earlier.cpu if earlier else 0.0))
            loads[key[0]] = loads.get(key[0], 0.0) + taken / (now.at - before.at)
        found.append((now.at, loads))
    return found


def _window(run: Run) -> float:
    ends = [span.ended for span in run.spans]
    return max([run.seconds, *ends], default=0.0)
