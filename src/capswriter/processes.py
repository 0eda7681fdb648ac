"""What the operating system tells of our processes and of the machine; every call here is slow.

Summing up a large process's pages for its PSS takes the kernel tens of milliseconds, so call all of
this in a thread.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import psutil

if TYPE_CHECKING:
    from collections.abc import Iterable

SHORTEST_LIFE = 1.0
"""Seconds that a process seen for the first time is taken to have lived at least.

Linux tells when it started only to about a second.
"""


@dataclass(frozen=True, slots=True)
class ProcessUse:
    """What one process takes up.

    Args:
        rss: bytes of memory it sees; pages that several processes share count in each.
        pss: bytes, with shared pages divided among those that share them; None where the system
            does not tell.
        pss_age: seconds since ``pss`` was read.
        cpu_seconds: of the processor, since it started.
        cpu_percent: of one core, since the reading before; in the first, since it started.
        threads: how many.
        open_files: file descriptors (on Windows: handles), sockets and pipes among them; None
            where the system does not tell.
    """

    rss: int
    pss: int | None
    pss_age: float
    cpu_seconds: float
    cpu_percent: float
    threads: int
    open_files: int | None


@dataclass(frozen=True, slots=True)
class MachineUse:
    """How busy the machine is, all its programs together; percent of all there is."""

    cpu_percent: float
    memory_percent: float


class Processes:
    """Reads processes, and remembers their CPU seconds from one reading to the next.

    Args:
        pss_share: of a core that reading PSS may take. It is read less often where it would take
            more: of all processes at once, as they share pages, and of a new one when it comes.
    """

    def __init__(self, *, pss_share: float = 1.0) -> None:
        self._pss_share = pss_share
        self._pss_due = 0.0
        self._pss: dict[psutil.Process, tuple[float, int | None]] = {}
        self._before: dict[psutil.Process, tuple[float, float]] = {}

    def read(self, pids: Iterable[int], *, fresh: bool = False) -> dict[int, ProcessUse]:
        """Read those of the processes that are there; PSS of all of them if it is to be fresh."""
        found: dict[int, ProcessUse] = {}
        seen: dict[psutil.Process, tuple[float, float]] = {}
        read: dict[psutil.Process, tuple[float, int | None]] = {}
        is_due = fresh or time.monotonic() >= self._pss_due
        began = time.thread_time()
        for pid in pids:
            try:
                process = psutil.Process(pid)
                pss = None if is_due else self._pss.get(process)
                read[process] = pss = pss or (time.monotonic(), pss_of(process))
                found[pid] = self._read(process, pss, seen)
            except psutil.Error:  # it has ended, or is about to
                continue
        if is_due:
            took = time.thread_time() - began
            self._pss_due = time.monotonic() + took / self._pss_share
        self._before, self._pss = seen, read
        return found

    def _read(
        self,
        process: psutil.Process,
        pss: tuple[float, int | None],
        seen: dict[psutil.Process, tuple[float, float]],
    ) -> ProcessUse:
        with process.oneshot():
            times, now = process.cpu_times(), time.monotonic()
            seconds = times.user + times.system
            seen[process] = (now, seconds)
            if process in self._before:
                then, before = self._before[process]
                span = max(now - then, 0.01)
            else:
                before = 0.0
                span = max(time.time() - process.create_time(), SHORTEST_LIFE)
            if process.status() == psutil.STATUS_ZOMBIE:
                raise psutil.ZombieProcess(process.pid)
            return ProcessUse(
                rss=process.memory_info().rss,
                pss=pss[1],
                pss_age=now - pss[0],
                cpu_seconds=seconds,
                cpu_percent=round(100 * max(0.0, seconds - before) / span, 1),
                threads=process.num_threads(),
                open_files=_open_files(process),
            )


def pss_of(process: psutil.Process) -> int | None:
    """Read the PSS of a process, in bytes; None where the system does not tell, or not us.

    Raises:
        psutil.NoSuchProcess: it has ended.
    """
    if not psutil.LINUX:
        return None
    try:
        return int(process.memory_full_info().pss)
    except psutil.AccessDenied:
        return None


def _open_files(process: psutil.Process) -> int | None:
    count = getattr(process, "num_handles" if psutil.WINDOWS else "num_fds", None)
    try:
        return None if count is None else int(count())
    except psutil.AccessDenied:
        return None


def machine() -> MachineUse:
    """Read how busy the machine has been since the reading before."""
    return MachineUse(psutil.cpu_percent(None), psutil.virtual_memory().percent)
