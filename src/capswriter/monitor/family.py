"""The processes of a server, found from its front without asking it.

A front's workers are forked by a forkserver, which the front starts; on Windows the front starts
them itself. Processes come and go while one looks: what is told is what was there at some moment of
the look, and nothing is raised for what has ended.
"""

from __future__ import annotations

import time
from contextlib import suppress
from enum import Enum

import psutil

LOOK_AGAIN = 10.0
"""Seconds after which all processes of the machine are looked at again.

In between those with a number that was not there before are. Numbers are given again, and one that
ended and came back as another process between two looks would be missed.
"""


class Kind(Enum):
    """What a process of a server is for."""

    WORKER = "worker"
    FORKSERVER = "forkserver"
    TRACKER = "tracker"


_COMMANDS = {
    "multiprocessing.forkserver": Kind.FORKSERVER,
    "multiprocessing.resource_tracker": Kind.TRACKER,
    "multiprocessing.spawn": Kind.WORKER,
    "--multiprocessing-fork": Kind.WORKER,
}


def workers_of(front: int) -> list[psutil.Process]:
    """Find the worker processes of the server whose front is process ``front``; oldest first."""
    return Family(front).workers()


class Family:
    """The processes below a front, followed from look to look.

    A look costs as much as there are new processes on the machine, which is little.

    Args:
        front: its process.
    """

    def __init__(self, front: int) -> None:
        self._front = front
        self._members: dict[psutil.Process, Kind] = {}
        self._others: set[int] = set()
        self._again = 0.0

    def workers(self) -> list[psutil.Process]:
        """Look, and tell the workers alone."""
        return [process for process, kind in self.look().items() if kind is Kind.WORKER]

    def look(self) -> dict[psutil.Process, Kind]:
        """Tell which processes there are besides the front; oldest first."""
        there = set(psutil.pids())
        self._members = {
            process: kind
            for process, kind in self._members.items()
            if process.pid in there and lives(process)
        }
        now = time.monotonic()
        if now >= self._again:
            self._others.clear()
            self._again = now + LOOK_AGAIN
        self._others &= there
        known = {process.pid for process in self._members}
        self._admit(there - known - self._others - {self._front})
        return dict(self._members)

    def _admit(self, pids: set[int]) -> None:
        """Take in those that belong to the family."""
        parents: dict[psutil.Process, int] = {}
        for pid in pids:
            with suppress(psutil.Error):
                process = psutil.Process(pid)
                parents[process] = process.ppid()
        new: dict[psutil.Process, Kind] = {}
        undecided = set()
        for process, parent in parents.items():
            if parent == self._front:
                kind = _kind(process)
                if kind is None:
                    undecided.add(process.pid)  # maybe it has not become its program yet
                else:
                    new[process] = kind
        forkservers = {
            process.pid
            for process, kind in (self._members | new).items()
            if kind is Kind.FORKSERVER
        }
        for process, parent in parents.items():
            if parent in forkservers and lives(process):
                new[process] = Kind.WORKER
        self._others |= pids - {process.pid for process in new} - undecided
        self._members |= dict(sorted(new.items(), key=lambda each: _age(each[0])))


def lives(process: psutil.Process) -> bool:
    """Tell whether a process runs; one that has ended and waits to be asked how does not."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def _kind(process: psutil.Process) -> Kind | None:
    try:
        command = " ".join(process.cmdline())
    except psutil.Error:
        return None
    return next((kind for word, kind in _COMMANDS.items() if word in command), None)


def _age(process: psutil.Process) -> tuple[float, int]:
    return process.create_time(), process.pid  # it was read when the process was found
