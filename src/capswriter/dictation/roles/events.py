"""What an answer consists of: pieces, and one event at its end."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Piece:
    """The next part of the answer."""

    text: str


@dataclass(frozen=True, slots=True)
class Finished:
    """The end of an answer.

    Attributes:
        text: the answer, all pieces in one.
        is_whole: false where the model's limit of tokens has cut it off.
    """

    text: str
    is_whole: bool = True


@dataclass(frozen=True, slots=True)
class Failed:
    """The end of an answer that did not come, or broke off.

    Attributes:
        reason: one line for the user: what happened, and what to do.
        so_far: what had come.
        plain: what was said, with the prefix.
    """

    reason: str
    so_far: str
    plain: str

    @property
    def instead(self) -> str:
        """What to write now: the plain text, but nothing behind a part of an answer."""
        return "" if self.so_far else self.plain


@dataclass(frozen=True, slots=True)
class Stopped:
    """The end of an answer that was stopped.

    Attributes:
        so_far: the pieces that were given until then.
    """

    so_far: str


Event: TypeAlias = Piece | Finished | Failed | Stopped
