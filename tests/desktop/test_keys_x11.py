"""Keys on a real X server: what is dictated, what windows get, and what is left behind."""

from __future__ import annotations

import asyncio
import gc
import shutil
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

pytest.importorskip("Xlib", reason="python-xlib is not installed")

from desktop.x_server import Hand, Window, until, x_server

from capswriter.dictation.keys.base import KeysUnavailable
from capswriter.dictation.keys.listen import Listening
from capswriter.dictation.keys.x11 import X11Keys
from capswriter.dictation.shortcuts import Cancel, Mode, Shortcut, Shortcuts, Start, Stop, Why

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

HELD_S = 0.4


@pytest.fixture(scope="module")
def display() -> Iterator[str]:
    with x_server() as display:
        yield display


@pytest.fixture
def hand(display: str) -> Hand:
    hand = Hand(display)
    yield hand
    if hand.capitals():
        hand.tap("Caps_Lock")


@pytest.fixture
def window(display: str) -> Iterator[Window]:
    window = Window(display)
    yield window
    window.close()


class Dictations:
    """What the shortcuts have said, in words."""

    def __init__(self) -> None:
        self.actions: list = []

    def __len__(self) -> int:
        return len(self.actions)

    def words(self) -> list[str]:
        return [type(action).__name__ for action in self.actions]

    def wait(self, *words: str) -> None:
        until(lambda: self.words() == list(words), f"{words}, but {self.words()}")


@contextmanager
def listening(display: str, *shortcuts: Shortcut) -> Iterator[Dictations]:
    """Listen in a thread with a loop of its own."""
    told, ready = Dictations(), threading.Event()
    loop, ended = asyncio.new_event_loop(), asyncio.Event()

    async def listen() -> None:
        machine = Shortcuts(shortcuts)
        async with Listening(machine, X11Keys(machine.keys, display)) as listening:
            ready.set()

            async def collect() -> None:
                async for action in listening:
                    told.actions.append(action)

            task = asyncio.create_task(collect())
            await ended.wait()
            task.cancel()

    thread = threading.Thread(target=lambda: loop.run_until_complete(listen()))
    thread.start()
    try:
        assert ready.wait(30.0)
        yield told
    finally:
        loop.call_soon_threadsafe(ended.set)
        thread.join()
        loop.close()


def test_a_key_that_follows_a_tap_of_another_at_once_is_not_missed(display, hand, window):
    from Xlib import X
    from Xlib.display import Display
    from Xlib.ext import xtest

    presser = Display(display)
    caps, f9 = (presser.keysym_to_keycode(keysym) for keysym in (0xFFE5, 0xFFC6))
    with listening(display, Shortcut("caps_lock"), Shortcut("f9", Mode.TOGGLE)) as told:
        for keycode in (caps, f9):
            xtest.fake_input(presser, X.KeyPress, keycode)
            xtest.fake_input(presser, X.KeyRelease, keycode)
        presser.sync()
        told.wait("Start", "Cancel", "Start")
    presser.close()


def test_holding_caps_lock_starts_and_stops_and_leaves_capitals_alone(display, hand, window):
    with listening(display, Shortcut("caps_lock")) as told:
        hand.down("Caps_Lock")
        told.wait("Start")
        time.sleep(HELD_S)
        assert not hand.capitals()
        hand.up("Caps_Lock")
        told.wait("Start", "Stop")
        until(lambda: not hand.capitals(), "capitals off")
        assert told.actions[1].at - told.actions[0].at >= HELD_S
        assert window.pressed() == []


def test_capitals_that_were_on_stay_on(display, hand, window):
    hand.tap("Caps_Lock")
    assert hand.capitals()
    with listening(display, Shortcut("caps_lock")) as told:
        hand.down("Caps_Lock")
        time.sleep(HELD_S)
        hand.up("Caps_Lock")
        told.wait("Start", "Stop")
        until(hand.capitals, "capitals on")
    assert hand.capitals()


def test_a_tap_toggles_capitals_exactly_once(display, hand, window):
    with listening(display, Shortcut("caps_lock", threshold=2.0)) as told:
        for number in range(1, 5):
            hand.tap("Caps_Lock")
            told.wait(*["Start", "Cancel"] * number)
            until(lambda on=bool(number % 2): hand.capitals() == on, "the toggle")
            time.sleep(0.1)
            assert hand.capitals() == bool(number % 2)
        assert window.pressed() == []


def test_a_tap_on_another_key_reaches_the_window_once(display, hand, window):
    with listening(display, Shortcut("f9", threshold=2.0)) as told:
        hand.tap("F9")
        told.wait("Start", "Cancel")
        got: list[str] = []
        until(lambda: got.extend(window.pressed()) or got, "the key")
        hand.tap("a")
        until(lambda: got.extend(window.pressed()) or len(got) > 1, "a")
        assert got == ["+F9", "+a"]
        assert len(told) == 2


def test_a_held_key_neither_repeats_nor_takes_what_is_typed_meanwhile(display, hand, window):
    with listening(display, Shortcut("f9")) as told:
        hand.down("F9")
        told.wait("Start")
        time.sleep(1.0)  # the server repeats after 0.66 s
        hand.tap("b")
        until(lambda: "+b" in window.got(), "b")
        hand.up("F9")
        told.wait("Start", "Stop")
        assert window.pressed() == []


def test_keys_repeat_again_when_nobody_listens(display, hand, window):
    keycode = window.display.keysym_to_keycode(0xFFC6)
    assert hand.repeating(keycode)
    with listening(display, Shortcut("f9")):
        assert not hand.repeating(keycode)
    assert hand.repeating(keycode)
    hand.tap("F9")
    until(lambda: "+F9" in window.got(), "the key")


def test_escape_cancels_and_is_swallowed_only_then(display, hand, window):
    with listening(display, Shortcut("caps_lock")) as told:
        hand.tap("Escape")
        until(lambda: "+Escape" in window.got(), "Esc at the window")
        hand.down("Caps_Lock")
        told.wait("Start")
        time.sleep(0.5)  # Esc is claimed meanwhile
        hand.down("Escape")
        told.wait("Start", "Cancel")
        time.sleep(1.0)
        hand.up("Escape")
        hand.up("Caps_Lock")
        assert told.actions[1].why is Why.ESCAPE
        until(lambda: not window.keys_down(), "letting go")
        time.sleep(0.05)
        assert window.pressed() == []
        hand.tap("Escape")
        until(lambda: "+Escape" in window.got(), "Esc at the window")
        assert len(told) == 2
        assert not hand.capitals()


@pytest.mark.parametrize("name", ["ctrl_r", "shift_r"])
def test_escape_cancels_while_the_shortcut_is_a_modifier(display, hand, window, name):
    keysym = {"ctrl_r": "Control_R", "shift_r": "Shift_R"}[name]
    with listening(display, Shortcut(name)) as told:
        hand.down(keysym)
        told.wait("Start")
        time.sleep(0.5)  # Esc is claimed meanwhile
        hand.tap("Escape")
        told.wait("Start", "Cancel")
        hand.up(keysym)
    assert not window.keys_down()


def test_toggle_and_auto(display, hand, window):
    toggle, auto = Shortcut("f9", Mode.TOGGLE), Shortcut("f8", Mode.AUTO, threshold=2.0)
    with listening(display, toggle, auto) as told:
        hand.tap("F9")
        told.wait("Start")
        hand.tap("F9")
        told.wait("Start", "Stop")
        hand.tap("F8")
        told.wait("Start", "Stop", "Start")
        hand.tap("F8")
        told.wait("Start", "Stop", "Start", "Stop")
        hand.down("F8")
        time.sleep(2.1)
        hand.up("F8")
        told.wait("Start", "Stop", "Start", "Stop", "Start", "Stop")
        assert window.pressed() == []


@pytest.mark.parametrize(("name", "button"), [("mouse_x2", "9"), ("mouse_middle", "2")])
def test_mouse_buttons(display, hand, window, name, button):
    with listening(display, Shortcut(name, threshold=1.5)) as told:
        hand.down(button)
        told.wait("Start")
        time.sleep(1.6)
        hand.up(button)
        told.wait("Start", "Stop")
        assert window.got() == []
        hand.run("xdotool", "click", button)
        told.wait("Start", "Stop", "Start", "Cancel")
        got: list[str] = []
        until(lambda: got.extend(window.got()) or len(got) == 2, "the click")
        assert got == [f"+{button}", f"-{button}"]


def test_with_a_modifier_the_key_is_its_own(display, hand, window):
    with listening(display, Shortcut("f9")) as told:
        hand.tap("ctrl+F9")
        until(lambda: "+F9" in window.got(), "Ctrl+F9")
        assert len(told) == 0


def test_locks_that_are_on_do_not_matter(display, hand, window):
    hand.tap("Num_Lock")
    hand.tap("Caps_Lock")
    with listening(display, Shortcut("f9", Mode.TOGGLE)) as told:
        hand.tap("F9")
        told.wait("Start")
        hand.tap("Escape")
        told.wait("Start", "Cancel")
    hand.tap("Num_Lock")


def test_two_shortcuts_at_once(display, hand, window):
    with listening(display, Shortcut("caps_lock"), Shortcut("f9")) as told:
        hand.down("Caps_Lock")
        told.wait("Start")
        hand.down("F9")
        time.sleep(HELD_S)
        hand.up("F9")
        hand.up("Caps_Lock")
        told.wait("Start", "Stop")
        assert told.actions[0].key == "caps_lock"
        assert window.pressed() == []


def test_a_second_listener_is_told_that_the_key_is_taken(display, hand):
    with listening(display, Shortcut("f9")):
        other = X11Keys(["f9"], display)
        with pytest.raises(KeysUnavailable, match="f9"):
            other.start(lambda _: None)


@pytest.mark.filterwarnings("ignore")  # python-xlib leaves the sockets open that it has tried
def test_no_server_is_one_line():
    with pytest.raises(KeysUnavailable, match="desktop's session"):
        X11Keys(["f9"], ":4711").start(lambda _: None)
    gc.collect()


def test_a_server_that_goes_away_lets_go_of_what_is_down():
    events: list = []
    with x_server() as display:
        keys = X11Keys(["f9"], display)
        keys.start(events.append)
        Hand(display).down("F9")
        until(lambda: events, "the press")
    until(lambda: len(events) == 2, "the release")
    keys.stop()


def test_typing_that_changes_the_keyboards_map_changes_nothing(display, hand, window):
    with listening(display, Shortcut("caps_lock")) as told:
        hand.run("xdotool", "type", "你好，world")
        time.sleep(0.6)
        hand.down("Caps_Lock")
        told.wait("Start")
        time.sleep(HELD_S)
        hand.up("Caps_Lock")
        told.wait("Start", "Stop")


@pytest.fixture
def layout(hand: Hand) -> Iterator[Callable[..., None]]:
    """Sets options of the keyboard's layout."""
    if shutil.which("setxkbmap") is None:
        pytest.skip("not installed: setxkbmap")

    def choose(*options: str) -> None:
        hand.run("setxkbmap", "-layout", "us", "-option", "")
        for option in options:
            hand.run("setxkbmap", "-option", option)

    yield choose
    choose()


def test_the_shortcut_follows_its_key_when_the_layout_changes(display, hand, window, layout):
    with listening(display, Shortcut("caps_lock")) as told:
        layout("caps:swapescape")
        time.sleep(1.0)
        hand.run("xdotool", "keydown", "Caps_Lock")
        told.wait("Start")
        time.sleep(HELD_S)
        hand.run("xdotool", "keyup", "Caps_Lock")
        told.wait("Start", "Stop")
        until(lambda: not hand.capitals(), "capitals off")


def test_a_caps_lock_that_is_a_control_key_is_never_locked(display, hand, window, layout):
    from Xlib import X
    from Xlib.ext import xtest

    layout("ctrl:nocaps")
    with listening(display, Shortcut("caps_lock", threshold=2.0)) as told:
        for kind in (X.KeyPress, X.KeyRelease):
            xtest.fake_input(window.display, kind, 66)
            window.display.sync()
            time.sleep(0.1)
        told.wait("Start", "Cancel")
        time.sleep(0.2)
        assert len(window.pressed()) == 1
        assert window.modifiers() == 0


def test_letting_go_is_seen_while_another_program_has_the_keyboard(display, hand, window):
    with listening(display, Shortcut("caps_lock"), Shortcut("mouse_middle")) as told:
        hand.down("Caps_Lock")
        told.wait("Start")
        time.sleep(HELD_S)
        window.take_keyboard()
        hand.up("Caps_Lock")
        told.wait("Start", "Stop")
        # While the screen is locked, nobody dictates.
        hand.down("Caps_Lock")
        time.sleep(0.2)
        hand.up("Caps_Lock")
        assert len(told) == 2
        window.give_keyboard_back()
    hand.tap("Caps_Lock")


def test_a_hundred_dictations_and_cancels_leave_nothing_behind(display, hand, window):
    with listening(display, Shortcut("caps_lock", threshold=0.05)) as told:
        for number in range(100):
            hand.down("Caps_Lock")
            until(lambda seen=2 * number + 1: len(told) == seen, "the start")
            time.sleep(0.1)  # Esc is claimed meanwhile
            if number % 2:
                hand.tap("Escape")
            hand.up("Caps_Lock")
            until(lambda seen=2 * number + 2: len(told) == seen, "the end")
            until(lambda: not window.keys_down(), "letting go")
            time.sleep(0.03)
        starts = [action for action in told.actions if isinstance(action, Start)]
        stops = [action for action in told.actions if isinstance(action, Stop)]
        cancels = [action for action in told.actions if isinstance(action, Cancel)]
        assert (len(starts), len(stops), len(cancels)) == (100, 50, 50)
        assert window.pressed() == []
    assert not hand.capitals()
    assert not window.keys_down()
    hand.tap("a")
    until(lambda: "+a" in window.got(), "a")
