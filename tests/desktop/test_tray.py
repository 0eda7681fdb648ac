"""The icon in a real tray on a real X server, drawn and clicked."""

from __future__ import annotations

import asyncio
import threading
from importlib.util import find_spec

import pytest
from desktop.x_server import Hand, until, x_server

from capswriter.dictation import tray as tray_module
from capswriter.dictation.tray import COLOURS, Tray, TrayState

# Importing it takes a display.
pytestmark = pytest.mark.skipif(find_spec("pystray") is None, reason="needs pystray")


class Panel:
    """A tray as panels have one: takes an icon's window and puts it into its own."""

    def __init__(self, display: str) -> None:
        from Xlib import X
        from Xlib.display import Display

        self._X = X
        self.display = Display(display)
        screen = self.display.screen()
        self.window = screen.root.create_window(
            0, 0, 64, 64, 0, screen.root_depth, override_redirect=True
        )
        self.window.map()
        number = self.display.get_default_screen()
        self._atom = self.display.intern_atom(f"_NET_SYSTEM_TRAY_S{number}")
        self._opcode = self.display.intern_atom("_NET_SYSTEM_TRAY_OPCODE")
        self.window.set_selection_owner(self._atom, X.CurrentTime)
        self.display.sync()
        self.docked = []

    def look(self) -> None:
        """Take icons that want in."""
        self.display.sync()
        while self.display.pending_events():
            event = self.display.next_event()
            if event.type == self._X.ClientMessage and event.client_type == self._opcode:
                window = self.display.create_resource_object("window", event.data[1][2])
                window.reparent(self.window, 0, 0)
                window.configure(width=64, height=64)
                window.map()
                self.docked.append(window)
                self.display.sync()

    def colour(self, x: int, y: int) -> str:
        """The colour of a pixel, as ``#rrggbb``."""
        self.look()
        image = self.display.screen().root.get_image(x, y, 1, 1, self._X.ZPixmap, 0xFFFFFFFF)
        blue, green, red = image.data[:3]
        return f"#{red:02x}{green:02x}{blue:02x}"

    def children(self) -> int:
        self.display.sync()
        return len(self.window.query_tree().children)

    def close(self) -> None:
        self.display.close()


@pytest.fixture
def display(monkeypatch):
    with x_server() as display:
        monkeypatch.setenv("DISPLAY", display)
        monkeypatch.setenv("PYSTRAY_BACKEND", "xorg")
        yield display


EDGE = 10, 50  # in the colour of the state, whatever is drawn in the middle


def test_the_icon_is_drawn_follows_the_state_and_is_clicked(display):
    told: list[str] = []
    clicked = threading.Event()

    def pause(paused: bool) -> None:
        told.append(f"paused {paused}")
        clicked.set()

    async def main() -> None:
        panel = None
        tray = Tray(
            asyncio.get_running_loop(), pause=pause, open_history=lambda: None, end=lambda: None
        )
        tray.start()
        try:
            panel = await asyncio.to_thread(Panel, display)  # later than the program
            for state in TrayState:
                tray.show(state)
                await asyncio.to_thread(
                    until, lambda state=state: panel.colour(*EDGE) == COLOURS[state], state.value
                )
            tray.show(TrayState.IDLE)
            hand = Hand(display)
            await asyncio.to_thread(hand.run, "xdotool", "mousemove", "30", "30", "click", "1")
            await asyncio.to_thread(until, clicked.is_set, "the click")
            await asyncio.to_thread(
                until, lambda: panel.colour(*EDGE) == COLOURS[TrayState.PAUSED], "the pause"
            )
        finally:
            await asyncio.to_thread(tray.close)
        await asyncio.to_thread(until, lambda: panel.children() == 0, "the icon's end")
        panel.close()

    asyncio.run(main())
    assert told == ["paused True"]


def test_a_tray_that_is_started_anew_gets_the_icon_again(display):
    async def main() -> None:
        nothing = lambda *_: None  # noqa: E731
        tray = Tray(asyncio.get_running_loop(), pause=nothing, open_history=nothing, end=nothing)
        tray.start()
        try:
            for state in (TrayState.RECORDING, TrayState.WAITING):
                panel = await asyncio.to_thread(Panel, display)
                tray.show(state)
                await asyncio.to_thread(
                    until,
                    lambda state=state, panel=panel: panel.colour(*EDGE) == COLOURS[state],
                    state.value,
                )
                panel.close()
        finally:
            await asyncio.to_thread(tray.close)

    asyncio.run(main())


def test_a_server_without_a_tray_is_one_line(display, caplog):
    caplog.set_level("INFO")

    async def main() -> None:
        nothing = lambda *_: None  # noqa: E731
        tray = Tray(
            asyncio.get_running_loop(),
            pause=nothing,
            open_history=nothing,
            end=nothing,
            patience=0.0,
        )
        tray.start()
        await asyncio.to_thread(until, lambda: caplog.messages, "the line")
        tray.close()

    asyncio.run(main())
    assert caplog.messages == [f"there is no icon in the tray: {tray_module.NO_TRAY}"]
