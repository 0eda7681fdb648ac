"""Types on an X server, whatever the layout has and whatever is held down.

What was measured, and what follows from it:

- Keys are faked through XTEST: many programs do not take events that are merely sent to them.
- A character that the layout lacks borrows a key that means nothing. A program asks what a key
  means when it comes to the key, maybe much later; so no key gets another meaning before the window
  has read all it was sent (``Windows.wait_read``). Some (Tk) look it up before they have taken
  notice of the change: so they must have read of that before the key is pressed. A borrowed key
  keeps its meaning until we close: the next text may need it.
- While a burst of keys is sent, the server serves nobody else, so that the focus cannot move
  between looking at it and typing: what the window got is known to the character. A burst takes
  about a millisecond.
- Modifiers that are down are waited for, then released for good: pressing them again could leave
  one down that was let go of meanwhile. Capitals are taken off for a burst and put back at once,
  while nobody else is served: a press of Caps Lock that saw them off in between would have them
  off for good, as the shortcuts put them back to what they saw. A Caps Lock that is held
  down stays on until it is let go, is perhaps the shortcut of the next dictation, and is left
  alone: Shift is turned about for the layout's letters instead. Each of them may be pressed in the
  middle of a text: with another modifier than it was planned for, a burst is planned anew.
- A key that another program has grabbed takes the whole keyboard with it until that program gives
  it back, and what is typed meanwhile goes there and is lost: so goes the shortcut of the next
  dictation, for the moment until it has been noticed. A burst waits until nobody has the keyboard.
"""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from capswriter.dictation.output.base import SOFT_BREAK, OutputUnavailable, Typed

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from Xlib.display import Display

    from capswriter.dictation.output.x11.windows import Windows

BURST = 16
"""Characters between looks at the focus."""

CLOSING_S = 0.3
"""Seconds after the last text until borrowed keys are given back."""

RELEASE_WAIT_S = 0.5
"""Seconds that a modifier may still be down before it is released."""

GRAB_WAIT_S = 5.0
"""Seconds that another program may have the keyboard."""

GRAB_LOOK_S = 0.005

NONE_DOWN = bytes(32)

FIRST_KEYCODE, LAST_KEYCODE = 9, 255
UNICODE_KEYSYMS = 0x01000000
LATIN_1 = (range(0x20, 0x7F), range(0xA0, 0x100))
GROUP_BITS = 13
"""Where the group is in the state of the pointer."""

KEYBOARD_STATE = 0xFF | 3 << GROUP_BITS
"""Modifiers and group, without the buttons of the mouse."""

# Why a burst was not sent.
MOVED = "the focus has moved to another window"
TAKEN = "another program has the keyboard"
CHANGED = "a modifier was pressed, with which it would mean something else"

KEYSYMS = {"\n": 0xFF0D, SOFT_BREAK: 0xFF0D, "\t": 0xFF09}
SHIFT = 0xFFE1
LOCK = 1 << 1
"""Capitals, among the modifiers."""


class _Stroke(tuple[int, bool]):
    """A keycode, and whether Shift is down."""

    __slots__ = ()


def keysym_of(character: str) -> int:
    """What X calls a character; Latin-1 by its number, the others from 0x01000000 on."""
    if character in KEYSYMS:
        return KEYSYMS[character]
    number = ord(character)
    return number if any(number in each for each in LATIN_1) else UNICODE_KEYSYMS | number


def _is_pair(lower: int, upper: int) -> bool:
    """Whether two keysyms are a small letter and its capital, which locks tell apart."""
    known = all(any(each in part for part in LATIN_1) for each in (lower, upper))
    return known and lower != upper and chr(lower).upper() == chr(upper)


class Layout:
    """What the keys mean, in the group that is on, and which mean nothing.

    Args:
        rows: the keysyms of each keycode from ``FIRST_KEYCODE`` on.
        state: the modifiers and the group that are on.
    """

    def __init__(self, rows: Iterable[Sequence[int]], state: int) -> None:
        self.state = state
        group = state >> GROUP_BITS
        self.keys: dict[int, _Stroke] = {}
        self.free: list[int] = []
        self.borrowed: dict[int, int] = {}
        self._letters: dict[int, tuple[int, int]] = {}
        self.plain: dict[int, int] = {}
        """Keycodes of keysyms without Shift, in whatever group."""
        for keycode, row in enumerate(rows, FIRST_KEYCODE):
            known = [keysym for keysym in row if keysym]
            if not known:
                self.free.append(keycode)
            elif known[0] > UNICODE_KEYSYMS and len(set(known)) == 1 < len(known):
                # Only who borrows a key gives it a single character without another on Shift.
                self.borrowed[known[0]] = keycode
            else:
                self._add(keycode, row, group)
        if state & LOCK:
            self._turn_about()

    def _turn_about(self) -> None:
        """Turn Shift about for letters, as a Caps Lock that is held down does."""
        for keycode, (lower, upper) in self._letters.items():
            self.keys[lower] = _Stroke((keycode, True))
            self.keys[upper] = _Stroke((keycode, False))

    def _add(self, keycode: int, row: Sequence[int], group: int) -> None:
        lower, upper = (*row, 0, 0)[:2]
        self.plain.setdefault(lower, keycode)
        if group == 1 and any(row[2:4]):
            lower, upper = (*row, 0, 0, 0, 0)[2:4]
        elif group > 1:
            return
        if not upper and chr(lower if lower < UNICODE_KEYSYMS else 0).isalpha():
            upper = ord(chr(lower).upper()) if len(chr(lower).upper()) == 1 else 0
        if lower not in self.keys and _is_pair(lower, upper):
            self._letters[keycode] = lower, upper
        self.keys.setdefault(lower, _Stroke((keycode, False)))
        self.keys.setdefault(upper, _Stroke((keycode, True)))


class Keyboard:
    """Types into the window that has the focus.

    Args:
        display: a connection that is used for nothing else meanwhile.
        windows: of that connection.

    Raises:
        OutputUnavailable: the server lacks what it needs.
    """

    def __init__(self, display: Display, windows: Windows) -> None:
        self._display = display
        self._windows = windows
        self._root = display.screen().root
        from capswriter.dictation.keys.xkb import Locks  # noqa: PLC0415  it needs Xlib

        # On the same connection, as no other one is served while keys are sent. It is told no
        # longer when the keyboard's map changes: it reads the map anew for each text.
        self._locks = Locks(display)
        self._unread: set[int] = set()
        """Borrowed keys whose meaning the window may still have to ask for."""
        self._changed = False
        self._lent: set[int] = set()
        self._free = NONE_DOWN
        """Keys that were down when nobody had the keyboard."""
        if not display.has_extension("XTEST") or not self._locks.present:
            raise OutputUnavailable(
                "this X server has no XTEST or no XKEYBOARD extension, so nothing can be typed: "
                "use output clipboard"
            )

    def type(self, strokes: str, into: int) -> Typed:
        """Type until the focus leaves a window.

        Args:
            strokes: as ``Desktop.type`` takes them.
            into: the window of the application; 0 for whatever has the focus.
        """
        done = 0
        while True:
            typed = self._type(strokes[done:], self._ready(), into)
            done += typed.strokes
            if typed.why != CHANGED:
                return Typed(done, typed.why)

    def press(self, keysyms: Sequence[int], into: int) -> str:
        """Press keys together, in the order given, if the window has the focus; give why not."""
        layout = self._ready()
        focus = self._windows.focus()
        if into and self._windows.owner(focus) != into:
            return MOVED
        codes = [layout.plain.get(keysym, 0) for keysym in keysyms]
        if not all(codes):
            return "this keyboard lacks one of the keys that paste"
        events = [(code, True) for code in codes] + [(c, False) for c in codes[::-1]]
        return self._grabbed(events, focus, layout.state)

    def close(self) -> None:
        """Give back the keys that were borrowed."""
        if self._lent:
            time.sleep(CLOSING_S)
            for keycode in self._lent:
                self._display.change_keyboard_mapping(keycode, [(0,)])
            self._display.sync()

    def _type(self, strokes: str, layout: Layout, into: int) -> Typed:
        """Type with one layout; see ``type``."""
        done = 0
        while done < len(strokes):
            planned = self._plan(strokes[done:], layout)
            if self._changed or not planned:
                owner = self._windows.owner(self._windows.focus())
                if not self._windows.wait_read(owner):
                    return Typed(done, "the window does not answer")
                self._changed = False
                if not planned:
                    self._unread.clear()
            sent = self._send_all(planned, layout, into)
            done += sent.strokes
            if sent.why:
                return Typed(done, sent.why)
        return Typed(done)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Have the server serve nobody else, and capitals off."""
        self._display.grab_server()
        locked = 0
        try:
            locked = self._locks.locked() & LOCK
            if locked:
                self._locks.lock(locked, on=False)
            yield
        finally:
            if locked:
                self._locks.lock(locked, on=True)
            self._display.ungrab_server()
            self._display.sync()

    def _state(self) -> int:
        """The modifiers and the group that are on."""
        return int(self._root.query_pointer().mask) & KEYBOARD_STATE

    def _ready(self) -> Layout:
        """The layout, once no modifier is down."""
        self._free = NONE_DOWN
        rows = self._display.get_keyboard_mapping(FIRST_KEYCODE, LAST_KEYCODE - FIRST_KEYCODE + 1)
        self._lift_modifiers()
        with self._alone():
            layout = Layout(rows, self._state())
        self._shift = layout.plain.get(SHIFT, 0)
        return layout

    def _lift_modifiers(self) -> None:
        from Xlib import X  # noqa: PLC0415
        from Xlib.ext import xtest  # noqa: PLC0415

        rows = self._display.get_modifier_mapping()
        keycodes = {
            code for index, row in enumerate(rows) if index != X.LockMapIndex for code in row
        }
        end = time.monotonic() + RELEASE_WAIT_S
        while True:
            keys = self._display.query_keymap()
            down = [code for code in keycodes if code and keys[code // 8] >> code % 8 & 1]
            if not down or time.monotonic() >= end:
                break
            time.sleep(0.005)
        for code in down:
            xtest.fake_input(self._display, X.KeyRelease, code)

    def _plan(self, characters: str, layout: Layout) -> list[_Stroke]:
        """Strokes for as many of the characters as there are keys for before the window reads."""
        planned: list[_Stroke] = []
        for character in characters:
            keysym = keysym_of(character)
            stroke = layout.keys.get(keysym)
            if stroke is not None:
                planned.append(_Stroke((stroke[0], True)) if character == SOFT_BREAK else stroke)
                continue
            keycode = layout.borrowed.get(keysym)
            if keycode is None:
                keycode = self._borrow(keysym, layout)
                if keycode is None:
                    break
            self._unread.add(keycode)
            planned.append(_Stroke((keycode, False)))
        return planned

    def _borrow(self, keysym: int, layout: Layout) -> int | None:
        """Let a key mean a character; None if each may still be unread with another meaning."""
        if layout.free:
            keycode = layout.free.pop()
        else:
            old = next((k for k, code in layout.borrowed.items() if code not in self._unread), None)
            if old is None:
                return None
            keycode = layout.borrowed.pop(old)
        layout.borrowed[keysym] = keycode
        self._lent.add(keycode)
        self._changed = True
        # Twice, so that it is the same with Shift.
        self._display.change_keyboard_mapping(keycode, [(keysym, keysym)])
        return keycode

    def _send_all(self, planned: Sequence[_Stroke], layout: Layout, into: int) -> Typed:
        """Send strokes in bursts until the focus leaves a window, or something else is amiss."""
        sent = 0
        focus = 0
        while sent < len(planned):
            now = self._windows.focus()
            if now != focus:
                focus, owner = now, self._windows.owner(now)
            if not focus or (into and owner != into):
                return Typed(sent, MOVED)
            burst = planned[sent : sent + BURST]
            why = self._send(burst, focus, layout.state)
            if not why:
                sent += len(burst)
            elif why != MOVED:  # it may have moved within the application
                return Typed(sent, why)
        return Typed(sent)

    def _send(self, burst: Iterable[_Stroke], focus: int, state: int) -> str:
        events: list[tuple[int, bool]] = []
        shifted = False
        for keycode, shift in burst:
            if shift != shifted:
                events.append((self._shift, shift))
                shifted = shift
            events += [(keycode, True), (keycode, False)]
        if shifted:
            events.append((self._shift, False))
        return self._grabbed(events, focus, state)

    def _grabbed(self, events: Iterable[tuple[int, bool]], focus: int, state: int) -> str:
        """Press and release keys, once nobody has the keyboard; give why not, if it cannot be.

        Args:
            events: keycodes, and whether each goes down.
            focus: the window that has to have the focus, which cannot move meanwhile.
            state: the modifiers and the group that have to be on.
        """
        end = time.monotonic() + GRAB_WAIT_S
        while (why := self._try(events, focus, state)) == TAKEN and time.monotonic() < end:
            time.sleep(GRAB_LOOK_S)
        return why

    def _try(self, events: Iterable[tuple[int, bool]], focus: int, state: int) -> str:
        from Xlib import X  # noqa: PLC0415
        from Xlib.ext import xtest  # noqa: PLC0415

        with self._alone():
            if self._windows.focus() != focus:
                return MOVED
            if self._is_taken():
                return TAKEN
            if self._state() != state:
                return CHANGED
            for keycode, down in events:
                xtest.fake_input(self._display, X.KeyPress if down else X.KeyRelease, keycode)
            self._windows.focus()  # its reply comes when the keys have gone to their window
            return ""

    def _is_taken(self) -> bool:
        """Whether another program has the keyboard because of a key that is down.

        Only who asks for the keyboard is told, and windows flicker as they lose the focus to who
        gets it: so it is asked for once with the same keys down, and never
        with none.
        """
        from Xlib import X  # noqa: PLC0415

        down = bytes(self._display.query_keymap())
        if down == self._free:
            return False
        mode = X.GrabModeAsync
        given = self._root.grab_keyboard(False, mode, mode, X.CurrentTime)  # noqa: FBT003
        if given != X.GrabSuccess:
            return True
        self._display.ungrab_keyboard(X.CurrentTime)
        self._free = down
        return False
