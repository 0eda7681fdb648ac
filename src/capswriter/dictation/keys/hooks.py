"""Keys on Windows and macOS, through pynput's hooks: all keys are seen, the shortcut's kept back.

pynput's own ``suppress`` keeps back all keys. Its filters are asked for each event: on Windows the
filter raises what ``suppress_event`` does, on macOS it gives None for the event. What programs
type, marked as injected, is let through: our own replays and texts are among it.

Windows sees Caps Lock only after its hooks, so capitals stay as they are. macOS switches them below
its event taps and tells of no release, so Caps Lock is refused there.
"""

from __future__ import annotations

import importlib
import sys
import time
from typing import TYPE_CHECKING, Any

from capswriter.dictation.keys.base import KeysUnavailable
from capswriter.dictation.keys.names import KEYS, MODIFIERS, find_key
from capswriter.dictation.shortcuts import ESCAPE, Press, Release

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from capswriter.dictation.keys.base import Emit

INJECTED_KEY, INJECTED_BUTTON = 0x12, 0x03
"""Bits of the flags of Windows' hooks."""

KEY_MESSAGES = {0x100: True, 0x104: True, 0x101: False, 0x105: False}
"""WM_KEYDOWN, WM_SYSKEYDOWN, WM_KEYUP and WM_SYSKEYUP; whether each is a press."""

BUTTON_MESSAGES = {
    (0x204, 0): ("mouse_right", True),
    (0x205, 0): ("mouse_right", False),
    (0x207, 0): ("mouse_middle", True),
    (0x208, 0): ("mouse_middle", False),
    (0x20B, 1): ("mouse_x1", True),
    (0x20C, 1): ("mouse_x1", False),
    (0x20B, 2): ("mouse_x2", True),
    (0x20C, 2): ("mouse_x2", False),
}
"""Messages of Windows' mouse hook, with the number of the X button."""

MAC_EVENTS = {10: True, 11: False}
"""kCGEventKeyDown and kCGEventKeyUp; whether each is a press."""

MAC_FLAGS_CHANGED = 12
MAC_BUTTONS = {3: True, 4: False, 25: True, 26: False}
"""kCGEventRightMouseDown, ...Up, kCGEventOtherMouseDown and ...Up."""

MAC_BUTTON_NAMES = {1: "mouse_right", 2: "mouse_middle", 3: "mouse_x1", 4: "mouse_x2"}

MAC_SIDES = {
    "ctrl_l": 0x01,
    "shift_l": 0x02,
    "shift_r": 0x04,
    "cmd_l": 0x08,
    "cmd_r": 0x10,
    "alt_l": 0x20,
    "alt_r": 0x40,
    "ctrl_r": 0x2000,
}
"""The bit of each modifier key among the flags of an event (IOLLEvent.h, NX_DEVICE...KEYMASK)."""

FIELD_KEYCODE, FIELD_BUTTON, FIELD_SOURCE = 9, 3, 41
"""kCGKeyboardEventKeycode, kCGMouseEventButtonNumber and kCGEventSourceUnixProcessID."""


class HookKeys:
    """Listens through pynput.

    Args:
        keys: names of the shortcuts' keys.
        platform: as ``sys.platform`` has it.
        load: imports a module by its name.
    """

    name = "pynput"
    limits: Sequence[str] = ()

    def __init__(
        self,
        keys: Iterable[str],
        platform: str = sys.platform,
        load: Callable[[str], Any] = importlib.import_module,
    ) -> None:
        self._keys = {find_key(key).name for key in keys}
        self._windows = platform == "win32"
        self._load = load
        self._by_number = {
            (key.windows if self._windows else key.mac): key.name
            for key in KEYS.values()
            if not key.is_button
        }
        self._by_number.pop(None, None)
        self._claimed = False
        self._down: set[str] = set()
        self._listeners: list[Any] = []

    def start(self, emit: Emit) -> None:
        """Set the hooks; see ``Keys.start``."""
        self._emit = emit
        self._check_keys()
        keyboard, mouse = self._module("keyboard"), self._module("mouse")
        if self._windows:
            self._state = self._load("ctypes").windll.user32.GetAsyncKeyState
        else:
            self._quartz = self._load("Quartz")
        option = "win32_event_filter" if self._windows else "darwin_intercept"
        filters = (
            (self._windows_key, self._windows_button)
            if self._windows
            else (self._mac_event, self._mac_event)
        )
        modules = [(keyboard, filters[0])]
        if any(KEYS[name].is_button for name in self._keys):
            modules.append((mouse, filters[1]))
        for module, judge in modules:
            listener = module.Listener(**{option: judge})
            self._listeners.append(listener)
            listener.start()
            listener.wait()
            if not self._windows and not listener.IS_TRUSTED:
                self.stop()
                raise KeysUnavailable(
                    "macOS lets nobody listen to keys without permission: allow your terminal in "
                    "System Settings, Privacy & Security, under Accessibility and under Input "
                    "Monitoring, and start it again"
                )

    def claim_escape(self, *, claimed: bool) -> None:
        """Keep Esc back, or let it go its way again."""
        self._claimed = claimed

    def replay(self, key: str) -> None:
        """Send the key as a program would."""
        if KEYS[key].is_button:
            mouse = self._load("pynput.mouse")
            button = getattr(mouse.Button, key.removeprefix("mouse_"))
            mouse.Controller().click(button)
            return
        keyboard = self._load("pynput.keyboard")
        number = KEYS[key].windows if self._windows else KEYS[key].mac
        pressed = getattr(keyboard.Key, key, None) or keyboard.KeyCode.from_vk(number)
        controller = keyboard.Controller()
        controller.press(pressed)
        controller.release(pressed)

    def stop(self) -> None:
        """Take the hooks away."""
        for listener in self._listeners:
            listener.stop()
        self._listeners.clear()
        for name in sorted(self._down):
            self._emit(Release(name, time.monotonic()))
        self._down.clear()

    def _check_keys(self) -> None:
        if self._windows:
            return
        if "caps_lock" in self._keys:
            raise KeysUnavailable(
                "macOS tells when Caps Lock is pressed, not when it is let go, and switches "
                "capitals all the same: choose another key, for instance alt_r or f13"
            )
        for name in sorted(self._keys):
            if not KEYS[name].is_button and KEYS[name].mac is None:
                raise KeysUnavailable(f"a Mac's keyboard has no key {name}: choose another")

    def _module(self, name: str) -> Any:
        try:
            return self._load(f"pynput.{name}")
        except ImportError as missing:
            raise KeysUnavailable(
                f"pynput cannot be used ({missing}): pip install 'capswriter-server[dictate]'"
            ) from missing

    def _windows_key(self, message: int, told: Any) -> bool:
        pressed = KEY_MESSAGES.get(message)
        name = self._by_number.get(told.vkCode)
        if pressed is None or name is None or told.flags & INJECTED_KEY:
            return False
        if self._is_ours(name, pressed=pressed, modified=self._windows_modified(name)):
            self._listeners[0].suppress_event()
        return False  # pynput need not work out what key it is

    def _windows_button(self, message: int, told: Any) -> bool:
        number = told.mouseData >> 16 if message in {0x20B, 0x20C} else 0
        name, pressed = BUTTON_MESSAGES.get((message, number), (None, False))
        if name is None or told.flags & INJECTED_BUTTON:
            return False
        if self._is_ours(name, pressed=pressed, modified=self._windows_modified(name)):
            self._listeners[1].suppress_event()
        return False

    def _windows_modified(self, name: str) -> bool:
        # Asked for, not kept: after Win+L its release never comes.
        return any(self._state(KEYS[each].windows) & 0x8000 for each in MODIFIERS - {name})

    def _mac_event(self, kind: int, event: Any) -> Any:
        read = self._quartz.CGEventGetIntegerValueField
        if read(event, FIELD_SOURCE):
            return event
        flags = self._quartz.CGEventGetFlags(event)
        name: str | None
        if kind in MAC_BUTTONS:
            name, pressed = MAC_BUTTON_NAMES.get(read(event, FIELD_BUTTON)), MAC_BUTTONS[kind]
        elif kind in MAC_EVENTS:
            name, pressed = self._by_number.get(read(event, FIELD_KEYCODE)), MAC_EVENTS[kind]
        elif kind == MAC_FLAGS_CHANGED:
            name = self._by_number.get(read(event, FIELD_KEYCODE))
            pressed = bool(flags & MAC_SIDES.get(name or "", 0))
        else:
            return event
        if name is None:
            return event
        modified = any(flags & bit for each, bit in MAC_SIDES.items() if each != name)
        return None if self._is_ours(name, pressed=pressed, modified=modified) else event

    def _is_ours(self, name: str, *, pressed: bool, modified: bool) -> bool:
        """Whether to keep an event back; tells of it if so."""
        ours = (name in self._keys and not modified) or (name == ESCAPE and self._claimed)
        if name not in self._down and not (ours and pressed):
            return False
        (self._down.add if pressed else self._down.discard)(name)
        # A repetition, and a new press whose release was lost, look the same here.
        self._emit((Press if pressed else Release)(name, time.monotonic()))
        return True
