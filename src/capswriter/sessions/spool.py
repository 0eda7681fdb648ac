"""A byte queue between a socket and a slower reader that costs memory only up to a limit."""

from __future__ import annotations

import io
import tempfile
import threading
from contextlib import suppress

IN_MEMORY = 4 * 2**20
"""Bytes kept in memory: a minute of float32 audio. What is beyond goes to an unnamed file."""


class Spool:
    """Bytes in, bytes out, in order; one writer, one reader, in any threads.

    A client may send hours of audio in seconds. Making it wait would break those that do not answer
    pings while they send, so what cannot be recognised yet waits on the disk.
    """

    def __init__(self) -> None:
        self._file = tempfile.SpooledTemporaryFile(IN_MEMORY)  # noqa: SIM115
        self._written = 0
        self._read = 0
        self._ended = False
        self._changed = threading.Condition()

    def write(self, data: bytes) -> None:
        """Append bytes; a spool that has been closed drops them.

        Raises:
            OSError: the disk is full.
        """
        with self._changed:
            if self._file.closed:
                return
            if self._read == self._written:
                self._file.seek(0)
                self._file.truncate()
                self._read = self._written = 0
            try:
                self._file.seek(self._written)
                self._file.write(data)
                self._file.flush()  # a full disk fails here, and not where somebody reads
            except OSError:
                self._read = self._written  # the file is of no use any more
                raise
            self._written += len(data)
            self._changed.notify()

    def end(self) -> None:
        """Tell the reader that nothing follows."""
        with self._changed:
            self._ended = True
            self._changed.notify()

    @property
    def ended(self) -> bool:
        """Whether nothing follows what can be read now."""
        with self._changed:
            return self._ended

    def read(self, size: int) -> bytes:
        """Take at most ``size`` bytes; none where nothing has come."""
        with self._changed:
            return self._take(size)

    def wait_and_read(self, size: int) -> bytes:
        """Take at most ``size`` bytes, waiting for the first; none only at the end."""
        with self._changed:
            self._changed.wait_for(lambda: self._ended or self._written > self._read)
            return self._take(size)

    def close(self) -> None:
        """Free the memory and the file; a reader that waits gets the end."""
        with self._changed:
            self._ended = True
            self._read = self._written
            self._changed.notify()
            with suppress(OSError):  # a full disk; the file goes all the same
                self._file.close()

    def _take(self, size: int) -> bytes:
        if self._read == self._written:
            return b""
        self._file.seek(self._read)
        data = self._file.read(min(size, self._written - self._read))
        self._read += len(data)
        return data


class SpoolReader(io.RawIOBase):
    """A spool as a file that can be read but not sought, for a decoder in a thread of its own."""

    def __init__(self, spool: Spool) -> None:
        self._spool = spool

    def readable(self) -> bool:
        """Tell that it can be read."""
        return True

    def read(self, size: int = -1) -> bytes:
        """Take at most ``size`` bytes, waiting for the first; none only at the end."""
        return self._spool.wait_and_read(2**16 if size < 0 else size)
