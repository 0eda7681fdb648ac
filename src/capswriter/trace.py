"""A trace for measurements: what happened when, as lines of JSON without a word of anybody's text.

Times are those of ``time.monotonic``, which all processes of a machine share.
``docs/operations.md`` lists the events; ``capswriter.bench.trace`` reads them.
"""

from __future__ import annotations

import json
import queue
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, TextIO, TypeAlias

from capswriter.errors import UserError
from capswriter.logs import ids

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_Line: TypeAlias = "dict[str, float | str]"

_lines: queue.SimpleQueue[_Line | None] | None = None
"""What a thread has still to write; None where there is no trace."""


class TraceRefused(UserError):
    """The trace cannot be written."""


def note(event: str, **values: float | str) -> None:
    """Write a line, with the ids of connection and task, where there is a trace.

    Args:
        event: what has happened.
        values: times and the like; never what was said.
    """
    if _lines is not None:
        connection, task = ids()
        _lines.put({"event": event, "connection": connection, "task": task, **values})


@contextmanager
def tracing_to(file: Path | None) -> Iterator[None]:
    """Write a trace until the end of the block, over whatever the file has; None for none.

    Raises:
        TraceRefused: the file cannot be written.
    """
    global _lines  # noqa: PLW0603  # as the log, it is the process's
    if file is None:
        yield
        return
    try:
        opened = file.open("w", encoding="utf-8", buffering=1)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise TraceRefused(f"cannot write the trace {file}: {reason}") from error
    lines: queue.SimpleQueue[_Line | None] = queue.SimpleQueue()
    writer = threading.Thread(target=_write, args=(lines, opened), name="trace")
    before, _lines = _lines, lines
    writer.start()
    try:
        yield
    finally:
        _lines = before
        lines.put(None)
        writer.join()


def _write(lines: queue.SimpleQueue[_Line | None], file: TextIO) -> None:
    with suppress(OSError), file:  # a full disk, which may have room again for later lines
        while (line := lines.get()) is not None:
            with suppress(OSError):
                file.write(json.dumps(line) + "\n")
