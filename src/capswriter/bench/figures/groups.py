"""Runs that belong together, and ratios between them."""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from capswriter.bench.result import Arrangement, Result, Run, Sample

NAMES: dict[Arrangement, str] = {
    "server": "server",
    "bare": "bare limit",
    "queue": "shared queue",
}


@dataclass(frozen=True, slots=True)
class Group:
    """The rounds of one arrangement with so many workers.

    Args:
        arrangement: as the runs have it.
        name: as the runs have it.
        workers: how many.
        runs: one for each round, in their order.
    """

    arrangement: Arrangement
    name: str
    workers: int
    runs: tuple[Run, ...]

    @property
    def label(self) -> str:
        """Its name for people."""
        if self.arrangement == "peer":
            return self.name if self.workers == 1 else f"{self.name}, {self.workers} processes"
        name = NAMES[self.arrangement] if self.name == self.arrangement else self.name
        return f"{name}, {plural(self.workers, 'worker')}"

    @property
    def whole(self) -> tuple[Run, ...]:
        """The runs that went to their end."""
        return tuple(run for run in self.runs if not run.error)

    @property
    def samples(self) -> list[Sample]:
        """The tasks of all rounds."""
        return [sample for run in self.runs for sample in run.samples]

    def median(self, figure: Callable[[Run], float | None]) -> float | None:
        """Give the median of a figure over the whole runs that have it."""
        return middle(figure(run) for run in self.whole)

    def most(self, figure: Callable[[Run], float | None]) -> float | None:
        """Give the greatest of a figure over all runs that have it, even those that ended early."""
        return max((f for run in self.runs if (f := figure(run)) is not None), default=None)


@dataclass(frozen=True, slots=True)
class Ratio:
    """A ratio that was taken once in every round.

    Args:
        rounds: the ratio in each, by the round's number; not empty.
    """

    rounds: dict[int, float]

    @property
    def median(self) -> float:
        """The middle one."""
        return statistics.median(self.rounds.values())

    @property
    def low(self) -> float:
        """The least."""
        return min(self.rounds.values())

    @property
    def high(self) -> float:
        """The greatest."""
        return max(self.rounds.values())


def groups(result: Result, arrangement: Arrangement | None = None) -> list[Group]:
    """Put the runs in order: by arrangement, by name, by the number of workers.

    Args:
        result: whose runs.
        arrangement: only this one.
    """
    order = ["server", "bare", "queue", "peer"]
    found: dict[tuple[int, str, int], list[Run]] = {}
    for run in result.runs:
        if arrangement in {None, run.arrangement}:
            key = order.index(run.arrangement), run.name, run.workers
            found.setdefault(key, []).append(run)
    return [
        Group(runs[0].arrangement, name, workers, tuple(sorted(runs, key=lambda run: run.round)))
        for (_, name, workers), runs in sorted(found.items())
    ]


def group(result: Result, arrangement: Arrangement, workers: int) -> Group | None:
    """Find one; None where it was not run."""
    found = (each for each in groups(result, arrangement) if each.workers == workers)
    return next(found, None)


def common(over: Group | None, under: Group | None, figure: Figure) -> Ratio | None:
    """Divide a figure of one group by another's, round by round.

    Args:
        over: the numerator.
        under: the denominator.
        figure: of a run; a round in which either has none, or ended early, is left out.

    Returns:
        None where there is no round in which both have it.
    """
    if over is None or under is None:
        return None
    uppers, lowers = _by_round(over, figure), _by_round(under, figure)
    rounds = {
        number: upper / lowers[number]
        for number, upper in uppers.items()
        if lowers.get(number, 0.0) > 0
    }
    return Ratio(rounds) if rounds else None


def _by_round(of: Group, figure: Figure) -> dict[int, float]:
    found: dict[int, list[float]] = {}
    for run in of.whole:
        value = figure(run)
        if value is not None:
            found.setdefault(run.round, []).append(value)
    return {number: statistics.median(values) for number, values in found.items()}


def middle(values: Iterable[float | None]) -> float | None:
    """Give the median of those that are there; None where there are none."""
    there: Sequence[float] = [value for value in values if value is not None]
    return statistics.median(there) if there else None


def plural(number: int, noun: str) -> str:
    """Write a number and what it counts."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


if TYPE_CHECKING:
    Figure = Callable[[Run], float | None]
