"""Keys on Windows and macOS, whose calls are faked as pynput makes them."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from capswriter.dictation.keys.base import KeysUnavailable
from capswriter.dictation.keys.hooks import HookKeys
from capswriter.dictation.keys.names import KEYS

DOWN, UP, SYSTEM_DOWN = 0x100, 0x101, 0x104


class Suppressed(Exception):
    pass


class Listener:
    IS_TRUSTED = True

    def __init__(self, **options) -> None:
        self.options = options
        self.runs = False

    def start(self) -> None:
        self.runs = True

    def wait(self) -> None:
        assert self.runs

    def stop(self) -> None:
        self.runs = False

    def suppress_event(self) -> None:
        raise Suppressed


class System:
    """What the listener imports."""

    def __init__(self, *, trusted: bool = True) -> None:
        self.down: set[int] = set()
        self.sent: list[tuple[str, object]] = []
        self.listeners: list[Listener] = []
        self.trusted = trusted

    def load(self, name: str) -> object:
        controller = SimpleNamespace(
            press=lambda key: self.sent.append(("press", key)),
            release=lambda key: self.sent.append(("release", key)),
            click=lambda button: self.sent.append(("click", button)),
        )
        pynput = SimpleNamespace(
            Listener=self._listener,
            Controller=lambda: controller,
            Key=SimpleNamespace(caps_lock="the Caps Lock key", f9="the F9 key"),
            KeyCode=SimpleNamespace(from_vk=lambda number: f"key {number}"),
            Button=SimpleNamespace(x2="the X2 button"),
        )
        state = lambda number: 0x8000 if number in self.down else 0  # noqa: E731
        user32 = SimpleNamespace(GetAsyncKeyState=state)
        quartz = SimpleNamespace(
            CGEventGetIntegerValueField=lambda event, field: event.get(field, 0),
            CGEventGetFlags=lambda event: event.get("flags", 0),
        )
        return {
            "pynput.keyboard": pynput,
            "pynput.mouse": pynput,
            "ctypes": SimpleNamespace(windll=SimpleNamespace(user32=user32)),
            "Quartz": quartz,
        }[name]

    def _listener(self, **options) -> Listener:
        listener = Listener(**options)
        listener.IS_TRUSTED = self.trusted
        self.listeners.append(listener)
        return listener


class Typing:
    """A listener, what it told, and a keyboard of the system's."""

    def __init__(self, platform: str, *keys: str) -> None:
        self.system = System()
        self.told: list[tuple[str, str]] = []
        self.keys = HookKeys(keys, platform, self.system.load)
        self.keys.start(lambda event: self.told.append((type(event).__name__, event.key)))

    def windows(self, message: int, key: str, flags: int = 0) -> bool:
        """Let Windows tell of a key; give whether others get it."""
        judge = self.system.listeners[0].options["win32_event_filter"]
        try:
            assert judge(message, SimpleNamespace(vkCode=KEYS[key].windows, flags=flags)) is False
        except Suppressed:
            return False
        return True

    def windows_button(self, message: int, data: int, flags: int = 0) -> bool:
        judge = self.system.listeners[1].options["win32_event_filter"]
        try:
            judge(message, SimpleNamespace(mouseData=data << 16, flags=flags))
        except Suppressed:
            return False
        return True

    def mac(self, kind: int, key: str, flags: int = 0, *, program: int = 0) -> bool:
        """Let macOS tell of a key; give whether others get it."""
        event = {9: KEYS[key].mac, 41: program, "flags": flags}
        kept = self.system.listeners[0].options["darwin_intercept"](kind, event)
        assert kept is None or kept is event
        return kept is not None


def test_windows_gets_all_but_the_shortcut():
    typing = Typing("win32", "caps_lock")
    assert typing.windows(DOWN, "a")
    assert not typing.windows(DOWN, "caps_lock")
    assert not typing.windows(DOWN, "caps_lock")
    assert typing.windows(UP, "a")
    assert not typing.windows(UP, "caps_lock")
    press, release = ("Press", "caps_lock"), ("Release", "caps_lock")
    assert typing.told == [press, press, release]


def test_windows_lets_injected_keys_through():
    typing = Typing("win32", "caps_lock")
    assert typing.windows(DOWN, "caps_lock", flags=0x10)
    assert typing.windows(UP, "caps_lock", flags=0x90)
    assert typing.told == []


def test_windows_with_alt_is_a_modifier_held():
    typing = Typing("win32", "f9")
    typing.system.down.add(KEYS["alt_l"].windows)
    assert typing.windows(SYSTEM_DOWN, "f9")
    typing.system.down.clear()
    assert not typing.windows(DOWN, "f9")
    # Whatever is held by then, its release belongs to it.
    typing.system.down.add(KEYS["shift_l"].windows)
    assert not typing.windows(UP, "f9")
    assert typing.told == [("Press", "f9"), ("Release", "f9")]


def test_a_modifier_may_be_the_shortcut_on_windows():
    typing = Typing("win32", "ctrl_r")
    assert not typing.windows(DOWN, "ctrl_r")
    assert not typing.windows(UP, "ctrl_r")
    assert len(typing.told) == 2


@pytest.mark.parametrize("platform", ["win32", "darwin"])
def test_escape_is_swallowed_only_while_it_is_claimed(platform):
    typing = Typing(platform, "f9")
    down, up = (DOWN, UP) if platform == "win32" else (10, 11)
    tell = typing.windows if platform == "win32" else typing.mac
    assert tell(down, "esc")
    assert tell(up, "esc")
    typing.keys.claim_escape(claimed=True)
    assert not tell(down, "esc")
    typing.keys.claim_escape(claimed=False)
    assert not tell(up, "esc")
    assert tell(down, "esc")
    assert typing.told == [("Press", "esc"), ("Release", "esc")]


def test_mouse_buttons_on_windows():
    typing = Typing("win32", "mouse_x2")
    assert typing.windows_button(0x20B, 1)
    assert typing.windows_button(0x20B, 2, flags=1)
    assert typing.windows_button(0x200, 0)
    assert not typing.windows_button(0x20B, 2)
    assert not typing.windows_button(0x20C, 2)
    assert typing.told == [("Press", "mouse_x2"), ("Release", "mouse_x2")]
    typing.keys.replay("mouse_x2")
    assert typing.system.sent == [("click", "the X2 button")]


def test_the_mouse_is_not_listened_to_without_need():
    assert len(Typing("win32", "f9").system.listeners) == 1


def test_a_tap_is_replayed_as_a_program_would_type_it():
    typing = Typing("win32", "caps_lock", "a")
    typing.keys.replay("caps_lock")
    typing.keys.replay("a")
    assert typing.system.sent == [
        ("press", "the Caps Lock key"),
        ("release", "the Caps Lock key"),
        ("press", "key 65"),
        ("release", "key 65"),
    ]


def test_macos_gets_all_but_the_shortcut():
    typing = Typing("darwin", "f13")
    assert typing.mac(10, "a")
    assert not typing.mac(10, "f13")
    assert not typing.mac(11, "f13")
    assert typing.mac(10, "f13", program=4711)
    assert typing.mac(10, "f13", flags=0x100008)
    assert typing.told == [("Press", "f13"), ("Release", "f13")]


def test_macos_tells_modifiers_by_their_flags():
    typing = Typing("darwin", "alt_r")
    assert typing.mac(12, "alt_l", flags=0x80020)
    assert not typing.mac(12, "alt_r", flags=0x80040)
    assert not typing.mac(12, "alt_r", flags=0)
    assert typing.told == [("Press", "alt_r"), ("Release", "alt_r")]


def test_macos_without_permission_says_where_to_give_it():
    system = System(trusted=False)
    with pytest.raises(KeysUnavailable, match="Accessibility"):
        HookKeys(["f13"], "darwin", system.load).start(lambda _: None)
    assert not system.listeners[0].runs


@pytest.mark.parametrize("key", ["caps_lock", "num_lock", "f24"])
def test_keys_that_macos_does_not_tell_of_are_refused(key):
    with pytest.raises(KeysUnavailable, match="choose another"):
        HookKeys([key], "darwin", System().load).start(lambda _: None)


def test_stopping_lets_go_of_what_was_down():
    typing = Typing("win32", "f9")
    typing.windows(DOWN, "f9")
    typing.keys.stop()
    assert typing.told == [("Press", "f9"), ("Release", "f9")]
    assert not typing.system.listeners[0].runs


def test_a_missing_library_is_said_with_what_to_install():
    def load(name: str) -> object:
        if name == "ctypes":
            return System().load(name)
        raise ImportError(f"No module named {name!r}")

    with pytest.raises(KeysUnavailable, match="pip install"):
        HookKeys(["f9"], "win32", load).start(lambda _: None)
