"""Why more workers are hardly faster: only what the measurement has evidence for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from capswriter.bench import figures

if TYPE_CHECKING:
    from collections.abc import Iterator

    from capswriter.bench.figures import Group
    from capswriter.bench.result import Result

LOW: Final = 1.2
"""A speed-up of bare processes below this is no better than the server's."""

IDLE: Final = 0.25
"""Share of the time in which a worker does nothing, from which workers count as idle."""

ONE_CORE: Final = 1.2
"""Cores up to which a server counts as one that has only one."""

MANY_CORES: Final = 1.3
"""Cores of one worker from which its engine counts as one of several threads."""

WAITING: Final = 0.6
"""Processor seconds in a busy second, below which a worker waits for something else."""

FULL: Final = 0.9
"""Share of the machine's memory from which it counts as full."""

BUSY_FRONT: Final = 0.85
"""Cores from which the front is as busy as it can be."""

LOADED: Final = 0.5
"""Load per core before the measurement from which other programs were in the way."""


@dataclass(frozen=True, slots=True)
class Cause:
    """Something that keeps more workers from being faster.

    Args:
        name: short.
        evidence: what was measured.
        advice: what to do.
    """

    name: str
    evidence: str
    advice: str


def likely_causes(result: Result, few: Group, many: Group) -> tuple[Cause, ...]:
    """Name the causes for which there is evidence, or one that says what evidence is missing.

    Args:
        result: of a comparison.
        few: the server with the fewest workers.
        many: the server with those that are hardly faster.
    """
    found = (*_cores(result, few, many), *_others(result, few, many))
    return found or (_unknown(result, many),)


def _cores(result: Result, few: Group, many: Group) -> Iterator[Cause]:
    cores, workers = result.machine.cores, many.workers
    if cores < workers:
        yield Cause(
            "too few cores",
            f"{workers} workers had {figures.plural(cores, 'core')}.",
            "Start as many workers as there are cores, or give the server more of them.",
        )
    if _threaded(few):
        yield Cause(
            "one worker takes several cores",
            f"{figures.plural(few.workers, 'worker')} already used "
            f"{few.median(figures.cores_used):.1f} cores.",
            "Let each worker use one thread: CAPSWRITER_THREADS=1.",
        )
    elif cores > 1 and _on_one_core(few, many):
        yield Cause(
            "only one usable core",
            f"{workers} busy workers used {many.median(figures.cores_used):.1f} of {cores} cores.",
            "Look for a limit of the container or a binding to cores (taskset, cpuset).",
        )
    load = result.machine.load
    if load is not None and load >= LOADED * cores:
        yield Cause(
            "other programs were at work",
            f"The load was {load:.1f} on {figures.plural(cores, 'core')} before the measurement.",
            "End them and measure again.",
        )


def _others(result: Result, few: Group, many: Group) -> Iterator[Cause]:
    bare = figures.speed_up(result, "bare", many.workers)
    fed = result.machine.cores >= many.workers
    fed = fed and not _threaded(few) and not _on_one_core(few, many)
    if bare is not None and bare.median < LOW and fed:
        yield Cause(
            "memory-bound",
            f"Bare processes without a server are only {bare.median:.2f} times as fast too.",
            "The cores wait for memory or are halves of one: use a smaller or quantised model.",
        )
    idle, under_way = _idle(many), many.median(figures.under_way)
    if idle is not None and idle >= IDLE:
        yield _idleness(many, idle, under_way)
    top, memory = many.most(figures.peak), result.machine.memory
    if top is not None and memory and top >= FULL * memory:
        yield Cause(
            "memory is full",
            f"{top / 1e9:.1f} of {memory / 1e9:.1f} GB were taken: the system has to swap.",
            "Start fewer workers, or use a smaller model.",
        )
    elif _starved(few) and _starved(many):
        yield Cause(
            "disk",
            f"In a busy second a worker had a core for {_waiting(many):.2f} s only, "
            "even where workers were fewest.",
            "Something else than the processor was waited for: put the model and temporary "
            "files on a fast disk, and see whether the system swaps.",
        )


def _idleness(many: Group, idle: float, under_way: float | None) -> Cause:
    front = many.median(lambda run: figures.cores_used(run, "front"))
    evidence = f"Workers did nothing for {100 * idle:.0f} % of the time"
    if front is not None and front >= BUSY_FRONT:
        return Cause(
            "the front is busy",
            f"{evidence}, while the front used {front:.2f} cores.",
            "Send audio that needs less decoding, for example 16 kHz WAV.",
        )
    if under_way is not None and under_way < many.workers + 1:
        return Cause(
            "too few files",
            f"{evidence}; on average {under_way:.1f} tasks were under way.",
            "Send more files at once: more clients, or more and longer files.",
        )
    return Cause(
        "idle workers",
        f"{evidence}, though there was work to do.",
        "See the time line for when; a slow client or a slow disk holds work back.",
    )


def _unknown(result: Result, many: Group) -> Cause:
    missing = [
        name
        for name, there in (
            ("when each worker was busy", any(run.spans for run in many.runs)),
            ("what the processes used", any(run.usage for run in many.runs)),
            ("the bare limit", bool(figures.speed_up(result, "bare", many.workers))),
        )
        if not there
    ]
    evidence = "Nothing that was measured explains it"
    if missing:
        return Cause(
            "unknown",
            f"{evidence}; not measured: {', '.join(missing)}.",
            "Measure again with all of it.",
        )
    return Cause("unknown", f"{evidence}.", "Measure again with more rounds and more files.")


def _idle(group: Group) -> float | None:
    return group.median(figures.idle_share)


def _threaded(few: Group) -> bool:
    alone = few.median(figures.cores_used)
    return alone is not None and alone / few.workers >= MANY_CORES


def _on_one_core(few: Group, many: Group) -> bool:
    """Tell whether the workers had work and together one core, though one alone had it too."""
    used, idle = many.median(figures.cores_used), _idle(many)
    if used is None or idle is None:
        return False
    return used <= ONE_CORE and idle < IDLE and not _starved(few)


def _starved(group: Group) -> bool:
    waiting = _waiting(group)
    return waiting is not None and waiting < WAITING


def _waiting(group: Group) -> float | None:
    """Give the processor seconds that workers took in a second in which they were busy."""
    used = group.median(lambda run: figures.cores_used(run, "worker"))
    idle = _idle(group)
    if used is None or idle is None or idle >= 1:
        return None
    return used / ((1 - idle) * group.workers)
