"""Small things done aside, in a thread that nobody ever waits for."""

from __future__ import annotations

import logging
from queue import Empty, Full, Queue
from threading import Lock, Thread
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

IDLE_S = 10.0
"""Seconds without work after which the thread ends; the next thing to do starts another."""

_log = logging.getLogger(__name__)


class Aside:
    """Does one thing after the other.

    The thread does not keep the program from ending, even where the system hangs in it.

    Args:
        name: of the thread.
        most: things that may wait; what comes while so many do is dropped.
    """

    def __init__(self, name: str, most: int = 2) -> None:
        self._name = name
        self._jobs: Queue[Callable[[], None]] = Queue(most)
        self._lock = Lock()
        self._thread: Thread | None = None

    def do(self, job: Callable[[], None]) -> bool:
        """Have something done, from any thread; tells whether it will be."""
        with self._lock:
            try:
                self._jobs.put_nowait(job)
            except Full:
                return False
            if self._thread is None:
                self._thread = Thread(target=self._work, name=self._name, daemon=True)
                self._thread.start()
        return True

    def wait(self, seconds: float) -> bool:
        """Wait until all is done and the thread is idle; tells whether it is within the time."""
        thread = self._thread
        done = Queue[None](1)
        if thread is None:
            return True
        if not self.do(lambda: done.put(None)):
            return False
        try:
            done.get(timeout=seconds)
        except Empty:
            return False
        return True

    def _work(self) -> None:
        while True:
            try:
                job = self._jobs.get(timeout=IDLE_S)
            except Empty:
                with self._lock:
                    if self._jobs.empty():
                        self._thread = None
                        return
                continue
            try:
                job()
            except Exception:  # noqa: BLE001  the next thing may do better
                _log.exception("%s: this is a bug", self._name)
