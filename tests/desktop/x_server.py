"""A real X server, a window that notes what it gets, and a hand on the keyboard."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PATIENCE_S = 30.0
NEEDED = ("Xvfb", "xdotool", "xset")


@contextmanager
def x_server() -> Iterator[str]:
    """Run Xvfb and give its display; skips where a program is missing."""
    if missing := [program for program in NEEDED if shutil.which(program) is None]:
        pytest.skip(f"not installed: {', '.join(missing)}")
    told, tell = os.pipe()
    command = [
        "Xvfb",
        "-displayfd",
        str(tell),
        "-screen",
        "0",
        "640x480x24",
        "-nolisten",
        "tcp",
        "-noreset",
    ]
    server = subprocess.Popen(
        command, pass_fds=[tell], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    os.close(tell)
    try:
        with os.fdopen(told) as number:
            yield f":{number.readline().strip()}"
    finally:
        server.terminate()
        server.wait()


def until(true: Callable[[], object], what: str = "it") -> None:
    """Wait until something is so."""
    end = time.monotonic() + PATIENCE_S
    while not true():
        assert time.monotonic() < end, f"{what} did not happen"
        time.sleep(0.005)


class Hand:
    """Presses keys through xdotool."""

    def __init__(self, display: str) -> None:
        self._environment = {**os.environ, "DISPLAY": display}

    def run(self, *command: str) -> str:
        return subprocess.run(
            command, env=self._environment, check=True, capture_output=True, text=True
        ).stdout

    def down(self, key: str) -> None:
        self.run("xdotool", *(["mousedown", key] if key.isdigit() else ["keydown", key]))

    def up(self, key: str) -> None:
        self.run("xdotool", *(["mouseup", key] if key.isdigit() else ["keyup", key]))

    def tap(self, *keys: str) -> None:
        self.run("xdotool", "key", *keys)

    def capitals(self) -> bool:
        """Whether the light of Caps Lock is on."""
        words = self.run("xset", "q").split("Caps Lock:")[1].split()
        return words[0] == "on"

    def repeating(self, keycode: int) -> bool:
        lines = self.run("xset", "q").split("auto repeating keys:")[1].split("auto repeat delay")[0]
        digits = "".join(word for word in lines.split() if word != "keys:")
        return bool(int(digits[keycode // 8 * 2 : keycode // 8 * 2 + 2], 16) >> keycode % 8 & 1)


class Window:
    """A window with the focus that notes the keys and buttons it gets."""

    def __init__(self, display: str) -> None:
        from Xlib import X
        from Xlib.display import Display

        self._X = X
        self.display = Display(display)
        screen = self.display.screen()
        mask = X.KeyPressMask | X.KeyReleaseMask | X.ButtonPressMask | X.ButtonReleaseMask
        self._window = screen.root.create_window(
            0, 0, 640, 480, 0, screen.root_depth, override_redirect=True, event_mask=mask
        )
        self._window.map()
        self.display.sync()
        until(lambda: self._window.get_attributes().map_state == X.IsViewable, "the window")
        self._window.set_input_focus(X.RevertToParent, X.CurrentTime)
        self.display.sync()

    def got(self) -> list[str]:
        """What it got since it was asked last: ``+a`` is a press, ``-a`` a release."""
        from Xlib import XK

        self.display.sync()
        names = {value: name[3:] for name, value in vars(XK).items() if name.startswith("XK_")}
        noted = []
        while self.display.pending_events():
            event = self.display.next_event()
            if event.type in {self._X.KeyPress, self._X.KeyRelease}:
                sign = "+" if event.type == self._X.KeyPress else "-"
                keysym = self.display.keycode_to_keysym(event.detail, 0)
                noted.append(sign + names.get(keysym, str(keysym)))
            elif event.type in {self._X.ButtonPress, self._X.ButtonRelease}:
                sign = "+" if event.type == self._X.ButtonPress else "-"
                noted.append(f"{sign}{event.detail}")
        return noted

    def pressed(self) -> list[str]:
        """The presses among them."""
        return [each for each in self.got() if each.startswith("+")]

    def keys_down(self) -> list[int]:
        """Keycodes that are down, as the server sees it."""
        keys = self.display.query_keymap()
        return [code for code in range(256) if keys[code // 8] >> code % 8 & 1]

    def modifiers(self) -> int:
        """The mask of the modifiers that are on."""
        mask: int = self._window.query_pointer().mask
        return mask & 0xFF

    def take_keyboard(self) -> None:
        """Grab the keyboard, as a locked screen does."""
        mode = self._X.GrabModeAsync
        given = self._window.grab_keyboard(False, mode, mode, self._X.CurrentTime)
        assert given == self._X.GrabSuccess

    def give_keyboard_back(self) -> None:
        self.display.ungrab_keyboard(self._X.CurrentTime)
        self.display.sync()

    def close(self) -> None:
        self.display.close()
