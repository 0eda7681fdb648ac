"""What was dictated: the journal, and what the archive still has beyond it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from capswriter.dictation.archive import read_archive, remove_archived
from capswriter.dictation.archive.names import local_time
from capswriter.dictation.journal import InUse, NoSuchDictation, State, read_journal
from capswriter.dictation.journal.files import Files
from capswriter.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from pathlib import Path

    from capswriter.dictation.archive import Archived
    from capswriter.dictation.journal import Record

ARCHIVED = "archived"

NOT_DELIVERED = frozenset({State.UNSENT, State.UNCERTAIN, State.KEPT, State.FAILED})
"""How dictations stand whose text may not be where it was to go."""


@dataclass(frozen=True, slots=True)
class Item:
    """A dictation in the history.

    Args:
        number: 1 for the newest; others get higher ones with each dictation.
        record: in the journal; None where that has it no more.
        archived: in the archive; None where that has it not.
    """

    number: int
    record: Record | None
    archived: Archived | None = None

    @property
    def begun(self) -> datetime:
        """When it began, by the clock on the wall."""
        return local_time(_begun(self.record or self.archived))

    @property
    def name(self) -> str:
        """What it is called, for good."""
        return self.record.name if self.record else self.begun.strftime("%Y%m%d-%H%M%S")

    @property
    def state(self) -> str:
        """How it stands."""
        return self.record.state.value if self.record else ARCHIVED

    @property
    def text(self) -> str:
        """What was delivered, or recognised; empty where nothing was."""
        if self.record is not None:
            return self.record.typed or self.record.text or ""
        return self.archived.text if self.archived else ""

    @property
    def sound(self) -> Path | None:
        """Its recording, the better one; None where there is none."""
        if self.record is not None and self.record.seconds:
            return self.record.sound
        sound = self.archived.sound if self.archived else None
        return sound if sound is not None and sound.is_file() else None

    @property
    def is_unsent(self) -> bool:
        """Whether its text may not be where it was to go."""
        return self.record is not None and self.record.state in NOT_DELIVERED


def read_history(journal: Path | None = None, archive: Path | None = None) -> list[Item]:
    """List all dictations, the newest first.

    Args:
        journal: its folder; None for the user's.
        archive: its folder; None for none.
    """
    kept = [] if archive is None else read_archive(archive)
    both: list[tuple[Record | None, Archived | None]] = []
    for record in read_journal(journal):
        archived = _same(record, kept)
        if archived is not None:
            kept.remove(archived)
        both.append((record, archived))
    both += [(None, each) for each in kept]
    both.sort(key=lambda pair: _begun(pair[0] or pair[1]), reverse=True)
    return [Item(number, *pair) for number, pair in enumerate(both, 1)]


def choose(
    items: Sequence[Item],
    *,
    words: str = "",
    unsent: bool = False,
    limit: int | None = None,
) -> list[Item]:
    """Choose those that are looked for, in their order.

    Args:
        items: all there are.
        words: each of which, separated by spaces, is in the text, in whatever case.
        unsent: whether those that were delivered are left out.
        limit: how many at most.
    """
    wanted = words.casefold().split()
    found = [
        item
        for item in items
        if (item.is_unsent or not unsent) and all(word in item.text.casefold() for word in wanted)
    ]
    return found[:limit]


def find(items: Sequence[Item], which: str) -> Item:
    """Find one by its number or its name.

    Raises:
        NoSuchDictation: there is none.
    """
    number = int(which) if which.isdecimal() else None
    for item in items:
        if item.number == number or item.name == which:
            return item
    raise NoSuchDictation(f"there is no dictation {which}: 'capswriter history' lists them")


def remove(item: Item) -> None:
    """Remove a dictation with its recordings from journal and archive.

    Raises:
        InUse: a running client has it.
        UserError: it cannot be removed.
    """
    if item.record is not None:
        told: list[str] = []
        files = Files(item.record.folder, told.append)
        if not files.take():
            raise InUse(f"the dictation {item.name} is in the hands of a running client")
        files.remove()
        if item.record.sound.exists():
            raise UserError(f"cannot remove {item.record.folder}: see whose it is")
    if item.archived is not None:
        try:
            remove_archived(item.archived)
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise UserError(f"cannot remove it from {item.archived.page}: {reason}") from error


def _begun(one: Record | Archived | None) -> float:
    return one.begun if one else 0.0


def _same(record: Record, archived: Sequence[Archived]) -> Archived | None:
    """Find a dictation of the journal in the archive, which knows no fractions of seconds."""
    said = " ".join((record.typed or record.text or "").split())
    same = [each for each in archived if each.begun == int(record.begun)]
    for each in same:
        if each.text == said:
            return each
    return same[0] if same and said else None
