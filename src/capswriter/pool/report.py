"""What a worker logs, carried to the front, where all lines are written."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True, slots=True)
class Said:
    """Worker to front: a line for the log.

    Args:
        level: as ``logging`` counts.
        logger: its name.
        message: complete.
        trace: of an exception; empty without one.
    """

    level: int
    logger: str
    message: str
    trace: str = ""

    def log(self, *, worker: int) -> None:
        """In the front: log it as the words of worker number ``worker``."""
        logger = logging.getLogger(self.logger)
        if logger.isEnabledFor(self.level):
            record = logger.makeRecord(
                self.logger, self.level, "", 0, self.message, (), None, extra={"worker": worker}
            )
            record.exc_text = self.trace or None
            logger.handle(record)


class Report(logging.Handler):
    """In a worker: sends what is logged, from INFO on, to the front."""

    def __init__(self, send: Callable[[Said], None]) -> None:
        super().__init__(logging.INFO)
        self._send = send
        self._formatter = logging.Formatter()

    def emit(self, record: logging.LogRecord) -> None:
        """Send one line."""
        trace = self._formatter.formatException(record.exc_info) if record.exc_info else ""
        self._send(Said(record.levelno, record.name, record.getMessage(), trace))

    def install(self) -> None:
        """Have all that this process logs sent."""
        logging.basicConfig(level=logging.INFO, handlers=[self])
