"""Names of keys and mouse buttons, and what each system calls them."""

from __future__ import annotations

import difflib
import string
from dataclasses import dataclass

from capswriter.errors import UsageError


@dataclass(frozen=True, slots=True)
class Key:
    """A key or mouse button.

    Args:
        name: what we call it, as pynput does.
        keysym: its name in X; a button's is its number.
        code: its name in the Linux kernel.
        windows: its virtual key code in Windows; of a button, pynput's name.
        mac: its virtual key code in macOS; None where no keyboard of Apple's has it.
    """

    name: str
    keysym: str
    code: str
    windows: int | None = None
    mac: int | None = None

    @property
    def is_button(self) -> bool:
        """Whether it is of the mouse."""
        return self.name.startswith("mouse_")

    @property
    def is_lock(self) -> bool:
        """Whether it switches something on and off."""
        return self.name in {"caps_lock", "num_lock", "scroll_lock"}


_MAC_F = (
    0x7A, 0x78, 0x63, 0x76, 0x60, 0x61, 0x62, 0x64, 0x65, 0x6D,
    0x67, 0x6F, 0x69, 0x6B, 0x71, 0x6A, 0x40, 0x4F, 0x50, 0x5A,
)  # fmt: skip
_MAC_LETTERS = (
    0x00, 0x0B, 0x08, 0x02, 0x0E, 0x03, 0x05, 0x04, 0x22, 0x26, 0x28, 0x25, 0x2E,
    0x2D, 0x1F, 0x23, 0x0C, 0x0F, 0x01, 0x11, 0x20, 0x09, 0x0D, 0x07, 0x10, 0x06,
)  # fmt: skip
_MAC_DIGITS = (0x1D, 0x12, 0x13, 0x14, 0x15, 0x17, 0x16, 0x1A, 0x1C, 0x19)

_LIST = [
    Key("caps_lock", "Caps_Lock", "KEY_CAPSLOCK", 0x14, 0x39),
    Key("num_lock", "Num_Lock", "KEY_NUMLOCK", 0x90),
    Key("scroll_lock", "Scroll_Lock", "KEY_SCROLLLOCK", 0x91),
    Key("esc", "Escape", "KEY_ESC", 0x1B, 0x35),
    Key("space", "space", "KEY_SPACE", 0x20, 0x31),
    Key("tab", "Tab", "KEY_TAB", 0x09, 0x30),
    Key("enter", "Return", "KEY_ENTER", 0x0D, 0x24),
    Key("backspace", "BackSpace", "KEY_BACKSPACE", 0x08, 0x33),
    Key("insert", "Insert", "KEY_INSERT", 0x2D),
    Key("delete", "Delete", "KEY_DELETE", 0x2E, 0x75),
    Key("home", "Home", "KEY_HOME", 0x24, 0x73),
    Key("end", "End", "KEY_END", 0x23, 0x77),
    Key("page_up", "Prior", "KEY_PAGEUP", 0x21, 0x74),
    Key("page_down", "Next", "KEY_PAGEDOWN", 0x22, 0x79),
    Key("up", "Up", "KEY_UP", 0x26, 0x7E),
    Key("down", "Down", "KEY_DOWN", 0x28, 0x7D),
    Key("left", "Left", "KEY_LEFT", 0x25, 0x7B),
    Key("right", "Right", "KEY_RIGHT", 0x27, 0x7C),
    Key("pause", "Pause", "KEY_PAUSE", 0x13),
    Key("print_screen", "Print", "KEY_SYSRQ", 0x2C),
    Key("menu", "Menu", "KEY_COMPOSE", 0x5D, 0x6E),
    Key("backtick", "grave", "KEY_GRAVE", 0xC0, 0x32),
    Key("ctrl_l", "Control_L", "KEY_LEFTCTRL", 0xA2, 0x3B),
    Key("ctrl_r", "Control_R", "KEY_RIGHTCTRL", 0xA3, 0x3E),
    Key("shift_l", "Shift_L", "KEY_LEFTSHIFT", 0xA0, 0x38),
    Key("shift_r", "Shift_R", "KEY_RIGHTSHIFT", 0xA1, 0x3C),
    Key("alt_l", "Alt_L", "KEY_LEFTALT", 0xA4, 0x3A),
    Key("alt_r", "Alt_R", "KEY_RIGHTALT", 0xA5, 0x3D),
    Key("cmd_l", "Super_L", "KEY_LEFTMETA", 0x5B, 0x37),
    Key("cmd_r", "Super_R", "KEY_RIGHTMETA", 0x5C, 0x36),
    Key("mouse_right", "3", "BTN_RIGHT"),
    Key("mouse_middle", "2", "BTN_MIDDLE"),
    Key("mouse_x1", "8", "BTN_SIDE"),
    Key("mouse_x2", "9", "BTN_EXTRA"),
    *(
        Key(f"f{n}", f"F{n}", f"KEY_F{n}", 0x6F + n, _MAC_F[n - 1] if n <= len(_MAC_F) else None)
        for n in range(1, 25)
    ),
    *(
        Key(letter, letter, f"KEY_{letter.upper()}", ord(letter.upper()), mac)
        for letter, mac in zip(string.ascii_lowercase, _MAC_LETTERS, strict=True)
    ),
    *(
        Key(digit, digit, f"KEY_{digit}", ord(digit), mac)
        for digit, mac in zip(string.digits, _MAC_DIGITS, strict=True)
    ),
]

KEYS = {key.name: key for key in _LIST}

MODIFIERS = frozenset(
    f"{modifier}_{side}" for modifier in ("ctrl", "shift", "alt", "cmd") for side in "lr"
)

_ALIASES = {
    "capslock": "caps_lock",
    "numlock": "num_lock",
    "scrolllock": "scroll_lock",
    "escape": "esc",
    "return": "enter",
    "pageup": "page_up",
    "pagedown": "page_down",
    "grave": "backtick",
    "`": "backtick",
    "ctrl": "ctrl_l",
    "shift": "shift_l",
    "alt": "alt_l",
    "alt_gr": "alt_r",
    "cmd": "cmd_l",
    "super": "cmd_l",
    "win": "cmd_l",
    "left_ctrl": "ctrl_l",
    "right_ctrl": "ctrl_r",
    "left_shift": "shift_l",
    "right_shift": "shift_r",
    "left_alt": "alt_l",
    "right_alt": "alt_r",
    "x1": "mouse_x1",
    "x2": "mouse_x2",
}


def find_key(name: str) -> Key:
    """The key of that name, in whatever case, with spaces or hyphens for underscores.

    Raises:
        UsageError: there is none, or a computer cannot do without it.
    """
    plain = name.strip().lower().replace(" ", "_").replace("-", "_")
    plain = _ALIASES.get(plain, plain)
    if plain == "mouse_left":
        raise UsageError("the left mouse button cannot be a shortcut: choose mouse_x1 or mouse_x2")
    if plain in KEYS:
        return KEYS[plain]
    near = difflib.get_close_matches(plain, [*KEYS, *_ALIASES], n=3)
    hint = f"did you mean {' or '.join(near)}?" if near else "for instance caps_lock, f9, mouse_x2"
    raise UsageError(f"there is no key {name!r}; {hint}")
