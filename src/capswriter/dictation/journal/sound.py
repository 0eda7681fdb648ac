"""A WAV file that grows, and is one whenever the program is killed.

Until it is finished, its header says that the sound goes on to the end of the file, as streams of
WAV do. A reader of ours goes by the file alone.
"""

from __future__ import annotations

import os
import struct
from typing import TYPE_CHECKING

from capswriter.audio import SAMPLE_RATE

if TYPE_CHECKING:
    from pathlib import Path

SOUND = "audio.wav"

HEADER = 44
"""Bytes before the first sample."""

BYTES_PER_S = SAMPLE_RATE * 2
OPEN_END = 2**32 - 1


def header(size: int | None = None) -> bytes:
    """Make the header for so many bytes of sound, or for as many as will come."""
    if size is None or size + HEADER > OPEN_END:
        size, rest = OPEN_END, OPEN_END
    else:
        rest = size + HEADER - 8
    form = struct.pack("<IHHIIHH", 16, 1, 1, SAMPLE_RATE, BYTES_PER_S, 2, 16)  # PCM, mono, 16 bits
    return struct.pack("<4sI8s20s4sI", b"RIFF", rest, b"WAVEfmt ", form, b"data", size)


class SoundFile:
    """Takes sound as it comes.

    What cannot be written now waits in memory, and is tried again with what comes next.

    Args:
        path: of a file that is not there yet.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._unwritten = bytearray(header())
        self._written = 0
        self._handle: int | None = None

    @property
    def is_whole(self) -> bool:
        """Whether all of it is in the file."""
        return not self._unwritten

    def add(self, audio: bytes) -> None:
        """Add 16-bit samples.

        Raises:
            OSError: they cannot be written now, and wait.
        """
        self._unwritten += audio
        if self._handle is None:
            flags = os.O_WRONLY | os.O_CREAT | getattr(os, "O_BINARY", 0)
            self._handle = os.open(self._path, flags, 0o600)
        while self._unwritten:
            count = os.write(self._handle, self._unwritten)
            del self._unwritten[:count]
            self._written += count

    def finish(self) -> None:
        """Give it a header that knows its length, and let it survive a loss of power.

        Raises:
            OSError: it cannot be written.
        """
        self.add(b"")
        assert self._handle is not None  # noqa: S101
        os.lseek(self._handle, 0, os.SEEK_SET)
        os.write(self._handle, header(self._written - HEADER))
        os.lseek(self._handle, 0, os.SEEK_END)
        os.fsync(self._handle)

    def close(self) -> None:
        """Give the file back to the system."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None

    def read(self) -> bytes:
        """Give all samples, those too that could not be written.

        Raises:
            OSError: the file cannot be read.
        """
        begin = self._path.read_bytes()[: self._written] if self._written else b""
        return _even((begin + bytes(self._unwritten))[HEADER:])


def read_sound(path: Path) -> bytes:
    """Give the 16-bit samples of a file; what a kill has left of one included.

    Raises:
        OSError: it cannot be read.
    """
    return _even(path.read_bytes()[HEADER:])


def seconds_in(path: Path) -> float:
    """Tell how long a recording is, by the size of its file; 0 where there is none."""
    try:
        return max(0, path.stat().st_size - HEADER) // 2 / SAMPLE_RATE
    except OSError:
        return 0.0


def mend(path: Path) -> None:
    """Give what a kill has left of a file a header that knows its length.

    Raises:
        OSError: it cannot be read or written.
    """
    size = path.stat().st_size
    if size <= HEADER:
        return
    with path.open("r+b") as file:
        file.write(header((size - HEADER) // 2 * 2))


def _even(audio: bytes) -> bytes:
    return audio[: len(audio) // 2 * 2]
