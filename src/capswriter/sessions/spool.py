"""A byte queue between a socket and a slower reader that costs memory only up to a limit."""

from __future__ import annotations

import io
import tempfile
import threading
from collections import deque
from contextlib import suppress
from typing import BinaryIO, cast

IN_MEMORY = 4 * 2**20
"""Bytes kept in memory: a minute of float32 audio. What is beyond goes to an unnamed file."""

BLOCK = 64
"""Bytes that keeping a block costs besides its own."""


class Spool:
    """Bytes in, bytes out, in order; one writer, one reader, in any threads.

    A client may send hours of audio in seconds. Making it wait would break those that do not answer
    pings while they send, so what cannot be recognised yet waits on the disk.
    """

    def __init__(self) -> None:
        self._blocks: deque[bytes] = deque()  # as they came; what is in the file comes after them
        self._skip = 0  # bytes of the first one that have been read
        self._cost = 0  # of all of them, in bytes
        self._file: BinaryIO | None = None
        self._written = 0  # bytes of the file
        self._read = 0
        self._ended = False
        self._closed = False
        self._changed = threading.Condition()

    def write(self, data: bytes) -> None:
        """Append bytes; a spool that has been closed drops them.

        Raises:
            OSError: the disk is full; what waits is lost.
        """
        with self._changed:
            if self._closed or not data:
                return
            cost = len(data) + BLOCK
            if self._file is None and self._cost + cost <= IN_MEMORY:
                self._blocks.append(data)
                self._cost += cost
            else:
                self._write_to_file(data)
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
        """Take ``size`` bytes; fewer only where no more have come."""
        with self._changed:
            return self._take(size)

    def wait_and_read(self, size: int) -> bytes:
        """Take at most ``size`` bytes, waiting for the first; none only at the end."""
        with self._changed:
            self._changed.wait_for(lambda: self._ended or self._blocks or self._file)
            return self._take(size)

    def close(self) -> None:
        """Free the memory and the file; a reader that waits gets the end."""
        with self._changed:
            self._ended = self._closed = True
            self._forget()
            self._changed.notify()

    def _take(self, size: int) -> bytes:
        taken: list[bytes] = []
        while size and self._blocks:
            taken.append(self._from_first_block(size))
            size -= len(taken[-1])
        if size and self._file is not None:
            self._file.seek(self._read)
            taken.append(self._file.read(min(size, self._written - self._read)))
            self._read += len(taken[-1])
            if self._read == self._written:
                self._close_file()
        return taken[0] if len(taken) == 1 else b"".join(taken)

    def _from_first_block(self, size: int) -> bytes:
        block, start = self._blocks[0], self._skip
        stop = min(len(block), start + size)
        self._skip = stop
        if stop == len(block):
            self._blocks.popleft()
            self._cost -= len(block) + BLOCK
            self._skip = 0
        return block[start:stop]  # all of it is no copy

    def _write_to_file(self, data: bytes) -> None:
        if self._file is None:
            self._file = cast("BinaryIO", tempfile.TemporaryFile())  # noqa: SIM115
        try:
            self._file.seek(self._written)
            self._file.write(data)
            self._file.flush()  # a full disk fails here, and not where somebody reads
        except OSError:
            self._forget()
            raise
        self._written += len(data)

    def _forget(self) -> None:
        self._blocks.clear()
        self._skip = self._cost = 0
        self._close_file()

    def _close_file(self) -> None:
        if self._file is not None:
            with suppress(OSError):  # a full disk; the file goes all the same
                self._file.close()
        self._file = None
        self._written = self._read = 0


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
