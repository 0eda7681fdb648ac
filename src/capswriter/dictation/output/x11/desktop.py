"""What text goes through on an X server."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from capswriter.dictation.output.base import ClipboardBusy, PasteKeys, Typed, Way
from capswriter.dictation.output.x11.connection import connect
from capswriter.dictation.output.x11.keyboard import Keyboard
from capswriter.dictation.output.x11.selections import Selections
from capswriter.dictation.output.x11.windows import Windows

if TYPE_CHECKING:
    from collections.abc import Sequence

    from capswriter.dictation.output.base import Window

TAKEN_S = 2.0
"""Seconds that a window may take to fetch what is pasted."""

QUIET_S = 0.1
"""Seconds after the last fetch until the clipboard is put back: some programs fetch twice."""

LOOK_S = 0.005

CONTROL, SHIFT, INSERT, LETTER_V = 0xFFE3, 0xFFE1, 0xFF63, ord("v")

KEYS = {
    PasteKeys.CTRL_V: (CONTROL, LETTER_V),
    PasteKeys.CTRL_SHIFT_V: (CONTROL, SHIFT, LETTER_V),
    PasteKeys.SHIFT_INSERT: (SHIFT, INSERT),
}


class X11Desktop:
    """Windows, keys and clipboard of an X server.

    X does not tell whether a password is being asked for.

    Args:
        display: of the server; None for ``$DISPLAY``.

    Raises:
        OutputUnavailable: there is no server, no python-xlib, or an extension is missing.
    """

    name = "x11"
    limits: Sequence[str] = ()
    paste_keys = PasteKeys.CTRL_V

    def __init__(self, display: str | None = None) -> None:
        self._display = connect(display)
        self._windows = Windows(self._display)
        self._keyboard = Keyboard(self._display, self._windows)
        self._selections = Selections(display)

    def missing(self, way: Way) -> str:  # noqa: ARG002
        """Nothing: what is missing has been told when it was made."""
        return ""

    def focused(self) -> Window | None:
        """The application's window that has the focus."""
        return self._windows.describe(self._windows.owner(self._windows.focus()))

    def secret(self) -> bool:
        """False: X does not tell."""
        return False

    def type(self, strokes: str, into: Window | None) -> Typed:
        """Type, until the focus leaves the window; see ``Desktop.type``."""
        return self._keyboard.type(strokes, int(into.id) if into else 0)

    def paste(self, text: str, keys: PasteKeys, into: Window | None) -> str:
        """Paste and put back what was there; see ``Desktop.paste``."""
        if keys not in KEYS:
            raise ClipboardBusy(f"no keyboard here has {keys.value}")
        # A terminal pastes the primary selection with Shift+Insert, most others the clipboard.
        names = ["CLIPBOARD", "PRIMARY"] if keys is PasteKeys.SHIFT_INSERT else ["CLIPBOARD"]
        saved = {name: self._selections.save(name) for name in names}
        window = int(into.id) if into else self._windows.owner(self._windows.focus())
        for name in names:
            self._selections.offer_text(name, text, passing=True)
        why = self._keyboard.press(KEYS[keys], window)
        if not why and not self._taken(names, window):
            why = f"the window has not taken what was pasted with {keys.value}"
        for name in names:
            if not why or name != "CLIPBOARD":
                self._selections.restore(name, saved[name])
        if why:
            self._selections.offer_text("CLIPBOARD", text)
        return why

    def copy(self, text: str) -> None:
        """Put a text on the clipboard, where it stays while we run."""
        self._selections.offer_text("CLIPBOARD", text)

    def close(self) -> None:
        """Give back borrowed keys, and the clipboard to its manager if there is one."""
        self._selections.close()
        self._keyboard.close()
        self._display.close()

    def _taken(self, names: Sequence[str], window: int) -> bool:
        """Wait until the program of a window has fetched what is offered.

        Programs that keep what was copied fetch it too; a window's program is known by the part of
        its windows' numbers that the server gives to each.
        """
        program = ~self._display.display.info.resource_id_mask
        end = time.monotonic() + TAKEN_S
        seen, since = 0, end
        while (now := time.monotonic()) < end:
            takers = [taker for name in names for taker in self._selections.takers(name)]
            ours = sum(taker & program == window & program for taker in takers)
            if ours > seen:
                seen, since = ours, now
                end = max(end, now + 2 * QUIET_S)
            if seen and now - since >= QUIET_S:
                return True
            time.sleep(LOOK_S)
        return bool(seen)
