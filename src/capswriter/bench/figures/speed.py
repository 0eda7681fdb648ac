"""How fast: throughput, waiting, and what more workers bring."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from capswriter.bench.figures.groups import Ratio, common, group, groups
from capswriter.bench.load import percentile

if TYPE_CHECKING:
    from collections.abc import Sequence

    from capswriter.bench.figures.groups import Group
    from capswriter.bench.result import Arrangement, Result, Run, Sample


@dataclass(frozen=True, slots=True)
class Waits:
    """Seconds from the last byte of a task to its text.

    Args:
        p50: half of the tasks waited no longer.
        p95: 95 % of them.
        p99: 99 % of them.
        most: none of them waited longer.
        tasks: how many were answered with a text.
    """

    p50: float
    p95: float
    p99: float
    most: float
    tasks: int


def throughput(run: Run) -> float | None:
    """Give the seconds of audio that became text in each second of a run.

    The audio of every sample with a text, divided by the run's ``seconds``.
    """
    done = sum(sample.audio for sample in run.samples if sample.text is not None)
    return done / run.seconds if done and run.seconds > 0 else None


def waiting(samples: Sequence[Sample]) -> list[float]:
    """Give ``ended`` - ``spoken`` of the samples that have a text."""
    return [sample.ended - sample.spoken for sample in samples if sample.text is not None]


def waits(samples: Sequence[Sample]) -> Waits | None:
    """Give the percentiles of the waiting; None where no task was answered."""
    seconds = waiting(samples)
    if not seconds:
        return None
    p50, p95, p99 = (percentile(seconds, percent) for percent in (50, 95, 99))
    return Waits(p50, p95, p99, max(seconds), len(seconds))


def real_time_factors(samples: Sequence[Sample]) -> list[float]:
    """Give the waiting of each answered task, divided by its seconds of audio."""
    return [
        (sample.ended - sample.spoken) / sample.audio
        for sample in samples
        if sample.text is not None and sample.audio > 0
    ]


def error_counts(samples: Sequence[Sample]) -> Counter[str]:
    """Count the tasks without a text by their error."""
    return Counter(sample.error or "no text" for sample in samples if sample.text is None)


def ratio(over: Group | None, under: Group | None) -> Ratio | None:
    """Compare the throughput of two groups, round by round."""
    return common(over, under, throughput)


def speed_up(result: Result, arrangement: Arrangement, workers: int) -> Ratio | None:
    """Tell how many times faster so many workers are than the fewest that were measured.

    None where only one number of workers was measured, or no round has both.
    """
    measured = groups(result, arrangement)
    if len(measured) < 2:  # noqa: PLR2004
        return None
    return ratio(group(result, arrangement, workers), measured[0])


def efficiency(result: Result, arrangement: Arrangement, workers: int) -> float | None:
    """Divide the speed-up by that of as many workers in an ideal world: 1 is all of it."""
    found, fewest = speed_up(result, arrangement, workers), groups(result, arrangement)
    return found.median * fewest[0].workers / workers if found else None


def share_of_bare_speed_up(result: Result, workers: int) -> Ratio | None:
    """Divide the server's speed-up by that of bare processes, round by round."""
    ours, bare = (speed_up(result, each, workers) for each in ("server", "bare"))
    if ours is None or bare is None:
        return None
    rounds = {
        number: ours.rounds[number] / bare.rounds[number]
        for number in sorted(ours.rounds.keys() & bare.rounds.keys())
    }
    return Ratio(rounds) if rounds else None
