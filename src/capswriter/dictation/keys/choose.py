"""Which listener works here."""

from __future__ import annotations

import os
import sys
from enum import Enum
from typing import TYPE_CHECKING

from capswriter.dictation.keys.base import Keys, KeysUnavailable
from capswriter.dictation.keys.names import find_key

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from capswriter.dictation.shortcuts import Shortcut


class Backend(str, Enum):
    """How keys are listened to."""

    AUTO = "auto"
    X11 = "x11"
    EVDEV = "evdev"
    PYNPUT = "pynput"
    NONE = "none"
    """Not at all: ``capswriter dictate --toggle`` controls it."""


def choose_backend(
    wanted: Backend = Backend.AUTO,
    *,
    platform: str = sys.platform,
    environment: Mapping[str, str] = os.environ,
) -> Backend:
    """Choose by the system and the kind of session.

    Args:
        wanted: by the user.
        platform: as ``sys.platform`` has it.
        environment: of the session.

    Raises:
        KeysUnavailable: what is wanted does not exist here, or would hear nothing.
    """
    hooks = platform in {"win32", "darwin"}
    if wanted is Backend.NONE:
        return wanted
    if wanted is Backend.AUTO:
        if hooks:
            return Backend.PYNPUT
        # A program on X inside of Wayland hears only its own windows' keys.
        return Backend.EVDEV if _is_wayland(environment) or not _has_x(environment) else Backend.X11
    if hooks != (wanted is Backend.PYNPUT):
        there = "Windows and macOS" if wanted is Backend.PYNPUT else "Linux"
        raise KeysUnavailable(f"keys through {wanted.value} are for {there}: choose auto")
    if wanted is Backend.X11 and _is_wayland(environment):
        raise KeysUnavailable(
            "in a Wayland session X hears the keys of its own windows only: choose evdev, or let a "
            "shortcut of the desktop run 'capswriter dictate --toggle'"
        )
    return wanted


def make_keys(shortcuts: Iterable[Shortcut], backend: Backend) -> Keys | None:
    """Make the listener for the keys of shortcuts, not started yet.

    Args:
        shortcuts: with names as ``find_key`` gives them.
        backend: as ``choose_backend`` gives it.

    Raises:
        KeysUnavailable: what it needs is not installed.
        UsageError: there is no such key.
    """
    names = [find_key(shortcut.key).name for shortcut in shortcuts]
    # Each is imported when it is used: the others' libraries may not be there.
    if backend is Backend.NONE or not names:
        return None
    if backend is Backend.X11:
        from capswriter.dictation.keys.x11 import X11Keys  # noqa: PLC0415

        return X11Keys(names)
    if backend is Backend.EVDEV:
        from capswriter.dictation.keys.devices import DeviceKeys  # noqa: PLC0415

        return DeviceKeys(names)
    from capswriter.dictation.keys.hooks import HookKeys  # noqa: PLC0415

    return HookKeys(names)


def _is_wayland(environment: Mapping[str, str]) -> bool:
    kind = environment.get("XDG_SESSION_TYPE", "")
    return kind == "wayland" or (kind != "x11" and bool(environment.get("WAYLAND_DISPLAY")))


def _has_x(environment: Mapping[str, str]) -> bool:
    return bool(environment.get("DISPLAY"))
