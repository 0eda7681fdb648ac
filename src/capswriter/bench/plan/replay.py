"""Is the simulation right: the same clients with the same tasks, once more in simulation."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from statistics import fmean, median
from typing import TYPE_CHECKING

import numpy as np

from capswriter.bench.plan.costs import told
from capswriter.bench.plan.simulation import Arrangement, Segment, Simulation

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from capswriter.bench.plan.costs import Costs
    from capswriter.bench.result import Result, Run, Sample

REPEATS = 20
"""Simulations of each run, which differ in what chance decides."""


@dataclass(frozen=True, slots=True)
class Figures:
    """What is compared.

    Args:
        throughput: seconds of audio in a second.
        latency: median of the seconds from the last byte of a task to its text.
    """

    throughput: float
    latency: float


@dataclass(frozen=True, slots=True)
class Check:
    """A number of workers, measured and simulated.

    Args:
        workers: how many.
        clients: that kept them busy.
        measured: medians of all rounds.
        simulated: likewise.
    """

    workers: int
    clients: int
    measured: Figures
    simulated: Figures

    @property
    def differences(self) -> tuple[float, float]:
        """Of throughput and of latency, as shares of what was measured."""
        return (
            self.simulated.throughput / self.measured.throughput - 1,
            self.simulated.latency / self.measured.latency - 1,
        )


def check(result: Result, costs: Costs) -> list[Check]:
    """Compare every number of workers and clients in a measurement with its simulation.

    Only runs without errors in which somebody had something recognised count.
    """
    groups = defaultdict(list)
    for run in told(result):
        if not any(sample.error for sample in run.samples) and run.samples:
            groups[run.workers, len({sample.client for sample in run.samples})].append(run)
    random = np.random.default_rng(0)
    return [
        Check(
            workers,
            clients,
            _middle([_measured(run) for run in runs]),
            _middle([_mean([replay(run, costs, random) for _ in range(REPEATS)]) for run in runs]),
        )
        for (workers, clients), runs in sorted(groups.items())
    ]


def replay(run: Run, costs: Costs, random: np.random.Generator) -> Figures:
    """Simulate a run: each client sends the same as then, so long after its answer as then.

    A client that did not wait for answers sends at the same times as then.
    """
    simulation = Simulation(
        Arrangement(
            run.workers,
            costs.cores,
            threads=costs.threads,
            background=costs.others,
            slowdown=costs.slowdown(costs.cores),
        )
    )
    latencies: list[float] = []
    audio = sum(sample.audio for sample in run.samples)
    whole = _Whole(run, costs, random)

    def begin(sample: Sample, then: Callable[[], None]) -> None:
        spoken = simulation.now + sample.spoken - sample.sent

        def ended() -> None:
            latencies.append(max(0.0, simulation.now - spoken) + costs.delay)
            then()

        simulation.submit(whole.segments(sample), ended)

    def patient(samples: Sequence[Sample], after: float = 0.0) -> None:
        if not samples:
            return
        first, *rest = samples
        at = simulation.now + first.sent - after
        simulation.at(at, lambda: begin(first, lambda: patient(rest, first.ended)))

    def impatient(samples: Sequence[Sample]) -> None:
        for sample in samples:
            simulation.at(sample.sent, partial(begin, sample, lambda: None))

    by_client = defaultdict(list)
    for sample in sorted(run.samples, key=lambda sample: sample.sent):
        by_client[sample.client].append(sample)
    for samples in by_client.values():
        waits = all(now.sent >= before.ended for before, now in pairwise(samples))
        (patient if waits else impatient)(samples)
    simulation.run()
    began = min(sample.sent for sample in run.samples)
    return Figures(audio / (simulation.now - began), median(latencies))


class _Whole:
    """Cuts tasks as they were cut in a run: nobody noted which segment was of which task."""

    def __init__(self, run: Run, costs: Costs, random: np.random.Generator) -> None:
        self._lengths = [span.audio for span in run.spans]
        self._of_audio = sum(self._lengths) / sum(sample.audio for sample in run.samples)
        self._one_each = len(run.spans) == len(run.samples)
        self._costs = costs
        self._random = random

    def segments(self, sample: Sample) -> list[Segment]:
        """Draw the segments of a task: as long as those of the run, and as many as fill it."""
        costs = self._costs
        front = costs.front * sample.audio
        lengths = list(self._cut(sample.audio * self._of_audio))
        return [
            Segment(costs.drawn(audio, self._random), front / len(lengths)) for audio in lengths
        ]

    def _cut(self, audio: float) -> Iterator[float]:
        if self._one_each:
            yield audio
            return
        drawn: list[float] = []
        while not drawn or audio - sum(drawn) > min(self._lengths) / 2:
            drawn.append(self._lengths[self._random.integers(len(self._lengths))])
        # As much audio as there is, whatever was drawn: the rest is spread over all.
        yield from (length * audio / sum(drawn) for length in drawn)


def _measured(run: Run) -> Figures:
    began, ended = min(s.sent for s in run.samples), max(s.ended for s in run.samples)
    audio = sum(sample.audio for sample in run.samples)
    return Figures(audio / (ended - began), median(s.ended - s.spoken for s in run.samples))


def _middle(figures: Sequence[Figures]) -> Figures:
    return Figures(
        median(each.throughput for each in figures), median(each.latency for each in figures)
    )


def _mean(figures: Sequence[Figures]) -> Figures:
    return Figures(fmean(f.throughput for f in figures), fmean(f.latency for f in figures))
