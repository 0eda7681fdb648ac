"""What all arrangements have in common: the work, what is noted of it, and how it may end."""

from __future__ import annotations

import itertools
import math
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from capswriter.bench.recorder import Recorder
from capswriter.bench.result import Arrangement as Kind
from capswriter.bench.result import Run, Sample, Span, Stages, Usage

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from capswriter.bench.material import Material

INTERRUPTED = "interrupted"
"""Why a run ended that somebody has ended."""


class Trouble(Exception):
    """A run cannot go on; the message says why, in words."""


@dataclass(frozen=True, slots=True)
class Load:
    """The work of a run, the same for every arrangement.

    Args:
        materials: recordings, taken in turns.
        passes: how often each; None for no limit but the seconds.
        seconds: after which no recording is begun.
        clients: who send them, where there is a server.
        warm_up: segments that each worker recognises before anything counts.
        interval: seconds between readings of what processes take up.
        patience: seconds without news from a worker after which it is taken to hang.
    """

    materials: Sequence[Material]
    passes: int | None = 1
    seconds: float = math.inf
    clients: int = 4
    warm_up: int = 1
    interval: float = 0.5
    patience: float = 180.0

    def turns(self) -> Iterator[Material]:
        """Give the recordings one after another; time counts from the first."""
        passes = itertools.count() if self.passes is None else range(self.passes)
        ends = time.monotonic() + self.seconds
        for _ in passes:
            for material in self.materials:
                if time.monotonic() >= ends:
                    return
                yield material


@dataclass(slots=True)
class Notes:
    """What is seen of a run while it goes on, so that it is there however the run ends.

    Args:
        interval: seconds between readings of what processes take up.
    """

    interval: float = 0.5
    began: float = field(default_factory=time.monotonic)
    seconds: float = 0.0
    samples: list[Sample] = field(default_factory=list)
    spans: list[Span] = field(default_factory=list)
    stages: list[Stages] = field(default_factory=list)
    usage: tuple[Usage, ...] = ()

    @contextmanager
    def measuring(
        self, *, front: int | None = None, pids: Mapping[str, int] | None = None
    ) -> Iterator[None]:
        """Take the time, and read what processes take up, until the end of the block.

        Args:
            front: of a server, whose workers are found.
            pids: other processes, by name.
        """
        self.began = time.monotonic()
        recorder = Recorder(self.began, front=front, pids=pids, interval=self.interval)
        try:
            with recorder:
                from_here = time.monotonic()
                try:
                    yield
                finally:
                    self.seconds = time.monotonic() - from_here
        finally:
            self.usage = recorder.usage

    def span(self, worker: int, began: float, ended: float, audio: float) -> None:
        """Note what a worker did; monotonic times."""
        self.spans.append(
            Span(worker=worker, began=began - self.began, ended=ended - self.began, audio=audio)
        )


class Arrangement(Protocol):
    """A way to let workers do something."""

    @property
    def kind(self) -> Kind:
        """Which."""

    @property
    def workers(self) -> int:
        """How many."""

    def work(self, load: Load, notes: Notes, /) -> None:
        """Start everything, do the work, and end everything, however it ends.

        Raises:
            Trouble: it could not be done; ``notes`` has what was.
            KeyboardInterrupt: likewise.
        """


def observed(arrangement: Arrangement, load: Load, *, number: int) -> Run:
    """Let an arrangement work; the run says why, if it ended early.

    Args:
        arrangement: which.
        load: the work.
        number: of the round.
    """
    notes, error = Notes(load.interval), ""
    try:
        arrangement.work(load, notes)
    except Trouble as trouble:
        error = str(trouble)
    except KeyboardInterrupt:
        error = INTERRUPTED
    return Run(
        arrangement=arrangement.kind,
        name=arrangement.kind,
        workers=arrangement.workers,
        round=number,
        seconds=notes.seconds,
        samples=tuple(notes.samples),
        spans=tuple(notes.spans),
        usage=notes.usage,
        stages=tuple(notes.stages),
        error=error,
    )
