"""A trace for measurements: what happened when, as lines of JSON without a word of anybody's text.

Times are those of ``time.monotonic``, which all processes of a machine share.
``docs/operations.md`` lists the events; ``capswriter.bench.trace`` reads them.
"""

from __future__ import annotations

import json
import logging
from contextlib import contextmanager
from logging.handlers import QueueListener
from typing import TYPE_CHECKING

from capswriter.errors import UserError
from capswriter.logs import Lines

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_logger = logging.getLogger(__name__)
_logger.propagate = False  # it is no part of the log


class TraceRefused(UserError):
    """The trace cannot be written."""


def note(event: str, **values: float | str) -> None:
    """Write a line, with the ids of connection and task, where there is a trace.

    Args:
        event: what has happened.
        values: times and the like; never what was said.
    """
    if _logger.isEnabledFor(logging.DEBUG):
        _logger.debug(event, extra={"values": values})


@contextmanager
def tracing_to(file: Path | None) -> Iterator[None]:
    """Write a trace until the end of the block, over whatever the file has; None for none.

    Raises:
        TraceRefused: the file cannot be written.
    """
    if file is None:
        yield
        return
    try:
        handler = logging.FileHandler(file, mode="w", encoding="utf-8")
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise TraceRefused(f"cannot write the trace {file}: {reason}") from error
    handler.setFormatter(_Json())
    lines = Lines()
    writer = QueueListener(lines.queue, handler)
    before = _logger.level
    _logger.addHandler(lines)
    _logger.setLevel(logging.DEBUG)
    writer.start()
    try:
        yield
    finally:
        _logger.setLevel(before)
        _logger.removeHandler(lines)
        writer.stop()
        handler.close()


class _Json(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        fields = vars(record)
        ids = {key: fields[key] for key in ("connection", "task")}
        return json.dumps({"event": record.getMessage(), **ids, **fields["values"]})
