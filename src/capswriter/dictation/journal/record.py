"""What the journal knows of a dictation, and how that stands in its state file."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any

from capswriter.dictation.journal.sound import SOUND, seconds_in

if TYPE_CHECKING:
    from pathlib import Path

STATE = "state.json"


class State(Enum):
    """How far a dictation has come."""

    RECORDING = "recording"
    RECORDED = "recorded"
    """It waits for its text."""

    RECOGNISED = "recognised"
    """Its text waits to be delivered."""

    DELIVERING = "delivering"
    """Its first character may have gone out."""

    DELIVERED = "delivered"
    UNCERTAIN = "uncertain"
    """It may have been delivered, in part or whole: it is not delivered again by itself."""

    KEPT = "kept"
    """Its text is there, and was not delivered, on purpose."""

    UNSENT = "unsent"
    """The program ended before it was delivered, or gave up on it for now."""

    CANCELLED = "cancelled"
    FAILED = "failed"
    """There is no text, and sending it again is no use."""

    @property
    def is_at_rest(self) -> bool:
        """Whether nothing more happens to it by itself."""
        return self not in UNDER_WAY

    def may_become(self, other: State) -> bool:
        """Whether this follows; what is at rest goes on when somebody asks for it."""
        return other in _FOLLOWING.get(self, _TAKEN_UP)


UNDER_WAY = frozenset({State.RECORDING, State.RECORDED, State.RECOGNISED, State.DELIVERING})

_ENDS = {State.KEPT, State.UNSENT, State.CANCELLED, State.FAILED}
_TAKEN_UP = {State.RECOGNISED, State.DELIVERING} | _ENDS
_FOLLOWING = {
    State.RECORDING: {State.RECORDED, *_ENDS},
    State.RECORDED: {State.RECOGNISED, *_ENDS},
    State.RECOGNISED: {State.RECOGNISED, State.DELIVERING, State.DELIVERED, *_ENDS},
    State.DELIVERING: {State.DELIVERED, State.UNCERTAIN},
    State.DELIVERED: {State.RECOGNISED, State.DELIVERING},
    State.UNCERTAIN: {State.RECOGNISED, State.DELIVERING},
}


@dataclass(frozen=True, slots=True)
class Record:
    """A dictation in the journal.

    Args:
        folder: where its files are; its name is the dictation's.
        begun: Unix seconds when it began.
        state: how far it has come.
        ended: Unix seconds when the speaker had ended; None where nobody knows.
        text: what was recognised; None while that is not known.
        typed: what was delivered, where that is not ``text``.
        reason: why it failed, or is kept; one line.
    """

    folder: Path
    begun: float
    state: State = State.RECORDING
    ended: float | None = None
    text: str | None = None
    typed: str | None = None
    reason: str | None = None

    @property
    def name(self) -> str:
        """What it is called in the history."""
        return self.folder.name

    @property
    def sound(self) -> Path:
        """Its recording: WAV, 16 kHz, mono, 16 bits."""
        return self.folder / SOUND

    @property
    def seconds(self) -> float:
        """Seconds of its recording that are on the disk."""
        return seconds_in(self.sound)

    def encode(self) -> bytes:
        """Write the state file."""
        keys = ("begun", "ended", "text", "typed", "reason")
        said = {key: getattr(self, key) for key in keys}
        return json.dumps({"state": self.state.value, **said}, ensure_ascii=False).encode()


def read_record(folder: Path) -> Record | None:
    """Read what is known of a dictation; None where there is none.

    A state that cannot be read leaves the recording, which is unsent then.
    """
    with suppress(OSError, ValueError, KeyError, TypeError):
        return _parse(folder, json.loads((folder / STATE).read_bytes()))
    try:
        ended = (folder / SOUND).stat().st_mtime
    except OSError:
        return None
    begun = ended - seconds_in(folder / SOUND)
    return Record(folder, begun, State.UNSENT, ended, reason="its state cannot be read")


def write_record(record: Record, *, lasting: bool) -> None:
    """Write the state file whole or not at all.

    Args:
        record: it takes the place of what was there.
        lasting: whether it has to survive a loss of power from here on.

    Raises:
        OSError: it cannot be written.
    """
    fresh = record.folder / f"{STATE}.new"
    handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(record.encode())
        file.flush()
        if lasting:
            os.fsync(handle)
    fresh.replace(record.folder / STATE)
    if lasting:
        _sync_folder(record.folder)


def _sync_folder(folder: Path) -> None:
    if not hasattr(os, "O_DIRECTORY"):
        return  # Windows: a renamed file is in its log already
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _parse(folder: Path, said: dict[str, Any]) -> Record:
    return Record(
        folder,
        float(said["begun"]),
        State(said["state"]),
        None if said["ended"] is None else float(said["ended"]),
        _line(said["text"]),
        _line(said["typed"]),
        _line(said["reason"]),
    )


def _line(said: object) -> str | None:
    if said is None or isinstance(said, str):
        return said
    raise TypeError(said)
