"""What a sender tells."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from capswriter.dictation.journal import Entry
    from capswriter.dictation.sending.dictation import Dictation


@dataclass(frozen=True, slots=True)
class Partial:
    """What is known of a dictation so far; the next one takes its place."""

    dictation: Dictation
    text: str


@dataclass(frozen=True, slots=True)
class Recognised:
    """The text of a dictation: it waits to be delivered, or kept, by whoever hears this.

    Args:
        dictation: whose.
        text: empty where nothing was said.
        age: seconds since the speaker had ended.
    """

    dictation: Dictation
    text: str
    age: float

    @property
    def entry(self) -> Entry:
        """What the journal holds of it."""
        return self.dictation.entry


@dataclass(frozen=True, slots=True)
class Failed:
    """A dictation gets no text; its recording stays in the journal.

    Args:
        dictation: whose.
        reason: one line.
    """

    dictation: Dictation
    reason: str


@dataclass(frozen=True, slots=True)
class Away:
    """No server takes dictations, which is told once; they are kept, and sent when one does.

    Args:
        reason: one line.
    """

    reason: str


@dataclass(frozen=True, slots=True)
class Back:
    """A server is there again, after ``Away``."""


@dataclass(frozen=True, slots=True)
class Starting:
    """A server of our own is being started; it is ready when ``Back`` comes."""


Event: TypeAlias = "Partial | Recognised | Failed | Away | Back | Starting"
