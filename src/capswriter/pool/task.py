"""What goes to a worker and what comes back: plain values that any transport can carry."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from capswriter.audio import SAMPLE_RATE
from capswriter.engines.base import Options, Traits

if TYPE_CHECKING:
    from capswriter.audio import Samples
    from capswriter.pool.report import Said
    from capswriter.transcript import Transcript


class Priority(IntEnum):
    """Classes of tasks; the lower goes first."""

    INTERACTIVE = 0
    PARTIAL = 1
    FILE = 2


@dataclass(frozen=True, slots=True, eq=False)
class Task:
    """One segment to recognise.

    Args:
        samples: float32[n], mono, 16 kHz.
        options: for the engine.
        priority: its class.
        client: whose it is; clients of one class take turns.
        key: of partial tasks, whose text they are for; a newer one takes the place of one that
            still waits.
        patience: seconds that it may wait for a worker before it is of no use.
    """

    samples: Samples
    options: Options = Options()  # noqa: RUF009  # frozen
    priority: Priority = Priority.FILE
    client: str = ""
    key: str = ""
    patience: float = math.inf

    @property
    def seconds(self) -> float:
        """Seconds of audio."""
        return len(self.samples) / SAMPLE_RATE


@dataclass(frozen=True, slots=True)
class Result:
    """What a worker made of a task.

    Args:
        transcript: times in seconds from the task's first sample.
        seconds: that the engine took.
        worker: number of the worker that did it.
        began: when the engine began, in monotonic seconds.
    """

    transcript: Transcript
    seconds: float
    worker: int
    began: float


@dataclass(frozen=True, slots=True)
class EngineSpec:
    """What a worker loads.

    Args:
        directory: of the model, or what else its loader takes for one.
        threads: of the CPU for one recognition.
        device: ``"cpu"``, ``"cuda"`` or ``"auto"``.
        punctuation: directory of a model that punctuates, for engines that do not.
        loader: ``"module:function"``, called as ``function(directory, threads=…, device=…)``, and
            with ``punctuation=…`` where there is such a model.
        modules: what its code needs, imported once for all workers where the platform can fork.
    """

    directory: Path = Path()
    threads: int = 1
    device: str = "cpu"
    punctuation: Path | None = None
    loader: str = "capswriter.engines:load"
    modules: tuple[str, ...] = ("capswriter.engines.whisper",)


# What passes through the pipe.


@dataclass(frozen=True, slots=True, eq=False)
class Job:
    """Front to worker: recognise this; ``samples`` is what ``SharedSamples.put`` gave."""

    samples: Samples | int
    options: Options


@dataclass(frozen=True, slots=True)
class Ping:
    """Front to worker, and back: are you there?"""


@dataclass(frozen=True, slots=True)
class Loaded:
    """Worker to front: the model is loaded, jobs can come."""

    traits: Traits
    seconds: float


@dataclass(frozen=True, slots=True)
class NotLoaded:
    """Worker to front: the model cannot be loaded; the worker ends."""

    reason: str
    out_of_memory: bool = False


@dataclass(frozen=True, slots=True)
class Done:
    """Worker to front: the job's result; ``began`` by the machine's monotonic clock."""

    transcript: Transcript
    seconds: float
    began: float


@dataclass(frozen=True, slots=True)
class Failed:
    """Worker to front: the engine raised; the worker can take the next job."""

    reason: str
    out_of_memory: bool = False


Answer: TypeAlias = "Done | Failed"
ToFront: TypeAlias = "Loaded | NotLoaded | Done | Failed | Ping | Said"
