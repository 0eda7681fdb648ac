"""Worker processes and the one queue they pull from; ``Recogniser`` is the only door."""

from capswriter.engines.base import Options
from capswriter.pool.admission import Account, Limits
from capswriter.pool.errors import (
    DeadlineExceeded,
    InferenceFailed,
    NoWorkers,
    Overloaded,
    RecogniserClosed,
    RecogniserError,
    WorkerCrashed,
)
from capswriter.pool.recogniser import Patience, Recogniser
from capswriter.pool.statistics import Percentiles, State, Statistics, WorkerStatistics
from capswriter.pool.task import EngineSpec, Priority, Result, Task

__all__ = [
    "Account",
    "DeadlineExceeded",
    "EngineSpec",
    "InferenceFailed",
    "Limits",
    "NoWorkers",
    "Options",
    "Overloaded",
    "Patience",
    "Percentiles",
    "Priority",
    "Recogniser",
    "RecogniserClosed",
    "RecogniserError",
    "Result",
    "State",
    "Statistics",
    "Task",
    "WorkerCrashed",
    "WorkerStatistics",
]
