"""An icon in the tray of an X11 desktop, by the freedesktop.org system tray protocol.

pystray's own shares one connection between two threads, which python-xlib does not survive for
long: both come to wait for each other. Here one thread does all that goes to the X server.
"""

from __future__ import annotations

import select
import socket
from contextlib import suppress
from threading import Thread
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from PIL.Image import Image

LOOK_S = 1.0
"""Seconds between two looks for a tray, where that of before is gone."""

SMALLEST = 16
LEFT_BUTTON = 1
DOCK = 0
PROTOCOL, MAPPED = 0, 1


class X11Icon:
    """The icon; attributes may be set from any thread, and ``run`` puts them on the screen.

    Args:
        icon: what is drawn.
        title: the window's name, which some trays show.
        clicked: called where it is clicked, in the thread that runs it.
    """

    def __init__(self, icon: Image, title: str, clicked: Callable[[], None]) -> None:
        from Xlib import X  # noqa: PLC0415
        from Xlib.display import Display  # noqa: PLC0415

        self.visible = False
        self.title = title
        self._X = X
        self._display = Display()
        # What fails without an answer is about a window that is gone, of which an event tells.
        self._display.set_error_handler(lambda *_: None)
        self._tray = self._display.intern_atom(
            f"_NET_SYSTEM_TRAY_S{self._display.get_default_screen()}"
        )
        self._window: Any = None
        self._drawn: tuple[object, ...] = ()
        self._icon = icon
        self._clicked = clicked
        self._is_ending = False
        self._woken, self._waker = socket.socketpair()
        self._woken.setblocking(False)  # noqa: FBT003  it has no other form
        self._waker.setblocking(False)  # noqa: FBT003

    @property
    def icon(self) -> Image:
        """What is drawn."""
        return self._icon

    @icon.setter
    def icon(self, image: Image) -> None:
        self._icon = image
        self._wake()

    @property
    def has_tray(self) -> bool:
        """Whether there is a tray."""
        return bool(self._display.get_selection_owner(self._tray))

    def run(self, setup: Callable[[X11Icon], None]) -> None:
        """Show it until it is stopped.

        Args:
            setup: called in a thread of its own.

        Raises:
            Exception: python-xlib's own, where the X server is gone.
        """
        Thread(target=setup, args=(self,), name="tray icon", daemon=True).start()
        try:
            while not self._is_ending:
                if self._window is None:
                    self._dock()
                while self._display.pending_events():
                    self._handle(self._display.next_event())
                self._draw()
                self._display.flush()
                patience = LOOK_S if self._window is None else None
                if not self._display.pending_events():
                    select.select([self._display, self._woken], [], [], patience)
                self._sleep_again()
        finally:
            self.close()

    def stop(self) -> None:
        """End it, from any thread."""
        self._is_ending = True
        self._wake()

    def close(self) -> None:
        """Let go of the X server, in the thread that runs it; the icon goes with that."""
        self._is_ending = True
        with suppress(Exception):  # it is gone already
            self._display.close()
        self._woken.close()
        self._waker.close()

    def _wake(self) -> None:
        with suppress(OSError):  # it is awake anyway, or has ended
            self._waker.send(b"x")

    def _sleep_again(self) -> None:
        try:
            while self._woken.recv(4096):
                pass
        except BlockingIOError:
            pass

    def _dock(self) -> None:
        from Xlib.protocol import event  # noqa: PLC0415

        owner = self._display.get_selection_owner(self._tray)
        if not owner:
            return
        X, screen = self._X, self._display.screen()  # noqa: N806
        self._window = screen.root.create_window(
            *(0, 0, SMALLEST, SMALLEST, 0, screen.root_depth),
            event_mask=X.ExposureMask | X.StructureNotifyMask | X.ButtonPressMask,
        )
        self._window.set_wm_class("capswriter", "CapsWriter")
        info = self._display.intern_atom("_XEMBED_INFO")
        self._window.change_property(info, info, 32, [PROTOCOL, MAPPED])
        opcode = self._display.intern_atom("_NET_SYSTEM_TRAY_OPCODE")
        wish = (32, [X.CurrentTime, DOCK, self._window.id, 0, 0])
        message = event.ClientMessage(window=owner, client_type=opcode, data=wish)
        owner.send_event(message)
        self._drawn = ()

    def _handle(self, event: Any) -> None:
        if self._window is None or getattr(event, "window", None) != self._window:
            return
        if event.type == self._X.DestroyNotify:
            self._window = None  # with the tray that it was in
        elif event.type == self._X.ButtonPress and event.detail == LEFT_BUTTON:
            self._clicked()
        elif event.type in {self._X.Expose, self._X.ConfigureNotify}:
            self._drawn = ()

    def _draw(self) -> None:
        wanted = (id(self._icon), self._icon, self.title)
        if self._window is None or self._drawn == wanted:
            return
        from PIL import Image  # noqa: PLC0415
        from Xlib.error import XError  # noqa: PLC0415

        try:
            size = self._window.get_geometry()
            self._window.set_wm_name(self.title)
            drawn = Image.new("RGB", (size.width, size.height))
            drawn.paste(self._icon.resize((size.width, size.height), Image.Resampling.LANCZOS))
            pen = self._window.create_gc()
            self._window.put_pil_image(pen, 0, 0, drawn)
            pen.free()
        except XError:
            return  # the window is being destroyed, of which an event tells
        self._drawn = wanted
