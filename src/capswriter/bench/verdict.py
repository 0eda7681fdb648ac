"""Whether several workers are worth their memory, why not, and how many a machine can have.

What was not measured is said to be so, and never counts as met.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from capswriter.bench import figures
from capswriter.bench.causes import Cause, likely_causes
from capswriter.bench.figures import plural
from capswriter.bench.tables import Aim

if TYPE_CHECKING:
    from collections.abc import Sequence

    from capswriter.bench.figures import Group
    from capswriter.bench.result import Result

SPEED_UP: Final = 1.5
"""Times as fast as the fewest workers, at least."""

LOW_SPEED_UP: Final = 1.2
"""Below this, the cause is looked for."""

MEMORY_GROWTH: Final = 2.5
"""Times the memory of the fewest workers, at most."""

PEAK: Final = 6.0
"""Gigabytes of all processes together, at most."""

LEAK: Final = 10.0
"""Percent that memory may grow from the middle third of a run to its last, in every round."""

GB: Final = 1e9

RESERVE: Final = 2.0
"""Gigabytes that are left to the system and to other programs."""

MEMORIES: Final = (8, 16, 24, 32)
"""Gigabytes of the machines for which workers are recommended."""

INTERRUPTED: Final = "interrupted"
"""How the error of a run begins that the user ended; such a run has not crashed."""

Outcome = Literal["feasible", "not feasible", "undecided"]


@dataclass(frozen=True, slots=True)
class Check:
    """One condition.

    Args:
        aim: with its figure; NaN where it could not be measured.
        detail: what the figure is made of, or why there is none.
    """

    aim: Aim
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether so many workers are worth it.

    Args:
        workers: of which it is told.
        base: with how many they were compared.
        checks: the conditions.
        causes: why they are hardly faster; empty where they are.
    """

    workers: int
    base: int
    checks: tuple[Check, ...]
    causes: tuple[Cause, ...] = ()

    @property
    def outcome(self) -> Outcome:
        """Feasible only if every condition was measured and is met."""
        states = {check.aim.state for check in self.checks}
        if "not met" in states:
            return "not feasible"
        return "undecided" if "not measured" in states else "feasible"

    @property
    def sentence(self) -> str:
        """Say it."""
        failed = [c.aim.name for c in self.checks if c.aim.state == "not met"]
        missing = [c.aim.name for c in self.checks if c.aim.state == "not measured"]
        who = plural(self.workers, "worker")
        if failed:
            return f"{who}: not feasible. Not met: {', '.join(failed)}."
        if missing:
            return (
                f"{who}: undecided. What was measured is met; not measured: {', '.join(missing)}."
            )
        return f"{who}: feasible. Every condition is met."


@dataclass(frozen=True, slots=True)
class Recommendation:
    """How many workers a machine can have.

    Args:
        memory: gigabytes of the machine.
        fit: workers that its memory holds, with ``RESERVE`` left.
        takes: gigabytes that they and the front take.
        cores: that they would keep busy; None where that was not measured.
        here: how many of them the cores of the measured machine can keep busy; at least one if
            one fits; None where that was not measured.
    """

    memory: int
    fit: int
    takes: float
    cores: float | None
    here: int | None


def judge(result: Result) -> tuple[Verdict, ...]:
    """Judge every number of workers that was compared with fewer; empty where none was."""
    servers = figures.groups(result, "server")
    return tuple(_verdict(result, servers[0], many) for many in servers[1:])


def exit_status(verdicts: Sequence[Verdict]) -> int:
    """Give 0 if some number of workers is feasible, 3 if that is undecided, else 1."""
    outcomes = {verdict.outcome for verdict in verdicts}
    if "feasible" in outcomes:
        return 0
    return 3 if "undecided" in outcomes or not outcomes else 1


def recommend(result: Result, memories: Sequence[int] = MEMORIES) -> list[Recommendation]:
    """Recommend workers by the cost that was measured; empty where it was not."""
    cost = figures.cost(result)
    if cost is None or cost.further <= 0:
        return []
    each = _cores_of_a_worker(result)
    found = []
    for memory in memories:
        room = (memory - RESERVE) * GB
        fit = max(0, cost.base + math.floor((room - cost.total) / cost.further))
        here = None
        if each:
            here = min(fit, max(1, math.floor(result.machine.cores / each + 0.25)))
        takes = cost.of(fit) / GB if fit else 0.0
        found.append(Recommendation(memory, fit, takes, each * fit if each else None, here))
    return found


def _cores_of_a_worker(result: Result) -> float | None:
    """Give the cores that a worker uses where workers are fewest, with its part of the front."""
    for servers in figures.groups(result, "server"):
        used = servers.median(figures.cores_used)
        if used:
            return used / servers.workers
    return None


def _verdict(result: Result, few: Group, many: Group) -> Verdict:
    speed_up = figures.speed_up(result, "server", many.workers)
    checks = (
        _speed_up(speed_up, few),
        _growth(result, few, many),
        _peak(many),
        _texts(result, few, many),
        _crashes(few, many),
        _leak(few, many),
    )
    low = speed_up is not None and speed_up.median < LOW_SPEED_UP
    causes = likely_causes(result, few, many) if low else ()
    return Verdict(many.workers, few.workers, checks, causes)


def _speed_up(found: figures.Ratio | None, few: Group) -> Check:
    name = f"speed-up from {plural(few.workers, 'worker')}"
    if found is None:
        aim = Aim(name, math.nan, SPEED_UP, at_least=True)
        return Check(aim, "there is no round that both went through")
    aim = Aim(name, found.median, SPEED_UP, at_least=True)
    return Check(aim, f"median of {plural(len(found.rounds), 'round')}")


def _growth(result: Result, few: Group, many: Group) -> Check:
    found = figures.memory_growth(result, many.workers)
    if found is None:
        aim = Aim("memory growth", math.nan, MEMORY_GROWTH)
        return Check(aim, "memory was not seen with both numbers of workers in one round")
    before, after = few.median(figures.steady), many.median(figures.steady)
    assert before is not None  # noqa: S101  # there is a ratio of them
    assert after is not None  # noqa: S101
    detail = f"{before / GB:.2f} GB to {after / GB:.2f} GB{_shared(few, many)}"
    return Check(Aim("memory growth", found.median, MEMORY_GROWTH), detail)


def _peak(many: Group) -> Check:
    found = many.most(figures.peak)
    if found is None:
        return Check(Aim("peak memory", math.nan, PEAK, unit=" GB"), "memory was not watched")
    aim = Aim("peak memory", found / GB, PEAK, unit=" GB")
    return Check(aim, f"all processes together{_shared(many)}")


def _shared(*groups: Group) -> str:
    if all(figures.has_pss(run) for each in groups for run in each.runs):
        return ""
    return "; shared pages count several times, as the system does not tell them"


def _texts(result: Result, few: Group, many: Group) -> Check:
    name = "texts that are not right"
    unlike = figures.correctness(result, few.samples + many.samples)
    judged = unlike.right + unlike.wrong
    if unlike.wrong:
        detail = f"of {judged} texts: {', '.join(unlike.wrong_names)}"
        return Check(Aim(name, unlike.wrong, 0), detail)
    if untried := figures.correctness(result, many.samples).untried:
        detail = f"not judged: {', '.join(untried)}"
        return Check(Aim(name, math.nan, 0), detail)
    if not judged:
        return Check(Aim(name, math.nan, 0), "no text was judged")
    return Check(Aim(name, 0, 0), f"of {judged} texts")


def _crashes(few: Group, many: Group) -> Check:
    runs = few.runs + many.runs
    died = [run.error for run in runs if run.error and not run.error.startswith(INTERRUPTED)]
    replaced = [figures.replaced(run) for run in runs]
    crashes = len(died) + sum(filter(None, replaced))
    if crashes:
        workers = sum(filter(None, replaced))
        parts = [*dict.fromkeys(died)] + ([f"workers replaced: {workers}"] if workers else [])
        return Check(Aim("crashes", crashes, 0), "; ".join(parts))
    if None in replaced:
        return Check(Aim("crashes", math.nan, 0), "processes were not watched in every run")
    return Check(Aim("crashes", 0, 0), f"in {plural(len(runs), 'run')}")


def _leak(few: Group, many: Group) -> Check:
    name = "growth inside a run"
    rounds = ([figures.drift(run) for run in group.whole] for group in (few, many))
    known = ([each for each in drifts if each is not None] for drifts in rounds)
    found = [min(drifts) for drifts in known if drifts]  # a leak shows in every round
    if not found:
        detail = "too short a run, or memory was not watched"
        return Check(Aim(name, math.nan, LEAK, unit=" %"), detail)
    detail = "last third against the middle third, in the round with the least"
    return Check(Aim(name, round(100 * max(found), 2), LEAK, unit=" %"), detail)
