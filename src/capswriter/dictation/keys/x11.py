"""Keys on an X server: the shortcut's keys are grabbed, nothing else is listened to.

What an X server does (measured with Xvfb 21.1):

- It turns a lock (Caps Lock) on or off before it looks for grabs, so the lock is put back: at once
  when the key goes down, and again when it is let go, which is when the server unlocks.
- A key that activates a grab takes the whole keyboard until it is let go. A text that is typed
  meanwhile would come to us, so the keyboard is given back at once; letting go is then seen by
  asking for the keys that are down. That tells even while the screen is locked.
- A repetition of the key activates the grab again, and windows flicker as they lose the focus, so
  the shortcuts' keys do not repeat while we listen.
- A key that is a modifier has its own modifier on when the server looks for its grab.
"""

from __future__ import annotations

import contextlib
import itertools
import queue
import select
import socket
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from capswriter.dictation.keys.base import KeysUnavailable
from capswriter.dictation.keys.names import find_key
from capswriter.dictation.shortcuts import ESCAPE, Press, Release

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from Xlib.display import Display

    from capswriter.dictation.keys.base import Emit
    from capswriter.dictation.keys.names import Key

POLL_S = 0.01
"""Seconds between looks at a key that is down."""

QUIET_S = 0.25
"""Seconds without a change of the keyboard's map after which the keys are looked for again.

Programs that type change the map with every character.
"""

PATIENCE_S = 5.0

CAPS_LOCK_KEYCODE = 66
"""Where Caps Lock is on every PC keyboard, whatever the layout has made of it."""

ALL_BUTTONS = 5
"""X tells which of the first five buttons are down."""


@dataclass(frozen=True, slots=True)
class _Grabbed:
    """A key as the server knows it.

    Args:
        number: of the key or the button.
        mask: of the modifier that it is, 0 if none.
        lock: of the modifier that it locks, 0 if none.
    """

    key: Key
    number: int
    mask: int = 0
    lock: int = 0


@dataclass(slots=True)
class _Down:
    """A key that is down; ``locked`` is what its lock was before."""

    grabbed: _Grabbed
    locked: bool


class X11Keys:
    """Grabs keys on an X server.

    Args:
        keys: names of the shortcuts' keys.
        display: the server; None for ``$DISPLAY``.
    """

    name = "x11"
    limits: Sequence[str] = ()

    def __init__(self, keys: Iterable[str], display: str | None = None) -> None:
        self._keys = [find_key(key) for key in keys]
        self._display_name = display
        self._commands: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._down: dict[str, _Down] = {}
        self._grabbed: dict[tuple[bool, int], _Grabbed] = {}
        self._escape: _Grabbed | None = None
        self._silenced: set[int] = set()
        self._remap_at: float | None = None
        self._stopping = False
        self._thread: threading.Thread | None = None

    def start(self, emit: Emit) -> None:
        """Connect, grab, and listen in a thread; see ``Keys.start``."""
        self._emit = emit
        self._display = _connect(self._display_name)
        self._root = self._display.screen().root
        from capswriter.dictation.keys.xkb import Locks  # noqa: PLC0415  it needs Xlib

        self._locks = Locks(_connect(self._display_name))
        try:
            if not self._locks.present or not self._display.has_extension("XTEST"):
                raise KeysUnavailable(
                    "this X server has no XKEYBOARD or no XTEST extension: let a shortcut of the "
                    "desktop run 'capswriter dictate --toggle' instead"
                )
            self._grab_all()
        except BaseException:
            self._locks.close()
            self._display.close()
            raise
        self._wake, self._woken = socket.socketpair()
        self._thread = threading.Thread(target=self._run, name="keys", daemon=True)
        self._thread.start()

    def claim_escape(self, *, claimed: bool) -> None:
        """Grab Esc, or let go of it."""
        self._do(self._grab_escape if claimed else self._ungrab_escape)

    def replay(self, key: str) -> None:
        """Toggle the lock, or fake the key with its grab lifted."""
        self._do(lambda: self._replay(key))

    def stop(self) -> None:
        """Let go of everything."""
        if self._thread is None:
            return

        def end() -> None:
            self._stopping = True

        self._do(end)
        self._thread.join(PATIENCE_S)
        self._thread = None
        self._wake.close()
        self._woken.close()

    def _do(self, command: Callable[[], None]) -> None:
        self._commands.put(command)
        self._wake.send(b"x")

    def _run(self) -> None:
        from Xlib.error import ConnectionClosedError  # noqa: PLC0415

        try:
            while not self._stopping:
                self._wait()
                while self._display.pending_events():
                    self._take(self._display.next_event())
                self._look()
            for down in list(self._down.values()):
                self._let_go(down)
            for grabbed in self._grabbed.values():
                self._ungrab(grabbed)
            self._ungrab_escape()
            self._speak_again(self._silenced)
            self._display.sync()
        except (ConnectionClosedError, OSError):  # the server is gone, and with it all we changed
            for name in self._down:
                self._emit(Release(name, time.monotonic()))
        finally:
            for connection in (self._locks, self._display):
                with contextlib.suppress(ConnectionClosedError, OSError):
                    connection.close()

    def _wait(self) -> None:
        if self._display.pending_events():
            timeout: float | None = 0
        elif self._down:
            timeout = POLL_S
        else:
            timeout = None if self._remap_at is None else QUIET_S
        readable, _, _ = select.select([self._display.fileno(), self._woken], [], [], timeout)
        if self._woken in readable:
            self._woken.recv(4096)
        while not self._commands.empty():
            self._commands.get()()
        if self._remap_at is not None and time.monotonic() >= self._remap_at:
            self._remap()

    def _take(self, event: Any) -> None:
        from Xlib import X  # noqa: PLC0415

        if event.type in {X.KeyPress, X.ButtonPress}:
            button = event.type == X.ButtonPress
            grabbed = self._grabbed.get((button, event.detail))
            if grabbed is not None:
                self._press(grabbed, event)
            elif self._escape is not None and not button and event.detail == self._escape.number:
                self._press(self._escape, event)
        elif event.type == X.ButtonRelease:
            grabbed = self._grabbed.get((True, event.detail))
            if grabbed is not None and grabbed.key.name in self._down:
                self._let_go(self._down[grabbed.key.name])
        elif event.type == X.MappingNotify:
            self._display.refresh_keyboard_mapping(event)
            self._remap_at = time.monotonic() + QUIET_S

    def _press(self, grabbed: _Grabbed, event: Any) -> None:
        from Xlib import X  # noqa: PLC0415

        name = grabbed.key.name
        locked = bool(event.state & grabbed.lock)
        if not grabbed.key.is_button:
            self._display.ungrab_keyboard(X.CurrentTime)
            self._display.flush()
        self._look()  # a key that was let go of just before would keep this one from dictating
        if (down := self._down.get(name)) is not None:
            if not grabbed.key.is_button and self._repeats(grabbed.number):
                return
            locked = down.locked
            self._let_go(down)
        self._down[name] = _Down(grabbed, locked)
        if grabbed.lock:
            self._locks.lock(grabbed.lock, on=locked)
        self._emit(Press(name, time.monotonic()))

    def _look(self) -> None:
        """See which keys have been let go."""
        if not self._down:
            return
        keys = self._display.query_keymap()
        buttons = self._root.query_pointer().mask >> 8
        for down in list(self._down.values()):
            number = down.grabbed.number
            if not down.grabbed.key.is_button:
                held = keys[number // 8] >> number % 8 & 1
            else:
                held = number > ALL_BUTTONS or buttons >> (number - 1) & 1
            if not held:
                self._let_go(down)

    def _let_go(self, down: _Down) -> None:
        grabbed = down.grabbed
        del self._down[grabbed.key.name]
        if grabbed.lock:
            self._locks.lock(grabbed.lock, on=down.locked)
        self._emit(Release(grabbed.key.name, time.monotonic()))

    def _replay(self, name: str) -> None:
        from Xlib import X  # noqa: PLC0415
        from Xlib.ext import xtest  # noqa: PLC0415

        grabbed = next((each for each in self._grabbed.values() if each.key.name == name), None)
        if grabbed is None:
            return
        if grabbed.lock:
            self._locks.lock(grabbed.lock, on=not self._locks.locked() & grabbed.lock)
        else:
            button = grabbed.key.is_button
            self._ungrab(grabbed)
            for event in (X.ButtonPress, X.ButtonRelease) if button else (X.KeyPress, X.KeyRelease):
                xtest.fake_input(self._display, event, grabbed.number)
            self._grab(grabbed)
        self._display.flush()

    def _grab_all(self) -> None:
        found = [self._find(key) for key in self._keys]
        for grabbed in found:
            if self._grab(grabbed):
                name = grabbed.key.name
                raise KeysUnavailable(
                    f"another program has taken the key {name} as its own shortcut: choose another "
                    "key, or take it from that program (often the desktop's keyboard settings)"
                )
        self._grabbed = {(each.key.is_button, each.number): each for each in found}
        self._silence({each.number for each in found if not each.key.is_button})
        self._display.sync()

    def _remap(self) -> None:
        """Follow the keys to where the keyboard's map has them now."""
        self._remap_at = None
        try:
            found = [self._find(key) for key in self._keys]
        except KeysUnavailable:  # for the moment, as while a layout is changed
            return
        if set(found) == set(self._grabbed.values()):
            return
        for grabbed in self._grabbed.values():
            self._ungrab(grabbed)
        self._speak_again(self._silenced)
        for grabbed in found:
            self._grab(grabbed)
        self._grabbed = {(each.key.is_button, each.number): each for each in found}
        self._silence({each.number for each in found if not each.key.is_button})
        self._display.flush()

    def _find(self, key: Key) -> _Grabbed:
        from Xlib import XK  # noqa: PLC0415

        if key.is_button:
            return _Grabbed(key, int(key.keysym))
        keysym = XK.string_to_keysym(key.keysym)
        number = self._display.keysym_to_keycode(keysym)
        if not number and key.name == "caps_lock":
            number = CAPS_LOCK_KEYCODE
        if not number:
            raise KeysUnavailable(f"this keyboard has no key {key.name}: choose another")
        mask = self._mask(number)
        # Caps Lock's key may have been made a Control, which nobody wants locked.
        locks = key.is_lock and self._display.keycode_to_keysym(number, 0) == keysym
        return _Grabbed(key, number, mask, mask if locks else 0)

    def _mask(self, number: int) -> int:
        for index, keycodes in enumerate(self._display.get_modifier_mapping()):
            if number in keycodes:
                return 1 << index
        return 0

    def _masks(self, *others: int) -> list[int]:
        """Every way in which the locks, and the other modifiers, may be on."""
        from Xlib import XK  # noqa: PLC0415

        single = {2, *others}
        for keysym in ("Num_Lock", "Scroll_Lock"):
            if number := self._display.keysym_to_keycode(XK.string_to_keysym(keysym)):
                single.add(self._mask(number))
        single.discard(0)
        chosen = itertools.product(*((0, mask) for mask in sorted(single)))
        return [sum(masks) for masks in chosen]

    def _grab(self, grabbed: _Grabbed, *others: int) -> bool:
        """Grab, whether other modifiers are on or not; give whether another program has it."""
        from Xlib import X  # noqa: PLC0415
        from Xlib.error import BadAccess, CatchError  # noqa: PLC0415

        taken = CatchError(BadAccess)
        for mask in self._masks(grabbed.mask, *others):
            if grabbed.key.is_button:
                self._root.grab_button(
                    grabbed.number,
                    mask,
                    False,  # noqa: FBT003  owner_events
                    X.ButtonPressMask | X.ButtonReleaseMask,
                    X.GrabModeAsync,
                    X.GrabModeAsync,
                    X.NONE,
                    X.NONE,
                    onerror=taken,
                )
            else:
                self._root.grab_key(
                    grabbed.number,
                    mask,
                    False,  # noqa: FBT003  owner_events
                    X.GrabModeAsync,
                    X.GrabModeAsync,
                    onerror=taken,
                )
        self._display.sync()
        return taken.get_error() is not None

    def _ungrab(self, grabbed: _Grabbed) -> None:
        from Xlib import X  # noqa: PLC0415

        ungrab = self._root.ungrab_button if grabbed.key.is_button else self._root.ungrab_key
        ungrab(grabbed.number, X.AnyModifier)

    def _grab_escape(self) -> None:
        if self._escape is not None:
            return
        self._escape = self._find(find_key(ESCAPE))
        # A shortcut's own key may be a modifier, and is held now.
        own = {grabbed.mask for grabbed in self._grabbed.values()}
        self._grab(self._escape, *own)
        self._silence({self._escape.number})
        self._display.flush()

    def _ungrab_escape(self) -> None:
        if self._escape is not None:
            self._ungrab(self._escape)
            self._speak_again({self._escape.number})
            self._escape = None
            self._display.flush()

    def _repeats(self, number: int) -> bool:
        repeats = self._display.get_keyboard_control().auto_repeats
        return bool(repeats[number // 8] >> number % 8 & 1)

    def _silence(self, numbers: set[int]) -> None:
        """Let keys not repeat."""
        from Xlib import X  # noqa: PLC0415

        for number in numbers:
            if self._repeats(number):
                self._display.change_keyboard_control(
                    key=number, auto_repeat_mode=X.AutoRepeatModeOff
                )
                self._silenced.add(number)

    def _speak_again(self, numbers: set[int]) -> None:
        """Let keys repeat that we have stopped from it."""
        from Xlib import X  # noqa: PLC0415

        for number in numbers & self._silenced:
            self._display.change_keyboard_control(key=number, auto_repeat_mode=X.AutoRepeatModeOn)
        self._silenced = self._silenced - numbers


def _connect(name: str | None) -> Display:
    try:
        from Xlib import display, error  # noqa: PLC0415
    except ImportError as missing:
        raise KeysUnavailable(
            "python-xlib is not installed: pip install 'capswriter-server[dictate]'"
        ) from missing
    try:
        return display.Display(name)
    except (error.DisplayError, OSError) as refused:
        raise KeysUnavailable(
            f"no X server can be reached ({refused}): run this inside the desktop's session"
        ) from refused
