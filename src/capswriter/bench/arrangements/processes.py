"""N processes that recognise the segments of recordings, without a server.

``Bare`` is the limit: each process has all segments in its memory and is told a number.
``SharedQueue`` is what is usually tried first: all take samples from one ``multiprocessing.Queue``
and put texts on another.
"""

from __future__ import annotations

import itertools
import multiprocessing
import queue
import signal
import sys
import threading
import time
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from multiprocessing import connection, resource_tracker
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, cast

from capswriter.audio import SAMPLE_RATE
from capswriter.bench.arrangements.base import Load, Notes, Trouble
from capswriter.bench.bare import Done, Failed, Ready, over_pipe, over_queues
from capswriter.bench.material import cut, merged
from capswriter.bench.result import Sample

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from multiprocessing.connection import Connection
    from multiprocessing.context import SpawnProcess
    from multiprocessing.queues import Queue

    from capswriter.audio import Samples
    from capswriter.audio.segment import Segment
    from capswriter.bench.bare import Loading, News
    from capswriter.bench.material import Material
    from capswriter.bench.result import Arrangement as Kind
    from capswriter.transcript import Transcript

LOOK_EVERY = 0.2
"""Seconds between looks at whether processes that say nothing are still there."""

END_S = 5.0
"""Seconds that a process has to end by itself."""

SPAWN = multiprocessing.get_context("spawn")


class _Hands(Protocol):
    """Processes that recognise, seen from outside."""

    processes: list[SpawnProcess]

    def prepare(self, clips: Sequence[Samples]) -> None:
        """Take the segments that will be asked for by their numbers."""

    def room(self) -> bool:
        """Tell whether another task can be given."""

    def give(self, task: int, clip: int) -> None:
        """Have a segment recognised."""

    def news(self, seconds: float) -> News | None:
        """Wait for the next thing that a process tells; None when it takes so long."""


class _Piped:
    """Processes with a pipe each; who is free gets the next task."""

    def __init__(self, loading: Loading, workers: int) -> None:
        self.processes: list[SpawnProcess] = []
        self._pipes: list[Connection] = []
        self._free: list[int] = []
        for number in range(workers):
            ours, theirs = SPAWN.Pipe()
            self.processes.append(_started(over_pipe, (theirs, loading, number)))
            theirs.close()
            self._pipes.append(ours)

    def prepare(self, clips: Sequence[Samples]) -> None:
        for pipe in self._pipes:
            with suppress(OSError):
                pipe.send(list(clips))
        self._free = list(range(len(self._pipes)))

    def room(self) -> bool:
        return bool(self._free)

    def give(self, task: int, clip: int) -> None:
        with suppress(OSError):  # whoever waits for news learns that it is gone
            self._pipes[self._free.pop(0)].send((task, clip))

    def news(self, seconds: float) -> News | None:
        for pipe in connection.wait(self._pipes, seconds):
            try:
                told = cast("News", cast("Connection", pipe).recv())
            except (EOFError, OSError):
                continue
            if isinstance(told, Done):
                self._free.append(told.worker)
            return told
        return None


class _Queued:
    """Processes that share two queues."""

    def __init__(self, loading: Loading, workers: int) -> None:
        self._tasks: Queue[Any] = SPAWN.Queue()
        self._news: Queue[News] = SPAWN.Queue()
        self._clips: Sequence[Samples] = ()
        self._given = 0
        self._most = 2 * workers  # so that nobody waits for the next
        for each in (self._tasks, self._news):
            each.cancel_join_thread()  # what nobody takes any more does not keep us from ending
        self.processes = [
            _started(over_queues, (self._tasks, self._news, loading, number))
            for number in range(workers)
        ]

    def prepare(self, clips: Sequence[Samples]) -> None:
        self._clips = clips

    def room(self) -> bool:
        return self._given < self._most

    def give(self, task: int, clip: int) -> None:
        self._given += 1
        self._tasks.put((task, self._clips[clip]))

    def news(self, seconds: float) -> News | None:
        try:
            told = self._news.get(timeout=seconds)
        except queue.Empty:
            return None
        self._given -= isinstance(told, Done)
        return told


@dataclass(frozen=True, slots=True)
class _Processes:
    """N processes that do the work.

    Args:
        loading: what each loads.
        workers: how many.
    """

    loading: Loading
    workers: int
    kind: ClassVar[Kind]
    hands: ClassVar[type[_Piped | _Queued]]

    def work(self, load: Load, notes: Notes) -> None:
        """See ``Arrangement``."""
        with ExitStack() as stack:
            with _interrupts_wait():
                hands: _Hands = self.hands(self.loading, self.workers)
                stack.callback(_end, hands.processes)
            maximum = min(self._ready(hands, load))
            clips = [part.samples for each in load.materials for part in cut(each, maximum)]
            hands.prepare([samples for samples in clips if samples is not None])
            if clips:
                _warm_up(hands, load.warm_up * self.workers, len(clips), load.patience)
            pids = {f"worker {n}": each.pid for n, each in enumerate(hands.processes)}
            with notes.measuring(pids={name: pid for name, pid in pids.items() if pid}):
                _do(hands, _parts(load, maximum), notes, load.patience)

    def _ready(self, hands: _Hands, load: Load) -> list[float]:
        """Wait until all have loaded; the seconds that each takes at once."""
        found: list[float] = []
        while len(found) < self.workers:
            told = _next(hands, load.patience)
            if isinstance(told, Ready):
                found.append(told.maximum)
        return found


class Bare(_Processes):
    """N processes that loop over the engine, and nothing else."""

    kind = "bare"
    hands = _Piped


class SharedQueue(_Processes):
    """N processes that take samples from one shared queue."""

    kind = "queue"
    hands = _Queued


@dataclass(slots=True)
class _File:
    """A recording on its way through the engines."""

    material: Material
    segments: Sequence[Segment]
    began: float = 0.0
    transcripts: dict[int, Transcript] = field(default_factory=dict)

    def sample(self, began: float) -> Sample:
        """Describe it when all of it is there."""
        sent = self.began - began
        return Sample(
            recording=self.material.name,
            client=0,
            sent=sent,
            spoken=sent,
            ended=time.monotonic() - began,
            audio=self.material.seconds,
            text=merged(self.segments, self.transcripts),
        )


@dataclass(frozen=True, slots=True)
class _Part:
    """A segment of a recording.

    Args:
        file: which recording.
        place: which of its segments.
        clip: its number among the clips that the processes have.
    """

    file: _File
    place: int
    clip: int

    @property
    def seconds(self) -> float:
        """Seconds of audio."""
        samples = self.file.segments[self.place].samples
        return 0.0 if samples is None else len(samples) / SAMPLE_RATE


def _parts(load: Load, maximum: float) -> Iterator[_Part]:
    """Give the segments of all recordings in turns."""
    first: dict[Material, int] = {}
    for material in load.materials:
        first[material] = sum(len(cut(each, maximum)) for each in first)
    for material in load.turns():
        file = _File(material, cut(material, maximum))
        for place in range(len(file.segments)):
            yield _Part(file, place, first[material] + place)


def _warm_up(hands: _Hands, tasks: int, clips: int, patience: float) -> None:
    given = 0
    for _ in range(tasks):
        while given < tasks and hands.room():
            hands.give(given, given % clips)
            given += 1
        _next(hands, patience)


def _do(hands: _Hands, parts: Iterator[_Part], notes: Notes, patience: float) -> None:
    """Keep the hands busy until nothing is left."""
    following = next(parts, None)
    under_way: dict[int, _Part] = {}
    numbers = itertools.count()
    while following is not None or under_way:
        while following is not None and hands.room():
            if following.place == 0:
                following.file.began = time.monotonic()
            number = next(numbers)
            under_way[number] = following
            hands.give(number, following.clip)
            following = next(parts, None)
        told = _next(hands, patience)
        if not isinstance(told, Done):
            continue
        part = under_way.pop(told.task)
        notes.span(told.worker, told.began, told.ended, part.seconds)
        part.file.transcripts[part.place] = told.transcript
        if len(part.file.transcripts) == len(part.file.segments):
            notes.samples.append(part.file.sample(notes.began))


def _next(hands: _Hands, patience: float) -> News:
    """Wait for news.

    Raises:
        Trouble: a process has failed or ended, or nothing comes.
    """
    ends = time.monotonic() + patience
    while time.monotonic() < ends:
        told = hands.news(LOOK_EVERY)
        if isinstance(told, Failed):
            raise Trouble(f"worker {told.worker}: {told.reason}")
        if told is not None:
            return told
        for number, process in enumerate(hands.processes):
            if process.exitcode is not None:
                raise Trouble(f"worker {number} ended by itself (status {process.exitcode})")
    raise Trouble(f"no worker said anything for {patience:g} s")


def _started(target: Callable[..., None], arguments: tuple[object, ...]) -> SpawnProcess:
    process = SPAWN.Process(target=target, args=arguments, daemon=True)
    process.start()
    return process


def _end(processes: Sequence[SpawnProcess]) -> None:
    with _interrupts_wait():
        for process in processes:
            process.terminate()
        for process in processes:
            process.join(END_S)
            if process.is_alive():
                process.kill()
                process.join()
            process.close()


@contextmanager
def _interrupts_wait() -> Iterator[None]:
    """Put Ctrl-C off until the end of the block; processes started in it never get any."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    came: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, _: came.append(number))
    masked = None
    if sys.platform != "win32":
        resource_tracker.ensure_running()  # it changes the mask when it starts
        masked = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        if masked is not None:
            signal.pthread_sigmask(signal.SIG_SETMASK, masked)
        signal.signal(signal.SIGINT, before)
    if came:
        raise KeyboardInterrupt
