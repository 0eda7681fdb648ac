"""Readings as lines of a CSV file, each round on the disk before the next is taken."""

from __future__ import annotations

import csv
import io
import os
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from capswriter.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path
    from types import TracebackType

    from capswriter.monitor.sampling import Reading

COLUMNS = (
    "time",
    "seconds",
    "process",
    "pid",
    "cpu_seconds",
    "cpu_percent",
    "rss_bytes",
    "pss_bytes",
    "pss_age_seconds",
    "threads",
    "files",
)
"""``docs/monitor.md`` explains each."""


class LogFailed(UserError):
    """The log cannot be written."""


class Log:
    """A CSV file with a row for each process in each round; one that is there is replaced.

    Nothing is kept back in this process, so a monitor that is killed loses nothing.

    Args:
        path: of it.

    Raises:
        LogFailed: it cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._file = path.open("wb", buffering=0)
        except OSError as error:
            raise LogFailed(f"--log: {path} cannot be written: {error.strerror}") from error
        try:
            self._put([COLUMNS])
        except LogFailed:
            self._file.close()
            raise

    def __enter__(self) -> Log:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._file.close()

    def write(self, readings: Iterable[Reading]) -> None:
        """Add a round.

        Raises:
            LogFailed: it cannot be written, as when the disk is full; earlier rounds are kept.
        """
        time = datetime.now(timezone.utc).isoformat(timespec="milliseconds")
        self._put(
            (
                time,
                f"{reading.at:.3f}",
                reading.process,
                reading.pid,
                f"{reading.cpu:.2f}",
                reading.use.cpu_percent,
                reading.use.rss,
                reading.use.pss,
                None if reading.use.pss is None else f"{reading.use.pss_age:.2f}",
                reading.use.threads,
                reading.use.open_files,
            )
            for reading in readings
        )

    def _put(self, rows: Iterable[Iterable[object]]) -> None:
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows(rows)
        rest = memoryview(text.getvalue().encode())
        try:
            while rest:
                rest = rest[os.write(self._file.fileno(), rest) :]
        except OSError as error:
            raise LogFailed(
                f"--log: {self._path} cannot be written: {error.strerror}; what is in it is kept"
            ) from error
