"""Worker processes and the one queue they pull from; ``Recogniser`` is the only door."""

from capswriter.engines.base import Options
from capswriter.pool.errors import (
    InferenceFailed,
    NoWorkers,
    RecogniserClosed,
    RecogniserError,
    WorkerCrashed,
)
from capswriter.pool.recogniser import Recogniser, Statistics, WorkerStatistics
from capswriter.pool.task import EngineSpec, Priority, Result, Task

__all__ = [
    "EngineSpec",
    "InferenceFailed",
    "NoWorkers",
    "Options",
    "Priority",
    "Recogniser",
    "RecogniserClosed",
    "RecogniserError",
    "Result",
    "Statistics",
    "Task",
    "WorkerCrashed",
    "WorkerStatistics",
]
