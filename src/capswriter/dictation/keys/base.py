"""What every source of key events is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeAlias

from capswriter.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from capswriter.dictation.shortcuts import KeyEvent

    Emit: TypeAlias = Callable[[KeyEvent], None]


class KeysUnavailable(UserError):
    """The keyboard cannot be listened to so; the message says what to do."""


class Keys(Protocol):
    """Listens to the keys of the shortcuts, and to Esc where that is claimed.

    A shortcut's key is swallowed: no window sees it, and locks (Caps Lock) are as they were when it
    is let go. With a modifier held (Shift, Ctrl, Alt, Super) it is no shortcut, and goes its way.
    """

    @property
    def name(self) -> str:
        """What the settings and the log call it."""

    @property
    def limits(self) -> Sequence[str]:
        """What it cannot do here, and what to do about it; a sentence each. Known once started."""

    def start(self, emit: Emit) -> None:
        """Begin to listen.

        Args:
            emit: gets every press and release, with the time of ``time.monotonic``; in a thread of
                the listener's own.

        Raises:
            KeysUnavailable: it cannot work here.
        """

    def claim_escape(self, *, claimed: bool) -> None:
        """Listen to Esc and swallow it, or let it go its way again."""

    def replay(self, key: str) -> None:
        """Do what the key does when nobody listens to it, once."""

    def stop(self) -> None:
        """Stop listening; whatever was changed for it is as it was."""
