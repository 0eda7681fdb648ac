"""Logging: one line for each thing that happens, with the ids of its connection, task and worker.

Lines are written by a thread of their own: a terminal that is scrolled up, or a full disk, must not
hold up the event loop.
"""

from __future__ import annotations

import json
import logging
import queue
import re
import sys
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime, timezone
from logging.handlers import QueueHandler, QueueListener, RotatingFileHandler
from typing import TYPE_CHECKING, Literal

from capswriter.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ROTATE_AT = 10_000_000
"""Bytes after which a log file is put aside."""

KEEP = 5
"""Files put aside that are kept."""

WAITING = 10_000
"""Lines that may wait to be written; what comes while so many do is dropped."""

LONGEST = 2_000
"""Characters of a message; the rest of a longer one is cut off."""

PLAIN = "%(asctime)s %(levelname)s %(name)s: %(ids)s%(message)s"

_SECRET = re.compile(r"(\btoken=|\bbearer\s+)[^\s&\"']+", re.IGNORECASE)
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029]")

_connection: ContextVar[str] = ContextVar("connection", default="")
_task: ContextVar[str] = ContextVar("task", default="")


class LogFileRefused(UserError):
    """The log file cannot be written."""


@contextmanager
def of_connection(name: str) -> Iterator[None]:
    """Put ``name`` into every line that is logged inside, and by asyncio tasks started inside."""
    before = _connection.set(name)
    try:
        yield
    finally:
        _connection.reset(before)


@contextmanager
def of_task(name: str) -> Iterator[None]:
    """Do the same for the client's name of a task."""
    before = _task.set(name)
    try:
        yield
    finally:
        _task.reset(before)


class Ids(logging.Filter):
    """Notes in each record whose it is, and ``ids``, the same in brackets for a line of text."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Let every record pass."""
        worker = getattr(record, "worker", None)
        connection, task = _connection.get(), _tidy(_task.get())
        names = (connection, task, "" if worker is None else f"w{worker}")
        told = " ".join(name for name in names if name)
        ids = f"[{told}] " if told else ""
        record.__dict__.update(connection=connection, task=task, ids=ids)
        return True


class Plain(logging.Formatter):
    """Lines of text."""

    def __init__(self, pattern: str = PLAIN) -> None:
        super().__init__(pattern)

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802
        """Keep what a client wrote from looking like a line of its own."""
        record.message = _tidy(record.message)
        return super().formatMessage(record)


class Json(logging.Formatter):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        """Write time, level, logger, message and the ids that there are."""
        time = datetime.fromtimestamp(record.created, timezone.utc)
        line: dict[str, object] = {
            "time": time.isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": _tidy(record.getMessage()),
        }
        for key in ("connection", "task", "worker"):
            if (value := getattr(record, key, None)) not in {None, ""}:
                line[key] = value
        if record.exc_info and not record.exc_text:
            record.exc_text = self.formatException(record.exc_info)
        if record.exc_text:
            line["exception"] = record.exc_text
        return json.dumps(line, ensure_ascii=False)


@contextmanager
def logging_to(
    *, level: str, file: Path | None = None, style: Literal["text", "json"] = "text"
) -> Iterator[None]:
    """Log to standard error, and to a file where one is wanted, until the end of the block.

    Args:
        level: the least that is logged; of other people's libraries it is warnings.
        file: rotates at 10 MB, and five old ones are kept.
        style: of the lines.

    Raises:
        LogFileRefused: the file cannot be written.
    """
    handlers = [_to_stderr(style)]
    if file is not None:
        handlers.append(_to_file(file, style))
    lines = Lines()
    writer = QueueListener(lines.queue, *handlers)
    root, ours = logging.getLogger(), logging.getLogger("capswriter")
    before = ours.level
    root.addHandler(lines)
    ours.setLevel(level.upper())
    writer.start()
    try:
        yield
    finally:
        root.removeHandler(lines)
        ours.setLevel(before)
        writer.stop()
        for handler in handlers:
            handler.close()


class Lines(QueueHandler):
    """Hands records to the thread that writes them."""

    queue: queue.SimpleQueue[logging.LogRecord]

    def __init__(self) -> None:
        super().__init__(queue.SimpleQueue())
        self.addFilter(Ids())

    def prepare(self, record: logging.LogRecord) -> logging.LogRecord:
        """Write the message, before anything in it changes."""
        record.msg, record.args = record.getMessage(), None
        return record

    def enqueue(self, record: logging.LogRecord) -> None:
        """Hand it over, unless too many wait already."""
        if self.queue.qsize() < WAITING:
            self.queue.put_nowait(record)


def _to_stderr(style: str) -> logging.Handler:
    if style == "text" and sys.stderr.isatty():
        from rich.console import Console  # noqa: PLC0415  a terminal alone needs it
        from rich.logging import RichHandler  # noqa: PLC0415

        handler: logging.Handler = RichHandler(console=Console(stderr=True), show_path=False)
        handler.setFormatter(Plain("%(ids)s%(message)s"))
        return handler
    handler = logging.StreamHandler()
    handler.setFormatter(_formatter(style))
    return handler


def _to_file(file: Path, style: str) -> logging.Handler:
    try:
        handler = RotatingFileHandler(
            file, maxBytes=ROTATE_AT, backupCount=KEEP, encoding="utf-8", errors="backslashreplace"
        )
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise LogFileRefused(f"cannot write the log file {file}: {reason}") from error
    handler.setFormatter(_formatter(style))
    return handler


def _formatter(style: str) -> logging.Formatter:
    return Json() if style == "json" else Plain()


def _tidy(text: str) -> str:
    """Make it one line of bearable length, without tokens."""
    if len(text) > LONGEST:
        text = f"{text[:LONGEST]}…"
    text = _SECRET.sub(r"\1***", text)
    return _CONTROL.sub(lambda found: repr(found[0])[1:-1], text)
