"""Every dictation on the disk, from its first block until it is typed."""

from __future__ import annotations

import secrets
import time
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import platformdirs

from capswriter.dictation.journal.disk import Disk
from capswriter.dictation.journal.entry import Entry
from capswriter.dictation.journal.errors import InUse, NoSuchDictation
from capswriter.dictation.journal.files import Files
from capswriter.dictation.journal.record import STATE, UNDER_WAY, Record, State, read_record
from capswriter.dictation.journal.sound import SOUND, mend

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

RETENTION_S = 7 * 24 * 3600.0
"""Seconds for which what is over and done with stays."""

ABANDONED_S = 24 * 3600.0
"""Seconds after which a folder without a dictation is nobody's."""

_OVER = {State.DELIVERED, State.CANCELLED}
_TO_TAKE_UP = UNDER_WAY | {State.UNSENT}


def journal_directory() -> Path:
    """Where the journal is unless somebody says otherwise: in the user's own data."""
    return Path(platformdirs.user_data_path("capswriter", appauthor=False)) / "dictations"


def read_journal(directory: Path | None = None) -> list[Record]:
    """List all dictations, the oldest first; those of a running program included.

    Args:
        directory: of the journal; None for ``journal_directory()``.
    """
    directory = journal_directory() if directory is None else directory
    found = []
    with suppress(OSError):  # nothing there yet; what else is wrong shows when something is written
        found = [read_record(folder) for folder in directory.iterdir() if folder.is_dir()]
    return sorted(filter(None, found), key=lambda record: (record.begun, record.name))


class Journal:
    """The dictations of this program, and those that earlier ones have left.

    It is an async context manager. At its end, what is under way is left as unsent, or as
    uncertain where it was being delivered.

    Args:
        directory: where; None for ``journal_directory()``.
        retention: seconds for which delivered and cancelled ones stay; None for ever. Others are
            never removed.
        on_trouble: gets one line where a dictation cannot be written to the disk.
    """

    def __init__(
        self,
        directory: Path | None = None,
        *,
        retention: float | None = RETENTION_S,
        on_trouble: Callable[[str], None] | None = None,
    ) -> None:
        self.directory = journal_directory() if directory is None else directory
        self._retention = retention
        self._on_trouble = on_trouble
        self._disk: Disk | None = None
        self._ours: set[Entry] = set()

    async def __aenter__(self) -> Journal:
        self._disk = Disk(self._on_trouble)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._disk is not None  # noqa: S101
        for entry in tuple(self._ours):
            entry.release()
        await self._disk.close()
        self._disk = None

    def begin(self) -> Entry:
        """Begin a dictation; this waits for nothing."""
        now = time.time()
        named = datetime.fromtimestamp(now).astimezone().strftime("%Y%m%d-%H%M%S")
        folder = self.directory / f"{named}-{secrets.token_hex(4)}"
        record = Record(folder, now)
        files = Files(folder, self._open.tell)
        self._open.do(partial(files.begin, record))
        return self._entry(record, files)

    async def records(self) -> list[Record]:
        """List all dictations, the oldest first."""
        return await self._open.do(partial(read_journal, self.directory))

    async def recover(self) -> list[Entry]:
        """Take up what earlier programs have left undelivered, the oldest first.

        What was being delivered when a program ended is not among it: it becomes uncertain.
        """
        found: list[Entry] = []
        for record in await self.records():
            if record.state not in _TO_TAKE_UP:
                continue
            try:
                entry = await self.take(record.name)
            except (InUse, NoSuchDictation):
                continue
            if entry.record.state is not State.UNSENT:
                entry.release()
            elif entry.record.text is None and not entry.record.seconds:
                entry.cancel()  # it was killed before the first block
            else:
                found.append(entry)
        return found

    async def take(self, name: str) -> Entry:
        """Take up a dictation of an earlier program, whatever has become of it.

        Args:
            name: of its record.

        Raises:
            NoSuchDictation: there is none.
            InUse: this or another process has it.
        """
        folder = self.directory / name
        if folder.parent != self.directory or await self._open.do(partial(_read, folder)) is None:
            raise NoSuchDictation(f"there is no dictation {name}: 'capswriter history' lists them")
        files = Files(folder, self._open.tell)
        if not await self._open.do(files.take):
            raise InUse(f"the dictation {name} is in the hands of a running client")
        record = await self._open.do(partial(_taken_up, folder, files))
        if record is None:
            await self._open.do(files.release)
            raise NoSuchDictation(f"the dictation {name} has just been removed")
        return self._entry(record, files)

    async def clean(self) -> int:
        """Remove what is over and older than the retention time; tells how many."""
        if self._retention is None:
            return 0
        return await self._open.do(partial(_clean, self.directory, self._retention))

    @property
    def _open(self) -> Disk:
        assert self._disk is not None, "use the journal within 'async with'"  # noqa: S101
        return self._disk

    def _entry(self, record: Record, files: Files) -> Entry:
        entry = Entry(record, files, self._open, self._ours.discard)
        self._ours.add(entry)
        return entry


def _read(folder: Path) -> Record | None:
    return read_record(folder) if folder.is_dir() else None


def _taken_up(folder: Path, files: Files) -> Record | None:
    """Say in a dictation's state that whoever had it is gone."""
    record = read_record(folder)
    if record is None or record.state.is_at_rest:
        return record
    if record.state is State.DELIVERING:
        record = replace(record, state=State.UNCERTAIN, reason="the program ended while typing it")
    else:
        with suppress(OSError):
            mend(record.sound)
        reason = "the program ended before it was typed"
        record = replace(record, state=State.UNSENT, reason=reason, ended=_ended(record))
    files.write(record)
    return record


def _ended(record: Record) -> float:
    if record.ended is not None:
        return record.ended
    return record.begun + record.seconds


def _clean(directory: Path, retention: float) -> int:
    removed, now = 0, time.time()
    for record in read_journal(directory):
        if record.state in _OVER and now - (record.ended or record.begun) > retention:
            files = Files(record.folder, lambda _: None)
            if files.take():
                files.remove()
                removed += 1
    for folder in directory.glob("*-*-*"):
        with suppress(OSError):
            is_empty = not (folder / STATE).exists() and not (folder / SOUND).exists()
            if is_empty and now - folder.stat().st_mtime > ABANDONED_S:
                files = Files(folder, lambda _: None)
                if files.take():
                    files.remove()
    return removed
