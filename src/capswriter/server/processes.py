"""What the operating system tells of our processes and of the machine; every call here is slow.

Summing up a large process's pages for its PSS takes the kernel tens of milliseconds, so call all of
this in a thread.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import psutil


@dataclass(frozen=True, slots=True)
class ProcessUse:
    """What one process takes up.

    Args:
        rss: bytes of memory it sees; pages that several processes share count in each.
        pss: bytes, with shared pages divided among those that share them; None where the system
            does not tell.
        cpu_percent: of one core, since the reading before; in the first, since it started.
        threads: how many.
        open_files: file descriptors (on Windows: handles), sockets and pipes among them; None
            where the system does not tell.
    """

    rss: int
    pss: int | None
    cpu_percent: float
    threads: int
    open_files: int | None


@dataclass(frozen=True, slots=True)
class MachineUse:
    """How busy the machine is, all its programs together; percent of all there is."""

    cpu_percent: float
    memory_percent: float


class Processes:
    """Reads processes, and remembers their CPU seconds from one reading to the next."""

    def __init__(self) -> None:
        self._before: dict[psutil.Process, tuple[float, float]] = {}

    def read(self, pids: frozenset[int]) -> dict[int, ProcessUse]:
        """Read those of the processes that are there."""
        found: dict[int, ProcessUse] = {}
        seen: dict[psutil.Process, tuple[float, float]] = {}
        for pid in pids:
            try:
                process = psutil.Process(pid)
                found[pid] = self._read(process, seen)
            except psutil.Error:  # it has ended, or is about to
                continue
        self._before = seen
        return found

    def _read(
        self, process: psutil.Process, seen: dict[psutil.Process, tuple[float, float]]
    ) -> ProcessUse:
        memory = process.memory_full_info() if psutil.LINUX else process.memory_info()
        with process.oneshot():
            times, now = process.cpu_times(), time.time()
            seconds = times.user + times.system
            seen[process] = (now, seconds)
            then, before = self._before.get(process) or (process.create_time(), 0.0)
            return ProcessUse(
                rss=memory.rss,
                pss=getattr(memory, "pss", None),
                cpu_percent=round(100 * max(0.0, seconds - before) / max(now - then, 0.01), 1),
                threads=process.num_threads(),
                open_files=_open_files(process),
            )


def _open_files(process: psutil.Process) -> int | None:
    count = getattr(process, "num_handles" if psutil.WINDOWS else "num_fds", None)
    try:
        return None if count is None else int(count())
    except psutil.AccessDenied:
        return None


def machine() -> MachineUse:
    """Read how busy the machine has been since the reading before."""
    return MachineUse(psutil.cpu_percent(None), psutil.virtual_memory().percent)
