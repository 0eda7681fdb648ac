"""What recognition costs, learnt from a measurement: seconds, cores and bytes."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from statistics import fmean, median
from typing import TYPE_CHECKING

import numpy as np

from capswriter.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from capswriter.bench.result import Result, Run, Span

FRONT, WORKER = "front", "worker"
"""How the names of processes begin."""


class NothingToPlanBy(UserError):
    """A measurement that does not tell what recognition costs."""


@dataclass(frozen=True, slots=True, eq=False)
class Costs:
    """What recognition costs on the measured machine.

    Args:
        fixed: seconds of an engine for any segment, with one at work.
        per_second: and for each second of its audio.
        spread: how far segments are from that, as factors with a mean of 1.
        shortest: seconds of audio of the shortest segment that was measured.
        longest: and of the longest.
        threads: cores that an engine at work keeps busy.
        front: seconds of a core that the front takes for a second of audio.
        others: cores that processes took which are neither front nor worker.
        slowdowns: busy workers for each core, and how many times as long engines took so.
        slowdown_from: how that was found, in words.
        delay: seconds from the last byte to the text that are spent neither waiting nor
            recognising.
        front_memory: bytes that the front takes, and whatever the workers share.
        worker_memory: bytes of each worker beside that.
        cores: of the machine.
    """

    fixed: float
    per_second: float
    spread: Sequence[float]
    shortest: float
    longest: float
    threads: float
    front: float
    others: float
    slowdowns: tuple[tuple[float, float], ...]
    slowdown_from: str
    delay: float
    front_memory: float
    worker_memory: float
    cores: int

    def engine_seconds(self, audio: float) -> float:
        """Mean time of a segment with so many seconds of audio."""
        return self.fixed + self.per_second * audio

    def drawn(self, audio: float, random: np.random.Generator) -> float:
        """Draw the time of one such segment."""
        return self.engine_seconds(audio) * self.spread[int(random.integers(len(self.spread)))]

    def slowdown(self, cores: float) -> Callable[[int], float]:
        """Tell how many times as long engines take by how many are at work on so many cores."""
        shares, factors = zip(*self.slowdowns, strict=True)
        table = [float(np.interp(busy / cores, shares, factors)) for busy in range(int(cores) + 1)]
        return lambda busy: table[min(busy, len(table) - 1)]

    def memory(self, workers: int) -> float:
        """Bytes of the front and so many workers."""
        return self.front_memory + workers * self.worker_memory


def costs(result: Result, overhead: Result | None = None) -> Costs:
    """Learn them.

    Args:
        result: of ``bench run`` or ``bench compare``.
        overhead: of ``bench overhead``, for what the server adds to an utterance.

    Raises:
        NothingToPlanBy: it has no run of the server that tells what the engines did.
    """
    runs = told(result)
    fewest = min((run.workers for run in runs), default=0)
    if not fewest:
        raise NothingToPlanBy(
            "the measurement has no run of the server with what each worker did when; "
            "make one with 'capswriter bench compare'"
        )
    alone = [run for run in runs if run.workers == fewest]
    spans = [span for run in alone for span in run.spans]
    slowdowns, slowdown_from = _slowdowns(result, runs, alone)
    slowed = slowdowns[0][1]
    fixed, per_second = _line(spans)
    spread = [_seconds(span) / (fixed + per_second * span.audio) for span in spans]
    front_memory, worker_memory = _memory(runs)
    with_usage = [run for run in runs if run.usage]
    stages = [stage for run in (overhead or result).runs for stage in run.stages]
    delays = [stage.total - stage.engine - stage.queue for stage in stages]
    return Costs(
        fixed / slowed,
        per_second / slowed,
        [each / fmean(spread) for each in spread],
        shortest=min(span.audio for span in spans),
        longest=max(span.audio for span in spans),
        threads=_threads(alone),
        front=_mean(_cpu(run, FRONT) / _audio(run.spans) for run in with_usage),
        others=_mean(_cpu(run, "") / run.seconds for run in with_usage),
        slowdowns=slowdowns,
        slowdown_from=slowdown_from,
        delay=max(0.0, median(delays)) if delays else 0.0,
        front_memory=front_memory,
        worker_memory=worker_memory,
        cores=result.machine.cores,
    )


def told(result: Result) -> list[Run]:
    """Give the runs of the server that were finished and tell what each worker did when."""
    return [
        run for run in result.runs if run.arrangement == "server" and run.spans and not run.error
    ]


def _seconds(span: Span) -> float:
    return span.ended - span.began


def _audio(spans: Iterable[Span]) -> float:
    return sum(span.audio for span in spans)


def _mean(values: Iterable[float]) -> float:
    values = list(values)
    return fmean(values) if values else 0.0


def _cpu(run: Run, kind: str) -> float:
    """Seconds of the processor of the processes of a kind; without one, of all the others."""
    by_process = defaultdict(list)
    for usage in run.usage:
        known = next((each for each in (FRONT, WORKER) if usage.process.startswith(each)), "")
        if known == kind:
            by_process[usage.process, usage.pid].append(usage.cpu)
    return sum(max(each) - min(each) for each in by_process.values())


def _line(spans: Sequence[Span]) -> tuple[float, float]:
    """Fit seconds to seconds of audio by a line with no negative part."""
    audio = np.array([span.audio for span in spans])
    seconds = np.array([_seconds(span) for span in spans])
    if np.ptp(audio) > 0:
        per_second, fixed = map(float, np.polyfit(audio, seconds, 1))
        if per_second >= 0 and fixed >= 0:
            return fixed, per_second
        if per_second < 0:
            return float(seconds.mean()), 0.0
    return 0.0, float(seconds.sum() / audio.sum())


def _threads(runs: Sequence[Run]) -> float:
    """Cores that an engine keeps busy; one where nobody measured it."""
    found = [_cpu(run, WORKER) / sum(map(_seconds, run.spans)) for run in runs if run.usage]
    # Slightly less than one is the time that a worker waits for a core or the disk.
    return max(1.0, fmean(found)) if found and min(found) > 0 else 1.0


def _slowdowns(
    result: Result, runs: Sequence[Run], alone: Sequence[Run]
) -> tuple[tuple[tuple[float, float], ...], str]:
    """Find how much slower engines are with several at work."""
    cores = result.machine.cores
    if all(_cpu(run, WORKER) > 0 for run in runs):
        return (
            _by_workers(runs, lambda run: _cpu(run, WORKER) / _audio(run.spans), cores),
            "the processor's time of the workers for a second of audio",
        )
    bare = [run for run in result.runs if run.arrangement == "bare" and run.spans]
    if {run.workers for run in bare} >= {alone[0].workers} and len(
        {run.workers for run in bare}
    ) > 1:
        runs, where = bare, "bare processes"
    else:
        where = "the server's workers, whose waiting for cores counts twice so"
    found = _by_workers(runs, lambda run: sum(map(_seconds, run.spans)) / _audio(run.spans), cores)
    return found, f"the engines' time for a second of audio in {where}"


def _by_workers(
    runs: Sequence[Run], cost: Callable[[Run], float], cores: int
) -> tuple[tuple[float, float], ...]:
    by_workers = defaultdict(list)
    for run in runs:
        by_workers[run.workers].append(run)
    costs_of = {n: median(map(cost, some)) for n, some in sorted(by_workers.items())}
    first = next(iter(costs_of.values()))
    # Slower alone than with others is chance.
    return tuple(
        (median(map(_at_once, by_workers[n])) / cores, max(1.0, each / first))
        for n, each in costs_of.items()
    )


def _at_once(run: Run) -> float:
    """Count the engines that were at work at once, on average."""
    began, ended = min(s.began for s in run.spans), max(s.ended for s in run.spans)
    return sum(map(_seconds, run.spans)) / (ended - began)


def _memory(runs: Sequence[Run]) -> tuple[float, float]:
    """Bytes of the front with what is shared, and of each worker beside it."""
    whole = defaultdict(list)
    front: list[int] = []
    for run in runs:
        peaks: dict[str, int] = {}
        for usage in run.usage:
            size = usage.rss if usage.pss is None else usage.pss
            peaks[usage.process] = max(size, peaks.get(usage.process, 0))
        if peaks:
            whole[run.workers].append(sum(peaks.values()))
            front += [size for name, size in peaks.items() if not name.startswith(WORKER)]
    sizes = {workers: median(peaks) for workers, peaks in whole.items()}
    if len(sizes) > 1:
        each, base = map(float, np.polyfit(list(sizes), list(sizes.values()), 1))
        return max(0.0, base), max(0.0, each)
    if sizes:
        ((workers, peak),) = sizes.items()
        own = sum(front) / len(whole[workers])
        return own, (peak - own) / workers
    return 0.0, 0.0
