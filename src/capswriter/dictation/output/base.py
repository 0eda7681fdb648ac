"""What an output is made of: where the text goes, how, and what became of it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Protocol

from capswriter.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Sequence

SOFT_BREAK = "\u2028"
"""Among strokes: Shift+Enter, which breaks the line where Enter would send."""

MENDED_BY_INSTALLING = "pip install 'capswriter-server[dictate]'"


class Way(str, Enum):
    """How text leaves the client."""

    TYPE = "type"
    PASTE = "paste"
    CLIPBOARD = "clipboard"
    STDOUT = "stdout"


class Newlines(str, Enum):
    """What a line break in the text is typed as."""

    ENTER = "enter"
    SHIFT_ENTER = "shift-enter"
    SPACE = "space"


class PasteKeys(str, Enum):
    """The keys that paste."""

    CTRL_V = "ctrl+v"
    CTRL_SHIFT_V = "ctrl+shift+v"
    SHIFT_INSERT = "shift+insert"
    CMD_V = "cmd+v"


class How(str, Enum):
    """What became of a text."""

    TYPED = "typed"
    PASTED = "pasted"
    ON_CLIPBOARD = "on the clipboard"
    PRINTED = "printed"
    NOWHERE = "nowhere"
    """Not even on the clipboard; whoever wrote it keeps it."""


@dataclass(frozen=True, slots=True)
class Window:
    """A window that has, or had, the focus.

    Args:
        id: the system's number or name for it; two that are equal are the same window.
        window_class: what kind of window its program says it is.
        process: the program's name.
        title: as it was when it was looked at.
    """

    id: int | str
    window_class: str = ""
    process: str = ""
    title: str = ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a text.

    Args:
        how: where it is.
        why: a line for the user where it is not what was wanted; else empty.
        written: how many characters the window got before it was stopped.
        rest: what the window did not get; where ``how`` is ON_CLIPBOARD it is there.
    """

    how: How
    why: str = ""
    written: int = 0
    rest: str = ""


@dataclass(frozen=True, slots=True)
class Typed:
    """How far typing came.

    Args:
        strokes: how many were sent to the window.
        why: why the rest was not, as the end of a sentence; empty if all were.
    """

    strokes: int
    why: str = ""


class OutputUnavailable(UserError):
    """Text cannot leave in the way that is wanted; the message says what to do instead."""


class ClipboardBusy(Exception):
    """The clipboard could not be saved or set; nothing has been changed."""


class Desktop(Protocol):
    """The windows, the keyboard and the clipboard of one kind of system.

    All of it blocks, and is called from one thread at a time.
    """

    @property
    def name(self) -> str:
        """What the log calls it."""

    @property
    def limits(self) -> Sequence[str]:
        """What it cannot do here, and what to do about it; a sentence each."""

    @property
    def paste_keys(self) -> PasteKeys:
        """The keys that paste in most programs."""

    def missing(self, way: Way) -> str:
        """Why text cannot leave in this way here and what to do, or an empty string."""

    def focused(self) -> Window | None:
        """The window that has the focus, where the system tells."""

    def secret(self) -> bool:
        """Whether a password is being asked for, where the system tells."""

    def type(self, strokes: str, into: Window | None) -> Typed:
        """Type, until the focus leaves the window.

        Args:
            strokes: characters; a line feed is Enter, ``SOFT_BREAK`` Shift+Enter.
            into: None for whatever has the focus, wherever it goes.
        """

    def paste(self, text: str, keys: PasteKeys, into: Window | None) -> str:
        """Paste, and put back what was on the clipboard once the text was taken.

        Returns:
            Why the window has not taken it, as the end of a sentence, the text being left on the
            clipboard; an empty string if it has.

        Raises:
            ClipboardBusy: what is on the clipboard cannot be saved; nothing was changed.
        """

    def copy(self, text: str) -> None:
        """Put a text on the clipboard.

        Raises:
            ClipboardBusy: it cannot be set.
        """

    def close(self) -> None:
        """Put back what was changed."""


def same_window(one: Window | None, other: Window | None) -> bool:
    """Whether both are known and the same."""
    return one is not None and other is not None and one.id == other.id
