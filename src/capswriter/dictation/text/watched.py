"""A file of the user's that is read again when it has changed."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import os
    from pathlib import Path

SETTLED = 2.0
"""Seconds after which a second change surely shows in the time of the last one.

Some file systems count in steps of two seconds: a file changed twice in one of them looks the same.
"""

_ENCODINGS = ("utf-8-sig", "gb18030")


class Unreadable(Exception):
    """The file is there and its text cannot be had; the message says why."""


@dataclass(frozen=True, slots=True)
class _Seen:
    stamp: tuple[int, int, int]
    settled: bool


class WatchedFile:
    """Tells whether a file has changed since it was last asked, at the cost of one ``stat``."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._seen: _Seen | None = None
        self._content: bytes | None = None
        self._asked = False

    def changed(self) -> bool:
        """Whether the content is another than at the last call; true at the first."""
        first, self._asked = not self._asked, True
        try:
            stat = self.path.stat()
        except OSError:
            stat = None
        if stat is None or not self._is_suspect(stat):
            gone = stat is None and self._seen is not None
            if stat is None:
                self._seen, self._content = None, None
            return first or gone
        content = self._read()
        settled = time.time() - stat.st_mtime > SETTLED
        self._seen = _Seen(_stamp(stat), settled)
        changed = first or content != self._content
        self._content = content
        return changed

    def _is_suspect(self, stat: os.stat_result) -> bool:
        return self._seen is None or not self._seen.settled or self._seen.stamp != _stamp(stat)

    def _read(self) -> bytes | None:
        try:
            return self.path.read_bytes()
        except OSError:
            return None

    def lines(self) -> list[str]:
        """The lines of the content that ``changed`` saw; none of a file that is not there.

        Raises:
            Unreadable: the file is there, but may not be read or is no text.
        """
        if self._content is None:
            if self._seen is not None:
                raise Unreadable("it cannot be read; check that it is a file and you may read it")
            return []
        for encoding in _ENCODINGS:
            try:
                return self._content.decode(encoding).splitlines()
            except UnicodeDecodeError:
                continue
        raise Unreadable("it is no text in UTF-8; save it as UTF-8")


def _stamp(stat: os.stat_result) -> tuple[int, int, int]:
    return stat.st_mtime_ns, stat.st_size, stat.st_ino
