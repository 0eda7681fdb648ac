"""An icon in the tray that shows how dictation stands, with a small menu.

pystray puts it there; on X11 without the libraries of GTK, ``tray_x11.py`` does, where it has no
menu: a click pauses and goes on. On macOS an icon belongs to the main thread, which the program
needs for itself: there is none.
"""

from __future__ import annotations

import logging
import sys
import time
from contextlib import suppress
from enum import Enum
from queue import SimpleQueue
from threading import Event, Thread
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from PIL.Image import Image

SIZE = 64
"""Pixels; desktops draw it smaller."""

TRAY_S = 60.0
"""Seconds to wait for a tray: a program that the session starts may be there before the panel."""

LOOK_S = 1.0
CLOSING_S = 2.0

MISSING = "pip install 'capswriter-server[dictate]'"
NO_TRAY = (
    "this desktop has none for X11 programs; GNOME and Wayland need python3-gi, "
    "gir1.2-ayatanaappindicator3-0.1, and the desktop's extension for indicators"
)

_log = logging.getLogger(__name__)


class TrayState(str, Enum):
    """How dictation stands."""

    IDLE = "idle"
    RECORDING = "recording"
    WAITING = "waiting"
    """For a text, or for a server."""

    TROUBLE = "trouble"
    PAUSED = "paused"
    """Nothing is listened to, as the user wants."""


COLOURS = {
    TrayState.IDLE: "#3b82f6",
    TrayState.RECORDING: "#dc2626",
    TrayState.WAITING: "#d97706",
    TrayState.TROUBLE: "#7f1d1d",
    TrayState.PAUSED: "#6b7280",
}


class NoTray(Exception):
    """There is no tray here; the message says why."""


class Tray:
    """The icon; absent where there is no tray, which one line in the log says.

    What is clicked comes in the event loop's thread. ``show`` may be called from any thread, waits
    for nothing and raises nothing.

    Args:
        loop: that gets what is clicked.
        pause: gets whether nothing shall be listened to from now on.
        open_history: shows where dictations are kept.
        end: ends the program.
        make_icon: makes the library's icon; of pystray by default.
        patience: seconds to wait for a tray.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        *,
        pause: Callable[[bool], None],
        open_history: Callable[[], None],
        end: Callable[[], None],
        make_icon: Callable[[Tray], Any] | None = None,
        patience: float = TRAY_S,
    ) -> None:
        self.is_paused = False
        """Whether the user wants nothing to be listened to."""
        self.is_there = False
        """Whether there is an icon."""
        self._loop = loop
        self._pause = pause
        self._open_history = open_history
        self._end = end
        self._make_icon = _make_icon if make_icon is None else make_icon
        self._patience = patience
        self._state = TrayState.IDLE, ""
        self._news: SimpleQueue[TrayState | None] = SimpleQueue()
        self._closing = Event()
        self._thread: Thread | None = None

    def start(self) -> None:
        """Put the icon there, as soon as there is a tray."""
        # pystray's own threads are daemons as this one is: one that hangs holds up nothing.
        self._thread = Thread(target=self._run, name="tray", daemon=True)
        self._thread.start()

    def show(self, state: TrayState, title: str = "") -> None:
        """Show how it stands.

        Args:
            state: the picture.
            title: what is said when the mouse is over it; the state by default.
        """
        self._state = state, title
        self._news.put(state)

    def close(self) -> None:
        """Take the icon away; this takes at most two seconds."""
        self._closing.set()
        self._news.put(None)
        if self._thread is not None:
            self._thread.join(CLOSING_S)

    def toggle_pause(self) -> None:
        """Pause, or go on: what the menu's first entry does, and a click where there is no menu."""
        self.is_paused = not self.is_paused
        self._tell(self._pause, self.is_paused)
        self._news.put(self._state[0])

    def open_history(self) -> None:
        """Do what the menu's second entry does."""
        self._tell(self._open_history)

    def end(self) -> None:
        """Do what the menu's last entry does."""
        self._tell(self._end)

    @property
    def shown(self) -> tuple[TrayState, str]:
        """What is to be shown, and its title."""
        state, title = self._state
        if self.is_paused and state in {TrayState.IDLE, TrayState.TROUBLE}:
            state, title = TrayState.PAUSED, ""
        return state, title or f"CapsWriter: {state.value}"

    def _tell(self, callback: Callable[..., None], *arguments: object) -> None:
        with suppress(RuntimeError):  # the loop has ended
            self._loop.call_soon_threadsafe(callback, *arguments)

    def _run(self) -> None:
        try:
            icon = self._wait_for_icon()
            if icon is not None:
                icon.run(setup=self._paint)
        except NoTray as error:
            _log.info("there is no icon in the tray: %s", error)
        except Exception as error:  # noqa: BLE001  libraries of many desktops, with errors of all kinds
            _log.info("there is no icon in the tray: %s", error or type(error).__name__)
        self.is_there = False

    def _wait_for_icon(self) -> Any:
        until = time.monotonic() + self._patience
        while not self._closing.is_set():
            try:
                return self._make_icon(self)
            except NoTray:
                if time.monotonic() > until:
                    raise
            self._closing.wait(LOOK_S)
        return None

    def _paint(self, icon: Any) -> None:
        """Keep the icon as it should be, in a thread that the library starts for this."""
        painted = None
        try:
            self._news.put(self._state[0])
            while self._news.get() is not None:
                if painted != self.shown:
                    painted = self.shown
                    icon.icon, icon.title = draw(painted[0]), painted[1]
                    icon.visible = True
                    self.is_there = True
        except Exception as error:  # noqa: BLE001  the display may be gone
            _log.info("the icon in the tray is gone: %s", error or type(error).__name__)
        finally:
            icon.stop()


def draw(state: TrayState) -> Image:
    """Draw the icon of a state, which is known by its shape too, not by its colour alone."""
    from PIL import Image, ImageDraw  # noqa: PLC0415  is there only where somebody dictates

    image = Image.new("RGBA", (SIZE, SIZE), (0, 0, 0, 0))
    brush = ImageDraw.Draw(image)
    brush.rounded_rectangle((1, 1, SIZE - 2, SIZE - 2), 14, COLOURS[state])
    white = "white"
    if state is TrayState.RECORDING:
        brush.ellipse((16, 16, 47, 47), white)
    elif state is TrayState.WAITING:
        for left in (11, 27, 43):
            brush.ellipse((left, 27, left + 9, 36), white)
    elif state is TrayState.TROUBLE:
        brush.rounded_rectangle((28, 12, 35, 38), 3, white)
        brush.ellipse((27, 44, 36, 53), white)
    elif state is TrayState.PAUSED:
        brush.rectangle((20, 16, 27, 47), white)
        brush.rectangle((36, 16, 43, 47), white)
    else:  # a microphone
        brush.rounded_rectangle((25, 10, 38, 36), 7, white)
        brush.arc((18, 20, 45, 44), 0, 180, white, 4)
        brush.line((32, 44, 32, 53), white, 4)
        brush.line((23, 53, 40, 53), white, 4)
    return image


def _make_icon(tray: Tray) -> Any:
    if sys.platform == "darwin":
        raise RuntimeError("on macOS it would need the main thread")
    try:
        import pystray  # noqa: PLC0415  looks for the desktop when it is imported
    except ImportError as error:
        raise RuntimeError(f"pystray is missing ({error}): {MISSING}") from error
    state, title = tray.shown
    if pystray.Icon.__module__.endswith("_xorg"):
        return _x11_icon(tray, draw(state), title)
    entries = (
        pystray.MenuItem(
            "Pause",
            tray.toggle_pause,
            checked=lambda _: tray.is_paused,
            default=True,
        ),
        pystray.MenuItem("History", tray.open_history),
        pystray.Menu.SEPARATOR,
        pystray.MenuItem("Quit", tray.end),
    )
    return pystray.Icon("capswriter", draw(state), title, pystray.Menu(*entries))


def _x11_icon(tray: Tray, image: Image, title: str) -> Any:
    from capswriter.dictation.tray_x11 import X11Icon  # noqa: PLC0415

    icon = X11Icon(image, title, tray.toggle_pause)
    if not icon.has_tray:
        icon.close()
        raise NoTray(NO_TRAY)
    return icon
