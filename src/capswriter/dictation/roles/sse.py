"""Server-sent events, without I/O: bytes in, the data of each event out.

After https://html.spec.whatwg.org/multipage/server-sent-events.html, as far as answers of language
models need it: names, ids and the time until one comes again count for nothing.
"""

from __future__ import annotations

import re

LONGEST_EVENT = 1_000_000
"""Bytes of an event; who sends more sends no answer."""

_LINE_END = re.compile(rb"\r\n|\n|\r(?!\Z)")  # a \r at the very end may be half of \r\n


class Malformed(ValueError):
    """What came is no stream of events."""


class EventReader:
    """Reads a stream of events."""

    def __init__(self) -> None:
        self._rest = b""
        self._lines: list[str] = []
        self._size = 0

    def feed(self, chunk: bytes) -> list[str]:
        """Take the next bytes, however they are cut; give the data of the events they end.

        Raises:
            Malformed: an event is too long, or no UTF-8.
        """
        *lines, self._rest = _LINE_END.split(self._rest + chunk)
        events = []
        for line in lines:
            if line:
                self._take(line)
            elif self._lines:
                events.append("\n".join(self._lines))
                self._lines, self._size = [], 0
        if self._size + len(self._rest) > LONGEST_EVENT:
            raise Malformed("an event is too long")
        return events

    def _take(self, line: bytes) -> None:
        name, _, value = line.removeprefix(b"\xef\xbb\xbf").partition(b":")
        if name != b"data":
            return
        self._size += len(line)
        try:
            self._lines.append(value.removeprefix(b" ").decode())
        except UnicodeDecodeError as error:
            raise Malformed("an event is no UTF-8") from error
