"""What processes take up while something is measured, read by a thread of its own."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from capswriter.bench.result import Usage
from capswriter.monitor.sampling import Sampler

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

    from capswriter.monitor.sampling import Reading


class Recorder:
    """Reads processes from the start of a ``with`` block to its end, and once at each.

    Args:
        began: when the run began, on the clock of ``time.monotonic``.
        front: of a server: it and its workers are read, also those that come later.
        pids: other processes, by name.
        interval: seconds between readings.
    """

    def __init__(
        self,
        began: float,
        front: int | None = None,
        pids: Mapping[str, int] | None = None,
        interval: float = 0.5,
    ) -> None:
        self._sampler = Sampler(began, front=front, pids=pids)
        self._interval = interval
        self._readings: list[Reading] = []
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._record, name="recorder", daemon=True)

    @property
    def usage(self) -> tuple[Usage, ...]:
        """What was read so far, in the order of time.

        ``pss`` is read less often than the rest, and repeated until it is read again.
        """
        return tuple(
            Usage(
                at=round(reading.at, 3),
                process=reading.process,
                pid=reading.pid,
                cpu=round(reading.cpu, 3),
                rss=reading.use.rss,
                pss=reading.use.pss,
                threads=reading.use.threads,
                files=reading.use.open_files,
            )
            for reading in tuple(self._readings)
        )

    def __enter__(self) -> Recorder:
        self._readings += self._sampler.sample()
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._over.set()
        self._thread.join()
        self._readings += self._sampler.sample(fresh=True)

    def _record(self) -> None:
        due = time.monotonic() + self._interval
        while not self._over.wait(max(0.0, due - time.monotonic())):
            self._readings += self._sampler.sample()
            due = max(due + self._interval, time.monotonic())
