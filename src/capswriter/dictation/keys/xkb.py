"""The three requests of X's keyboard extension that tell and set its locks.

They are those of "The X Keyboard Extension: Protocol Specification", version 1.0; python-xlib has
none of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from Xlib.protocol import rq

if TYPE_CHECKING:
    from Xlib.display import Display

EXTENSION = "XKEYBOARD"
CORE_KEYBOARD = 0x100


class _UseExtension(rq.ReplyRequest):  # type: ignore[misc]
    _request = rq.Struct(
        rq.Card8("opcode"),
        rq.Opcode(0),
        rq.RequestLength(),
        rq.Card16("major"),
        rq.Card16("minor"),
    )
    _reply = rq.Struct(
        rq.ReplyCode(),
        rq.Card8("supported"),
        rq.Card16("sequence_number"),
        rq.ReplyLength(),
        rq.Card16("major"),
        rq.Card16("minor"),
        rq.Pad(20),
    )


class _GetState(rq.ReplyRequest):  # type: ignore[misc]
    _request = rq.Struct(
        rq.Card8("opcode"),
        rq.Opcode(4),
        rq.RequestLength(),
        rq.Card16("device"),
        rq.Pad(2),
    )
    _reply = rq.Struct(
        rq.ReplyCode(),
        rq.Card8("device"),
        rq.Card16("sequence_number"),
        rq.ReplyLength(),
        rq.Card8("modifiers"),
        rq.Card8("base"),
        rq.Card8("latched"),
        rq.Card8("locked"),
        rq.Pad(20),
    )


class _LatchLockState(rq.Request):  # type: ignore[misc]
    _request = rq.Struct(
        rq.Card8("opcode"),
        rq.Opcode(5),
        rq.RequestLength(),
        rq.Card16("device"),
        rq.Card8("affected"),
        rq.Card8("locked"),
        rq.Pad(8),
    )


class Locks:
    """The locks of a server's keyboard.

    Args:
        display: a connection that is used for nothing else: whoever uses the extension is told no
            longer when the keyboard's map changes, as others are.
    """

    def __init__(self, display: Display) -> None:
        self._connection = display
        self._display = display.display
        extension = display.query_extension(EXTENSION)
        self.present = bool(extension and extension.present)
        if self.present:
            self._opcode = extension.major_opcode
            self._ask(_UseExtension, major=1, minor=0)

    def locked(self) -> int:
        """The mask of the modifiers that are locked."""
        state = self._ask(_GetState, device=CORE_KEYBOARD)
        locked: int = state.locked
        return locked

    def lock(self, mask: int, *, on: bool) -> None:
        """Lock the modifiers of the mask, or unlock them; done when it returns."""
        locked = mask if on else 0
        self._ask(_LatchLockState, device=CORE_KEYBOARD, affected=mask, locked=locked)
        self._connection.sync()

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def _ask(self, request: Any, **fields: int) -> Any:
        return request(display=self._display, opcode=self._opcode, **fields)
