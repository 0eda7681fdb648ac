"""Readings of a server's processes, one round after another."""

from __future__ import annotations

import itertools
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

import psutil

from capswriter.monitor.family import Family, Kind, lives
from capswriter.processes import Processes

if TYPE_CHECKING:
    from collections.abc import Mapping

    from capswriter.processes import ProcessUse

PSS_SHARE = 0.005
"""Of a core that reading PSS may take, which is most of what a round costs."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What one process took up at one moment.

    Args:
        at: seconds since the beginning.
        process: ``front``, ``forkserver``, ``tracker``, ``worker 0`` and so on.
        pid: of it.
        cpu: seconds of the processor that it has taken since the beginning.
        use: everything else.
    """

    at: float
    process: str
    pid: int
    cpu: float
    use: ProcessUse


class Sampler:
    """Reads the processes of a server, or others that have names.

    Workers are numbered by age. One keeps its number while it lives; a new one takes the lowest
    that is free, so one that is replaced passes its number on.

    Args:
        began: the beginning, on the clock of ``time.monotonic``.
        front: process whose family to read.
        pids: others to read, by name.
    """

    def __init__(
        self, began: float, *, front: int | None = None, pids: Mapping[str, int] | None = None
    ) -> None:
        self._began = began
        self._family = None if front is None else Family(front)
        self._named: dict[psutil.Process, str] = {}
        for name, pid in {**(pids or {}), **({} if front is None else {"front": front})}.items():
            with suppress(psutil.Error):
                self._named[psutil.Process(pid)] = name
        self._processes = Processes(pss_share=PSS_SHARE)
        self._numbers: dict[psutil.Process, int] = {}
        self._base: dict[int, float] = {}  # seconds taken before the beginning
        self._is_first = True

    def sample(self, *, fresh: bool = False) -> list[Reading]:
        """Read all that are there: the front, those beside it, the workers by number.

        Args:
            fresh: read PSS now, even if that costs more than its share.
        """
        names = {process.pid: name for process, name in self._named.items() if lives(process)}
        if self._family is not None:
            names |= self._below(self._family)
        uses = self._processes.read(names, fresh=fresh)
        at = time.monotonic() - self._began
        if self._is_first:  # one that comes later has done all its work since the beginning
            self._base = {pid: use.cpu_seconds for pid, use in uses.items()}
            self._is_first = False
        self._base = {pid: base for pid, base in self._base.items() if pid in uses}
        return [
            Reading(at, names[pid], pid, use.cpu_seconds - self._base.get(pid, 0.0), use)
            for pid, use in uses.items()
        ]

    def _below(self, family: Family) -> dict[int, str]:
        members = family.look()
        names = {
            process.pid: kind.value for process, kind in members.items() if kind is not Kind.WORKER
        }
        workers = [process for process, kind in members.items() if kind is Kind.WORKER]
        self._numbers = {p: n for p, n in self._numbers.items() if p in workers}
        free = (n for n in itertools.count() if n not in self._numbers.values())
        for process in workers:
            if process not in self._numbers:
                self._numbers[process] = next(free)
        by_number = sorted(self._numbers.items(), key=lambda each: each[1])
        return names | {process.pid: f"worker {number}" for process, number in by_number}
