"""What text goes through on macOS: Quartz events with characters, and the pasteboard."""

from __future__ import annotations

import ctypes
import importlib
import time
from typing import TYPE_CHECKING, Any

from capswriter.dictation.output.base import (
    MENDED_BY_INSTALLING,
    SOFT_BREAK,
    ClipboardBusy,
    OutputUnavailable,
    PasteKeys,
    Typed,
    Way,
    Window,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

UNITS = 16
"""UTF-16 units in one event; macOS cuts off what is more than 20."""

PAUSE_S = 0.004
"""Seconds between events: programs lose some that come at once."""

TAKEN_S = 0.4
"""Seconds after which a window has taken what is pasted: macOS tells of no fetching."""

RETURN, TAB, LETTER_V = 0x24, 0x30, 0x09
SHIFT, COMMAND = 0x00020000, 0x00100000
EVENT_TAP = 0
"""kCGHIDEventTap."""

TEXT = "public.utf8-plain-text"
NOT_FOR_HISTORIES = "org.nspasteboard.TransientType"
CARBON = "/System/Library/Frameworks/Carbon.framework/Carbon"


class MacDesktop:
    """Windows, keys and pasteboard of macOS.

    Events carry flags of their own, so what is held down does not matter.

    Args:
        load: imports a module by its name.
        carbon: gives the Carbon framework.
    """

    name = "macos"
    paste_keys = PasteKeys.CMD_V
    limits: Sequence[str] = ()

    def __init__(
        self,
        load: Callable[[str], Any] = importlib.import_module,
        carbon: Callable[[], Any] = lambda: ctypes.CDLL(CARBON),
    ) -> None:
        try:
            self._quartz, self._kit = load("Quartz"), load("AppKit")
        except ImportError as missing:
            raise OutputUnavailable(
                f"pyobjc cannot be used ({missing}): {MENDED_BY_INSTALLING}"
            ) from missing
        self._carbon = carbon()

    def missing(self, way: Way) -> str:
        """The permission to type, if it is not given."""
        allowed = getattr(self._quartz, "CGPreflightPostEventAccess", lambda: True)
        if way in {Way.TYPE, Way.PASTE} and not allowed():
            return (
                "macOS lets nobody type without permission: allow your terminal in System "
                "Settings, Privacy & Security, under Accessibility, and start it again"
            )
        return ""

    def focused(self) -> Window | None:
        """The application in front; its windows are told only to those who may see the screen."""
        front = self._kit.NSWorkspace.sharedWorkspace().frontmostApplication()
        if front is None:
            return None
        name = str(front.localizedName() or "")
        return Window(int(front.processIdentifier()), str(front.bundleIdentifier() or ""), name)

    def secret(self) -> bool:
        """Whether a program has asked for secure input, as password fields do."""
        return bool(self._carbon.IsSecureEventInputEnabled())

    def type(self, strokes: str, into: Window | None) -> Typed:
        """Type, until another application comes to the front; see ``Desktop.type``."""
        done = 0
        while done < len(strokes):
            if self._moved(into):
                return Typed(done, "the focus has moved to another window")
            if self.secret():
                return Typed(done, "a password is being asked for")
            character = strokes[done]
            if character in {"\n", "\t", SOFT_BREAK}:
                key = TAB if character == "\t" else RETURN
                self._press(key, SHIFT if character == SOFT_BREAK else 0)
                done += 1
            else:
                piece = _piece(strokes[done:])
                self._press(0, 0, piece)
                done += len(piece)
        return Typed(done)

    def paste(self, text: str, keys: PasteKeys, into: Window | None) -> str:
        """Paste with Command+V and put back what was there; see ``Desktop.paste``."""
        del keys  # there is one way to paste here
        board = self._kit.NSPasteboard.generalPasteboard()
        saved = self._save(board)
        self._set(text, passing=True)
        ours = board.changeCount()
        if self._moved(into):
            self.copy(text)
            return "the focus has moved to another window"
        self._press(LETTER_V, COMMAND)
        time.sleep(TAKEN_S)
        if board.changeCount() == ours:
            board.clearContents()
            board.writeObjects_(saved)
        return ""

    def copy(self, text: str) -> None:
        """Put a text on the pasteboard, where it stays."""
        self._set(text, passing=False)

    def close(self) -> None:
        """Nothing was changed."""

    def _moved(self, into: Window | None) -> bool:
        if into is None:
            return False
        now = self.focused()
        return now is None or now.id != into.id

    def _press(self, key: int, flags: int, characters: str = "") -> None:
        quartz = self._quartz
        for down in (True, False):
            event = quartz.CGEventCreateKeyboardEvent(None, key, down)
            quartz.CGEventSetFlags(event, flags)
            if characters:
                units = len(characters.encode("utf-16-le")) // 2
                quartz.CGEventKeyboardSetUnicodeString(event, units, characters)
            quartz.CGEventPost(EVENT_TAP, event)
        time.sleep(PAUSE_S)

    def _save(self, board: Any) -> list[Any]:
        """Copies of all items, each with all its formats."""
        copies = []
        for item in board.pasteboardItems() or ():
            copy = self._kit.NSPasteboardItem.alloc().init()
            for kind in item.types():
                if (value := item.dataForType_(kind)) is not None:
                    copy.setData_forType_(value, kind)
            copies.append(copy)
        return copies

    def _set(self, text: str, *, passing: bool) -> None:
        board = self._kit.NSPasteboard.generalPasteboard()
        board.clearContents()
        if not board.setString_forType_(text, TEXT):
            raise ClipboardBusy("macOS did not take the text onto its clipboard")
        if passing:
            board.setString_forType_("", NOT_FOR_HISTORIES)


def _piece(strokes: str) -> str:
    """The characters from the beginning that fit into one event."""
    units = 0
    for at, character in enumerate(strokes):
        units += len(character.encode("utf-16-le")) // 2
        if units > UNITS or character in {"\n", "\t", SOFT_BREAK}:
            return strokes[:at]
    return strokes
