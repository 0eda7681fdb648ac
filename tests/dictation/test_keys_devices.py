"""Keys from the kernel's input devices, which are faked: what is taken, given on and given back."""

from __future__ import annotations

import contextlib
import os
import socket
import time
from dataclasses import dataclass, field
from types import SimpleNamespace

import pytest

from capswriter.dictation.keys import devices
from capswriter.dictation.keys.base import KeysUnavailable
from capswriter.dictation.keys.devices import DeviceKeys
from capswriter.dictation.keys.names import KEYS

PATIENCE_S = 30.0
SYN, KEY, LED = 0, 1, 17
CODES = {key.code: number for number, key in enumerate(KEYS.values(), start=1)}


def until(true) -> None:
    end = time.monotonic() + PATIENCE_S
    while not true():
        assert time.monotonic() < end
        time.sleep(0.002)


@dataclass(frozen=True)
class Event:
    type: int
    code: int
    value: int


class Readable:
    """Something with a file number whose events a test gives."""

    def __init__(self) -> None:
        self._here, self._there = socket.socketpair()
        self._events: list[Event] = []
        self.gone = False
        self.closed = False

    def fileno(self) -> int:
        return self._here.fileno()

    def give(self, *events: Event) -> None:
        self._events += events
        self._there.send(b"x")

    def unplug(self) -> None:
        self.gone = True
        self._there.send(b"x")

    def read(self) -> list[Event]:
        self._here.recv(4096)
        if self.gone:
            raise OSError(19, "No such device")
        events, self._events = self._events, []
        return events

    def close(self) -> None:
        self.closed = True
        self._here.close()
        self._there.close()


class Source(Readable):
    def __init__(self, name: str, *keys: str) -> None:
        super().__init__()
        self.name = name
        self.codes = [CODES[KEYS[key].code] for key in keys]
        self.down: list[int] = []
        self.grabbed = False
        self.busy = False
        self.lights: list[tuple[int, int]] = []

    def capabilities(self) -> dict[int, list[int]]:
        return {SYN: [], KEY: self.codes}

    def active_keys(self) -> list[int]:
        return self.down

    def grab(self) -> None:
        if self.busy:
            raise OSError(16, "Device or resource busy")
        self.grabbed = True

    def set_led(self, code: int, value: int) -> None:
        self.lights.append((code, value))


class Twin(Readable):
    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name
        self.written: list[tuple[int, int]] = []

    def write_event(self, event: Event) -> None:
        self.write(event.type, event.code, event.value)

    def write(self, kind: int, code: int, value: int) -> None:
        if kind == KEY:
            self.written.append((code, value))

    def syn(self) -> None:
        pass


@dataclass
class Kernel:
    plugged: dict[str, Source]
    twins: list[Twin] = field(default_factory=list)
    forbidden: set[str] = field(default_factory=set)
    ecodes: SimpleNamespace = field(
        default_factory=lambda: SimpleNamespace(ecodes=CODES, EV_SYN=SYN, EV_KEY=KEY, EV_LED=LED)
    )

    def list_devices(self) -> list[str]:
        return [path for path, source in self.plugged.items() if not source.gone]

    def InputDevice(self, path: str) -> Source:  # noqa: N802
        if path in self.forbidden:
            raise PermissionError(13, "Permission denied")
        return self.plugged[path]

    @property
    def UInput(self) -> SimpleNamespace:  # noqa: N802
        def from_device(source: Source, name: str) -> Twin:
            twin = Twin(name)
            self.twins.append(twin)
            return twin

        return SimpleNamespace(from_device=from_device)


def event(key: str, value: int) -> Event:
    return Event(KEY, CODES[KEYS[key].code], value)


def pair(key: str, value: int) -> tuple[int, int]:
    return CODES[KEYS[key].code], value


@pytest.fixture(autouse=True)
def made(monkeypatch: pytest.MonkeyPatch):
    """Closes what a test has made."""
    made: list[Readable] = []
    begin = Readable.__init__

    def note(self: Readable) -> None:
        begin(self)
        made.append(self)

    monkeypatch.setattr(Readable, "__init__", note)
    yield
    for each in made:
        each.close()


@pytest.fixture(autouse=True)
def may_write(monkeypatch: pytest.MonkeyPatch):
    """Whether /dev/uinput may be written; a test may say no."""
    permission = SimpleNamespace(given=True)
    access = os.access
    monkeypatch.setattr(
        devices.os,
        "access",
        lambda path, mode: permission.given if path == "/dev/uinput" else access(path, mode),
    )
    return permission


@contextlib.contextmanager
def listening(kernel: Kernel, *keys: str):
    events: list[tuple[str, str]] = []
    listener = DeviceKeys(keys, kernel)
    listener.start(lambda told: events.append((type(told).__name__, told.key)))
    try:
        yield listener, events
    finally:
        listener.stop()


def keyboard(*more: str) -> Source:
    return Source("A keyboard", "caps_lock", "f9", "esc", "a", "shift_l", *more)


def test_the_shortcut_is_taken_and_the_rest_is_given_on():
    source = keyboard()
    kernel = Kernel({"/dev/input/event0": source})
    with listening(kernel, "caps_lock") as (_, events):
        assert source.grabbed
        source.give(event("caps_lock", 1), event("caps_lock", 2), event("a", 1), event("a", 2))
        source.give(event("a", 0), event("caps_lock", 0))
        until(lambda: len(events) == 2)
        assert events == [("Press", "caps_lock"), ("Release", "caps_lock")]
        assert kernel.twins[0].written == [pair("a", 1), pair("a", 0)]
    assert source.closed
    assert kernel.twins[0].closed


def test_a_tap_is_replayed_by_the_twin():
    kernel = Kernel({"/dev/input/event0": keyboard()})
    with listening(kernel, "caps_lock") as (listener, _):
        listener.replay("caps_lock")
        until(lambda: kernel.twins[0].written == [pair("caps_lock", 1), pair("caps_lock", 0)])


def test_escape_is_swallowed_only_while_it_is_claimed():
    source = keyboard()
    kernel = Kernel({"/dev/input/event0": source})
    with listening(kernel, "f9") as (listener, events):
        twin = kernel.twins[0]
        source.give(event("esc", 1), event("esc", 0))
        until(lambda: len(twin.written) == 2)
        listener.claim_escape(claimed=True)
        source.give(event("esc", 1))
        until(lambda: events == [("Press", "esc")])
        # Its release belongs to it, though it is claimed no longer.
        listener.claim_escape(claimed=False)
        source.give(event("esc", 0), event("a", 1))
        until(lambda: twin.written[2:] == [pair("a", 1)])
        assert events == [("Press", "esc"), ("Release", "esc")]


def test_with_a_modifier_the_key_is_its_own():
    source = keyboard()
    kernel = Kernel({"/dev/input/event0": source})
    with listening(kernel, "caps_lock") as (_, events):
        source.give(event("shift_l", 1), event("caps_lock", 1), event("caps_lock", 0))
        source.give(event("shift_l", 0))
        until(lambda: len(kernel.twins[0].written) == 4)
        assert events == []
        source.give(event("caps_lock", 1))
        until(lambda: events == [("Press", "caps_lock")])


def test_a_modifier_may_be_the_shortcut():
    source = keyboard()
    with listening(Kernel({"/dev/input/event0": source}), "shift_l") as (_, events):
        source.give(event("shift_l", 1), event("shift_l", 0))
        until(lambda: events == [("Press", "shift_l"), ("Release", "shift_l")])


def test_a_device_that_is_unplugged_lets_go_of_what_was_down(monkeypatch):
    monkeypatch.setattr(devices, "RESCAN_S", 0.02)
    source = keyboard()
    kernel = Kernel({"/dev/input/event0": source})
    with listening(kernel, "f9") as (_, events):
        source.give(event("f9", 1))
        until(lambda: len(events) == 1)
        source.unplug()
        until(lambda: events == [("Press", "f9"), ("Release", "f9")])
        fresh = keyboard()
        kernel.plugged["/dev/input/event0"] = fresh
        until(lambda: fresh.grabbed)
        fresh.give(event("f9", 1))
        until(lambda: events[2:] == [("Press", "f9")])


def test_a_release_that_the_kernel_dropped_is_made_up_for():
    source = keyboard()
    with listening(Kernel({"/dev/input/event0": source}), "f9") as (_, events):
        source.give(event("f9", 1), event("f9", 1))
        until(lambda: events == [("Press", "f9"), ("Release", "f9"), ("Press", "f9")])


def test_stopping_lets_go_of_what_was_down():
    source = keyboard()
    with listening(Kernel({"/dev/input/event0": source}), "f9") as (_, events):
        source.give(event("f9", 1))
        until(lambda: len(events) == 1)
    assert events == [("Press", "f9"), ("Release", "f9")]


def test_a_device_is_not_taken_while_a_key_is_down():
    source = keyboard()
    source.down = [pair("a", 1)[0]]
    kernel = Kernel({"/dev/input/event0": source})
    with listening(kernel, "f9") as (_, events):
        assert not source.grabbed
        source.give(event("f9", 1), event("f9", 0))
        source.down = []
        source.give(event("a", 0))
        until(lambda: source.grabbed)
        source.give(event("f9", 1))
        until(lambda: events == [("Press", "f9")])
        assert kernel.twins[0].written == []


def test_lights_are_shown_on_the_real_keyboard():
    source = keyboard()
    kernel = Kernel({"/dev/input/event0": source})
    with listening(kernel, "f9"):
        kernel.twins[0].give(Event(LED, 1, 1))
        until(lambda: source.lights == [(1, 1)])


def test_other_devices_and_our_own_twins_stay_with_the_desktop():
    mouse, twin = Source("A mouse", "mouse_x1"), Source("CapsWriter: A keyboard", "f9", "esc")
    taken = keyboard()
    paths = {"/dev/input/event0": mouse, "/dev/input/event1": twin, "/dev/input/event2": taken}
    kernel = Kernel(paths)
    with listening(kernel, "f9"):
        assert not mouse.grabbed
        assert not twin.grabbed
        assert len(kernel.twins) == 1


def test_a_device_that_another_program_has_is_left_to_it():
    remapped, virtual = keyboard(), Source("keyd virtual keyboard", "f9", "esc")
    remapped.busy = True
    kernel = Kernel({"/dev/input/event0": remapped, "/dev/input/event1": virtual})
    with listening(kernel, "f9") as (_, events):
        assert remapped.closed
        virtual.give(event("f9", 1))
        until(lambda: events == [("Press", "f9")])


def test_what_may_not_be_read_is_said_with_what_to_do():
    kernel = Kernel({"/dev/input/event0": keyboard()}, forbidden={"/dev/input/event0"})
    with pytest.raises(KeysUnavailable, match=r"usermod -aG input.*--toggle"):
        DeviceKeys(["f9"], kernel).start(lambda _: None)


def test_without_uinput_a_lock_is_refused(may_write):
    may_write.given = False
    with pytest.raises(KeysUnavailable, match=r"caps_lock.*uinput"):
        DeviceKeys(["caps_lock"], Kernel({"/dev/input/event0": keyboard()})).start(lambda _: None)


def test_without_uinput_other_keys_are_listened_to_and_that_is_said(may_write):
    may_write.given = False
    source = keyboard()
    with listening(Kernel({"/dev/input/event0": source}), "f9") as (listener, events):
        assert not source.grabbed
        assert "f9" in listener.limits[0]
        source.give(event("f9", 1), event("f9", 2), event("f9", 0))
        until(lambda: events == [("Press", "f9"), ("Release", "f9")])
        listener.replay("f9")
