"""Names of keys, and which listener works where."""

from __future__ import annotations

import subprocess
import sys

import pytest

from capswriter.dictation.keys.base import KeysUnavailable
from capswriter.dictation.keys.choose import Backend, choose_backend, make_keys
from capswriter.dictation.keys.names import KEYS, find_key
from capswriter.dictation.shortcuts import Shortcut
from capswriter.errors import UsageError

X11 = {"XDG_SESSION_TYPE": "x11", "DISPLAY": ":0"}
WAYLAND = {"XDG_SESSION_TYPE": "wayland", "WAYLAND_DISPLAY": "wayland-0", "DISPLAY": ":0"}


@pytest.mark.parametrize(
    ("platform", "environment", "backend"),
    [
        ("win32", {}, Backend.PYNPUT),
        ("darwin", {"DISPLAY": "/private/tmp/x"}, Backend.PYNPUT),
        ("linux", X11, Backend.X11),
        ("linux", WAYLAND, Backend.EVDEV),
        ("linux", {"DISPLAY": ":0"}, Backend.X11),
        ("linux", {"WAYLAND_DISPLAY": "wayland-0", "DISPLAY": ":0"}, Backend.EVDEV),
        ("linux", {"XDG_SESSION_TYPE": "tty"}, Backend.EVDEV),
        ("linux", {"XDG_SESSION_TYPE": "tty", "DISPLAY": ":99"}, Backend.X11),
        ("linux", {}, Backend.EVDEV),
    ],
)
def test_the_session_says_what_works(platform, environment, backend):
    assert choose_backend(platform=platform, environment=environment) is backend


@pytest.mark.parametrize(
    ("wanted", "platform", "environment"),
    [
        (Backend.X11, "linux", WAYLAND),
        (Backend.X11, "win32", {}),
        (Backend.EVDEV, "darwin", {}),
        (Backend.PYNPUT, "linux", X11),
    ],
)
def test_what_would_hear_nothing_is_refused(wanted, platform, environment):
    with pytest.raises(KeysUnavailable, match="choose"):
        choose_backend(wanted, platform=platform, environment=environment)


def test_what_is_wanted_is_used_where_it_works():
    assert choose_backend(Backend.EVDEV, platform="linux", environment=X11) is Backend.EVDEV
    assert choose_backend(Backend.NONE, platform="linux", environment=WAYLAND) is Backend.NONE


def test_without_shortcuts_nothing_is_listened_to():
    assert make_keys([], Backend.X11) is None
    assert make_keys([Shortcut("f9")], Backend.NONE) is None


@pytest.mark.parametrize(
    ("said", "name"),
    [
        ("Caps Lock", "caps_lock"),
        ("capslock", "caps_lock"),
        ("F9", "f9"),
        ("right-ctrl", "ctrl_r"),
        ("x2", "mouse_x2"),
        (" A ", "a"),
        ("`", "backtick"),
    ],
)
def test_keys_are_found_however_they_are_written(said, name):
    assert find_key(said).name == name


def test_an_unknown_key_is_said_with_those_that_are_near():
    with pytest.raises(UsageError, match="did you mean caps_lock"):
        find_key("cap_lock")
    with pytest.raises(UsageError, match="mouse_x1"):
        find_key("mouse left")


def test_no_two_keys_are_the_same_to_any_system():
    for of in ("keysym", "code", "windows", "mac"):
        known = [getattr(key, of) for key in KEYS.values() if not key.is_button]
        known = [each for each in known if each is not None]
        assert len(known) == len(set(known)), of


def test_the_names_are_those_of_the_libraries():
    xk = pytest.importorskip("Xlib.XK")
    ecodes = pytest.importorskip("evdev").ecodes.ecodes
    for key in KEYS.values():
        assert key.code in ecodes
        assert key.is_button or xk.string_to_keysym(key.keysym), key


def test_it_is_imported_without_any_library_for_keys():
    program = """
import sys
for name in ("Xlib", "pynput", "evdev"):
    sys.modules[name] = None
from capswriter.dictation.keys import base, choose, control, devices, hooks, listen, names, x11
from capswriter.dictation.shortcuts import Shortcut
from capswriter.errors import UserError
for backend in (choose.Backend.X11, choose.Backend.EVDEV, choose.Backend.PYNPUT):
    try:
        choose.make_keys([Shortcut("f9")], backend).start(print)
    except UserError as error:
        print(error)
"""
    done = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True
    )
    assert done.stdout.count("pip install 'capswriter-server[dictate]'") == 2
    assert done.stdout.count("pip install 'capswriter-server[evdev]'") == 1
