"""Which window has the focus, and whether it has read what it was sent."""

from __future__ import annotations

import itertools
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from capswriter.dictation.output.base import Window
from capswriter.dictation.output.x11.connection import wait_for

if TYPE_CHECKING:
    from Xlib.display import Display

DEPTH = 32
"""Windows within windows, at most."""

ANSWER_S = 5.0
"""Seconds that a window may take to read what it was sent."""

LOOK_S = 0.006
"""Seconds between looks at a process."""

QUIET_LOOKS = 4
"""How often in a row a process must have done nothing to be idle."""

FIRST_QUIET_LOOKS = 150
"""The same for its first thread, where others never rest."""

GONE = "gone"
"""What a thread has used that has ended."""

REMOTE_S = 0.3
"""Seconds given to a program of which nothing can be known, on another computer."""


class Windows:
    """The windows of a server.

    Args:
        display: a connection whose events nobody else waits for.
    """

    def __init__(self, display: Display) -> None:
        self._display = display
        self._root = display.screen().root
        self._serials = itertools.count(0x43570001)

    def focus(self) -> int:
        """The number of the very window that has the focus, 0 if none; a single request."""
        from Xlib import X  # noqa: PLC0415

        focus = self._display.get_input_focus().focus
        if focus == X.PointerRoot:  # without a window manager: the window under the pointer
            focus = self._root.query_pointer().child
        return int(getattr(focus, "id", focus))

    def owner(self, number: int) -> int:
        """The window of an application that a window belongs to; 0 if it is gone."""
        from Xlib.error import XError  # noqa: PLC0415

        if not number:
            return 0
        window = self._display.create_resource_object("window", number)
        try:
            managed = self._display.intern_atom("WM_STATE")
            line = [window]
            while len(line) < DEPTH and (parent := line[-1].query_tree().parent) != self._root:
                if not parent:
                    break
                line.append(parent)
            of = next((each for each in line if each.get_full_property(managed, 0)), None)
            of = of or next((each for each in line if each.get_wm_class()), line[-1])
            return int(of.id)
        except XError:
            return 0

    def describe(self, number: int) -> Window | None:
        """What the window of an application says of itself."""
        from Xlib.error import XError  # noqa: PLC0415

        if not number:
            return None
        window = self._display.create_resource_object("window", number)
        try:
            names = window.get_wm_class()
            title = self._text(window, "_NET_WM_NAME") or self._text(window, "WM_NAME")
        except XError:
            return None
        process = self.process(number)
        name = _read(process / "comm").strip() if process else ""
        return Window(number, names[1] if names else "", name, title)

    def wait_read(self, number: int) -> bool:
        """Wait until a window of an application has read all it was sent; whether it has.

        It is asked, if it is one that answers; if not, its process is watched until it is idle.
        """
        answered = self._ping(number)
        if answered is not None:
            return answered
        process = self.process(number)
        if process is None:
            time.sleep(REMOTE_S)
            return True
        return self._wait_idle(process)

    def process(self, number: int) -> Path | None:
        """The directory below ``/proc`` of the program that a window is of, if it runs here."""
        from Xlib.error import XError  # noqa: PLC0415
        from Xlib.ext import res  # noqa: PLC0415

        if not self._display.has_extension("X-Resource"):
            return None
        try:
            answer = self._display.res_query_client_ids(
                [{"client": number, "mask": res.LocalClientPIDMask}]
            )
        except XError:
            return None
        for each in answer.ids:
            if each.value and (found := Path(f"/proc/{each.value[0]}")).exists():
                return found
        return None

    def _ping(self, number: int) -> bool | None:
        """Ask a window to answer when it has read all it was sent before.

        This is ``_NET_WM_PING`` of the "Extended Window Manager Hints": a program answers it when
        it comes to it among its other events.

        Returns:
            Whether it did; None if it is not one that answers.
        """
        from Xlib import X  # noqa: PLC0415
        from Xlib.error import XError  # noqa: PLC0415
        from Xlib.protocol import event  # noqa: PLC0415

        window = self._display.create_resource_object("window", number)
        ping = self._display.intern_atom("_NET_WM_PING")
        protocols = self._display.intern_atom("WM_PROTOCOLS")
        try:
            known = window.get_full_property(protocols, 0)
        except XError:
            return None
        if known is None or ping not in known.value:
            return None
        serial = next(self._serials)
        self._root.change_attributes(event_mask=X.SubstructureNotifyMask)
        try:
            message = event.ClientMessage(
                window=window, client_type=protocols, data=(32, [ping, serial, number, 0, 0])
            )
            window.send_event(message)
            self._display.flush()
            answer = wait_for(
                self._display,
                lambda event: (
                    event.type & 0x7F == X.ClientMessage
                    and event.client_type == protocols
                    and list(event.data[1][:2]) == [ping, serial]
                ),
                ANSWER_S,
            )
        finally:
            self._root.change_attributes(event_mask=0)
        return answer is not None

    def _wait_idle(self, process: Path) -> bool:
        """Wait until a process sleeps and has used no processor time for a while; whether it has.

        It may sleep because it waits for the server, so the server must not be behind either. On a
        busy machine its first thread may sleep because another one, which waits for the server on
        its behalf (as Tk's does), waits for a processor: so all of them are watched.
        """
        end = time.monotonic() + ANSWER_S
        before: dict[str, str] = {}
        quiet = first_quiet = 0
        while quiet < QUIET_LOOKS and first_quiet < FIRST_QUIET_LOOKS:
            if time.monotonic() >= end:
                return False
            time.sleep(LOOK_S)
            self._display.sync()
            now = {thread.name: _used(thread) for thread in process.glob("task/*")}
            quiet = quiet + 1 if now == before and all(now.values()) else 0
            first = now.get(process.name, GONE)
            is_first_quiet = first and first == before.get(process.name, GONE)
            first_quiet = first_quiet + 1 if is_first_quiet else 0
            before = now
        return True

    def _property(self, window: Any, name: str) -> Any:
        found = window.get_full_property(self._display.intern_atom(name), 0)
        return found.value if found else None

    def _text(self, window: Any, name: str) -> str:
        value = self._property(window, name)
        if value is None:
            return ""
        return value if isinstance(value, str) else bytes(value).decode("utf-8", "replace")


def _used(thread: Path) -> str:
    """The processor time that a thread has used; empty unless it sleeps."""
    state = _read(thread / "stat").rpartition(")")[2].strip()[:1]
    used = _read(thread / "schedstat").partition(" ")[0]
    return (used or GONE) if state in {"S", ""} else ""


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:  # the process has ended
        return ""
