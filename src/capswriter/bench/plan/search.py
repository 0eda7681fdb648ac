"""The smallest arrangement that gives so many users their texts in time."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from capswriter.bench.plan.simulation import Arrangement, Priority, Segment, Simulation
from capswriter.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeAlias

    from capswriter.bench.plan.costs import Costs

UTTERANCES, WARM_UP = 20_000, 2_000
"""That are simulated for one estimate, and those before them that do not count."""

SHAPE = 4.0
"""Of the lengths of utterances (gamma): their standard deviation is half of their mean."""

PIECE = 30.0
"""Seconds of audio after which speech is cut at the latest."""

RECORDING = 600.0
"""Seconds of the recordings that arrive beside the speech."""

MOST_CORES = 128
"""Of a machine, where nothing else is told."""

MOST_OF_FRONT = 0.7
"""Of one core that the front may take: it is one process with one event loop."""

FULL = 0.98
"""Share of workers or cores beyond which no waiting time is worth computing."""

RESERVE = 500e6
"""Bytes of each machine that are left to everything else."""

CONNECTION = 17_600
"""Bytes of an idle connection; ``docs/reliability.md`` has the measurement."""

GIGABYTE = 1e9


class Unreachable(UserError):
    """No arrangement gives what is wanted."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What users want.

    Args:
        users: how many are connected.
        duty: share of the time that each of them speaks.
        utterance: mean seconds of speech between two texts.
        latency: seconds from the last word to the text, at most.
        percentile: per cent of the utterances for which that has to hold.
        recordings: hours of recordings that arrive beside that in an hour.
    """

    users: int
    duty: float
    utterance: float = 10.0
    latency: float = 0.5
    percentile: float = 95.0
    recordings: float = 0.0

    @property
    def speaking(self) -> float:
        """How many speak at once, on average."""
        return self.users * self.duty


@dataclass(frozen=True, slots=True)
class Size:
    """Of one machine.

    Args:
        cores: it has; as many as are needed where that is None.
        memory: bytes that it has; as many as are needed where that is None.
    """

    cores: int | None = None
    memory: float | None = None


@dataclass(frozen=True, slots=True)
class Estimate:
    """A machine with so many users, simulated.

    Args:
        users: on this machine.
        workers: on it.
        cores: of it.
        latency: seconds, at the percentile that was asked for.
        p50: half of the utterances have their text in so many seconds.
        p95: likewise.
        p99: likewise.
        busy: share of the time that a worker works.
        cores_taken: of the cores, on average.
    """

    users: int
    workers: int
    cores: int
    latency: float
    p50: float
    p95: float
    p99: float
    busy: float
    cores_taken: float


@dataclass(frozen=True, slots=True)
class Plan:
    """What is needed.

    Args:
        wanted: by whom.
        machines: how many.
        each: the fullest of them.
        memory: bytes of each.
    """

    wanted: Wanted
    machines: int
    each: Estimate
    memory: float


def plan(costs: Costs, wanted: Wanted, size: Size) -> Plan:
    """Find the fewest machines, then the fewest cores where these are free, then workers.

    Raises:
        Unreachable: nothing is enough.
    """
    cores = size.cores or MOST_CORES
    most = min(cores, _workers_in(costs, size, connections=1))

    def enough(machines: int) -> bool:
        users = math.ceil(wanted.users / machines)
        workers = min(most, _workers_in(costs, size, connections=users))
        return workers > 0 and bool(estimate(costs, wanted, users, workers, cores))

    if most < 1:
        needed = (costs.memory(1) + RESERVE) / GIGABYTE
        raise Unreachable(f"one worker needs {needed:.1f} GB; give a larger --memory-gb")
    if not enough(wanted.users):
        raise _unreachable(costs, wanted, most, cores)
    load = _rate(wanted, wanted.users) * _mean_engine(costs, wanted)
    load += _pieces_a_second(wanted, wanted.users) * costs.engine_seconds(PIECE)
    machines = _first(enough, max(1, math.floor(load / most)), wanted.users)
    users = math.ceil(wanted.users / machines)
    most = min(most, _workers_in(costs, size, connections=users))
    if size.cores is None:
        cores = _first(
            lambda cores: bool(estimate(costs, wanted, users, min(most, cores), cores)), 1, cores
        )
    workers = _first(
        lambda workers: bool(estimate(costs, wanted, users, workers, cores)), 1, min(most, cores)
    )
    found = estimate(costs, wanted, users, workers, cores)
    assert found is not None  # noqa: S101  # it is what the search ended with
    return Plan(wanted, machines, found, _memory(costs, workers, users))


def estimate(costs: Costs, wanted: Wanted, users: int, workers: int, cores: int) -> Estimate | None:
    """Simulate one machine; None where it is too small, or some texts come too late.

    Args:
        costs: of recognition.
        wanted: by its users; of ``wanted.users`` only the recordings' share depends on them.
        users: of this machine.
        workers: on it.
        cores: of it.
    """
    found = simulate(costs, wanted, users, workers, cores)
    return found if found is not None and found.latency <= wanted.latency else None


def simulate(costs: Costs, wanted: Wanted, users: int, workers: int, cores: int) -> Estimate | None:
    """Simulate one machine; None where more arrives than it can do."""
    of_front = costs.front * (users * wanted.duty + wanted.recordings * users / wanted.users)
    slowdown = costs.slowdown(cores)
    work = _rate(wanted, users) * _mean_engine(costs, wanted)
    work += _pieces_a_second(wanted, users) * costs.engine_seconds(PIECE)
    at_work = work * slowdown(min(workers, math.ceil(work)))
    taken = at_work * costs.threads + of_front
    if at_work > FULL * workers or taken > FULL * cores or of_front > MOST_OF_FRONT:
        return None
    simulation = Simulation(
        Arrangement(workers, cores, costs.threads, background=of_front, slowdown=slowdown)
    )
    latencies = _Speakers(simulation, costs, wanted, users).latencies
    simulation.run(until=lambda: len(latencies) >= WARM_UP + UTTERANCES)
    counted = latencies[WARM_UP:]
    points = np.percentile(counted, (wanted.percentile, 50, 95, 99))
    latency, p50, p95, p99 = (float(each) + costs.delay for each in points)
    busy = simulation.busy_seconds / simulation.now
    return Estimate(
        users,
        workers,
        cores,
        *(latency, p50, p95, p99),
        busy=busy / workers,
        cores_taken=min(1.0, (busy * costs.threads + of_front) / cores),
    )


class _Speakers:
    """The users of one machine: each speaks, pauses, and speaks again, and others send recordings.

    None of them waits for a text before going on.
    """

    def __init__(self, simulation: Simulation, costs: Costs, wanted: Wanted, users: int) -> None:
        self.latencies: list[float] = []
        self._simulation = simulation
        self._costs = costs
        self._wanted = wanted
        self._random = np.random.default_rng(0)
        self._pause = wanted.utterance * (1 / wanted.duty - 1)
        period = wanted.utterance / wanted.duty
        for _ in range(users):
            simulation.at(self._random.uniform(0, period), self._speak)
        self._between = math.inf
        if wanted.recordings:
            self._between = RECORDING / (wanted.recordings * users / wanted.users)
            simulation.at(self._random.exponential(self._between), self._send_recording)

    def _speak(self) -> None:
        """Begin an utterance, and know when it and each of its pieces ends."""
        began = self._simulation.now
        length = self._random.gamma(SHAPE, self._wanted.utterance / SHAPE)
        pieces = max(1, math.ceil(length / PIECE))
        for piece in range(1, pieces + 1):
            ends = began + length * piece / pieces
            self._simulation.at(ends, self._piece(length / pieces, ends, last=piece == pieces))

    def _piece(self, audio: float, spoken: float, *, last: bool) -> Callable[[], None]:
        def ended() -> None:
            if last:
                self.latencies.append(self._simulation.now - spoken)

        def has_been_spoken() -> None:
            segment = Segment(self._costs.drawn(audio, self._random))
            self._simulation.submit([segment], ended)
            if last:
                pause = self._random.exponential(self._pause) if self._pause else 0.0
                self._simulation.at(spoken + pause, self._speak)

        return has_been_spoken

    def _send_recording(self) -> None:
        count = round(RECORDING / PIECE)
        pieces = [Segment(self._costs.drawn(PIECE, self._random)) for _ in range(count)]
        self._simulation.submit(pieces, lambda: None, priority=Priority.FILE)
        pause = self._random.exponential(self._between)
        self._simulation.at(self._simulation.now + pause, self._send_recording)


Judge: TypeAlias = "Callable[[int], bool]"


def _first(is_enough: Judge, low: int, high: int) -> int:
    """Find the smallest number that is enough, if whatever is more than enough is enough."""
    reach = low
    while reach < high and not is_enough(reach):
        low, reach = reach + 1, min(high, reach * 2)
    while low < reach:
        middle = (low + reach) // 2
        if is_enough(middle):
            reach = middle
        else:
            low = middle + 1
    return reach


def _rate(wanted: Wanted, users: int) -> float:
    """Utterances a second."""
    return users * wanted.duty / wanted.utterance


def _pieces_a_second(wanted: Wanted, users: int) -> float:
    """Pieces of recordings a second."""
    return wanted.recordings * users / wanted.users / PIECE


def _mean_engine(costs: Costs, wanted: Wanted) -> float:
    """Seconds of an engine for an utterance; a little less than it is where some have pieces."""
    return costs.engine_seconds(wanted.utterance)


def _workers_in(costs: Costs, size: Size, *, connections: int) -> int:
    """Count the workers for which a machine has memory."""
    if size.memory is None or not costs.worker_memory:
        return MOST_CORES if size.cores is None else size.cores
    left = size.memory - _memory(costs, 0, connections)
    return max(0, math.floor(left / costs.worker_memory))


def _memory(costs: Costs, workers: int, users: int) -> float:
    return costs.memory(workers) + RESERVE + users * CONNECTION


def _unreachable(costs: Costs, wanted: Wanted, workers: int, cores: int) -> Unreachable:
    single = simulate(costs, wanted, 1, workers, cores)
    text = f"no number of machines gives {wanted.percentile:g} % of the texts within "
    text += f"{wanted.latency:g} s"
    if single is not None:
        text += f": with a whole machine to itself, an utterance takes {single.latency:.2f} s"
    return Unreachable(f"{text}; ask for a longer --latency, or measure a faster model")
