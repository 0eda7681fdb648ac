"""Ways to let N workers do the same work, each behind the same interface."""

from __future__ import annotations

from capswriter.bench.arrangements.base import INTERRUPTED, Load, Notes, Trouble, observed
from capswriter.bench.arrangements.processes import Bare, SharedQueue
from capswriter.bench.arrangements.server import OwnServer

__all__ = [
    "INTERRUPTED",
    "Bare",
    "Load",
    "Notes",
    "OwnServer",
    "SharedQueue",
    "Trouble",
    "observed",
]
