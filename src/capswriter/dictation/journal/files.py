"""The files of one dictation: its recording, its state, and the lock of whoever has it.

All of it runs in the journal's thread. What the disk does not take is told, once, and kept in
memory: a dictation does not fail because its journal does.
"""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout

from capswriter.dictation.journal.record import write_record
from capswriter.dictation.journal.sound import SOUND, SoundFile, read_sound

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from capswriter.dictation.journal.record import Record

LOCK, SPARE = "lock", "spare"

SPARE_BYTES = 2**14
"""Given back when the disk is full, so that the state can be written all the same."""


class Files:
    """The files of a dictation that this process has.

    Args:
        folder: of the dictation.
        tell: gets one line about trouble with the disk.
    """

    def __init__(self, folder: Path, tell: Callable[[str], None]) -> None:
        self._folder = folder
        self._tell = tell
        self._lock = FileLock(folder / LOCK, timeout=0, mode=0o600, thread_local=False)
        self._sound: SoundFile | None = None
        self._has_told = False

    def begin(self, record: Record) -> None:
        """Make the folder of a new dictation."""
        self._sound = SoundFile(self._folder / SOUND)
        try:
            make_private(self._folder.parent)
            self._folder.mkdir(mode=0o700)
            self._lock.acquire()
            self._set_aside()
            write_record(record, lasting=False)
        except (OSError, Timeout) as error:
            self._complain(error)

    def take(self) -> bool:
        """Take the lock of a dictation that is there; tells whether nobody else has it."""
        try:
            self._lock.acquire()
        except (OSError, Timeout):
            return False
        return True

    def add(self, audio: bytes) -> None:
        """Add samples to the recording."""
        assert self._sound is not None  # noqa: S101
        try:
            self._sound.add(audio)
        except OSError as error:
            self._complain(error)

    def finish(self, record: Record) -> None:
        """End the recording, and write the state."""
        assert self._sound is not None  # noqa: S101
        try:
            self._sound.finish()
        except OSError as error:
            self._complain(error)
        self.write(record)

    def write(self, record: Record, *, lasting: bool = False) -> None:
        """Write the state; ``lasting`` as for ``write_record``."""
        try:
            try:
                write_record(record, lasting=lasting)
            except OSError:
                (self._folder / SPARE).unlink()
                write_record(record, lasting=lasting)
        except OSError as error:
            self._complain(error)

    def read(self) -> bytes:
        """Give the samples.

        Raises:
            OSError: they cannot be read.
        """
        if self._sound is not None:
            return self._sound.read()
        return read_sound(self._folder / SOUND)

    def release(self) -> None:
        """Let others have the dictation."""
        if self._sound is not None:
            self._sound.close()
        with suppress(OSError):
            (self._folder / SPARE).unlink()
        self._lock.release()

    def remove(self) -> None:
        """Remove the dictation, whose lock this process has; what cannot be removed stays."""
        with suppress(OSError):
            # The recording first: without its state it would be taken for one that is unsent.
            for path in sorted(self._folder.iterdir(), key=lambda path: path.name != SOUND):
                if path.name != LOCK:
                    path.unlink()
        self._lock.release()
        with suppress(OSError):
            (self._folder / LOCK).unlink(missing_ok=True)
            self._folder.rmdir()

    def _set_aside(self) -> None:
        handle = os.open(self._folder / SPARE, os.O_WRONLY | os.O_CREAT, 0o600)
        try:
            os.write(handle, os.urandom(SPARE_BYTES))
        finally:
            os.close(handle)

    def _complain(self, error: OSError | Timeout) -> None:
        if self._has_told:
            return
        self._has_told = True
        reason = (getattr(error, "strerror", None) or str(error)).lower()
        self._tell(
            f"this dictation is in memory only, as {self._folder.parent} cannot be written "
            f"({reason}): make room there, or it is lost if the program ends"
        )


def make_private(directory: Path) -> None:
    """Make a folder that is the user's own.

    Raises:
        OSError: it cannot be made so.
    """
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    if os.name == "posix" and directory.stat().st_mode & 0o077:
        directory.chmod(0o700)
