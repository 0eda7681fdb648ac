"""The icon in the tray, with a tray that is faked; tests/desktop has a real one."""

from __future__ import annotations

import asyncio
import logging
import subprocess
import sys
import threading
import time

import pytest

from capswriter.dictation import tray as tray_module
from capswriter.dictation.tray import NoTray, Tray, TrayState, draw

pytestmark = pytest.mark.anyio

PATIENCE_S = 30.0


class Icon:
    """What pystray gives."""

    def __init__(self, *, hangs: bool = False, breaks: bool = False) -> None:
        self.visible = False
        self.title = ""
        self.stopped = threading.Event()
        self.hangs = threading.Event()
        self._painted = None
        self._breaks = breaks
        if not hangs:
            self.hangs.set()

    @property
    def icon(self):
        return self._painted

    @icon.setter
    def icon(self, image) -> None:
        self.hangs.wait(PATIENCE_S)
        if self._breaks:
            raise OSError("the display is gone")
        self._painted = image

    def run(self, setup) -> None:
        painter = threading.Thread(target=setup, args=(self,), daemon=True)
        painter.start()
        self.stopped.wait(PATIENCE_S)
        painter.join(PATIENCE_S)

    def stop(self) -> None:
        self.stopped.set()


async def until(true) -> None:
    end = time.monotonic() + PATIENCE_S
    while not true():
        assert time.monotonic() < end
        await asyncio.sleep(0.005)


def make(make_icon, told=None, **options) -> Tray:
    told = [] if told is None else told
    return Tray(
        asyncio.get_running_loop(),
        pause=lambda paused: told.append((paused, threading.current_thread())),
        open_history=lambda: told.append("history"),
        end=lambda: told.append("end"),
        make_icon=make_icon,
        **options,
    )


async def test_the_icon_shows_the_state():
    icon = Icon()
    tray = make(lambda _: icon)
    tray.start()
    await until(lambda: icon.visible)
    assert icon.title == "CapsWriter: idle"
    for state, title in ((TrayState.RECORDING, ""), (TrayState.TROUBLE, "no microphone")):
        tray.show(state, title)
        want = title or f"CapsWriter: {state.value}"
        await until(lambda want=want: icon.title == want)
        await until(lambda state=state: icon.icon.tobytes() == draw(state).tobytes())
    assert tray.is_there
    tray.close()
    assert icon.stopped.is_set()
    assert not tray.is_there


async def test_what_is_clicked_comes_in_the_thread_of_the_loop():
    told: list = []
    icon = Icon()
    tray = make(lambda _: icon, told)
    tray.start()
    await until(lambda: icon.visible)
    for click in (tray.toggle_pause, tray.open_history, tray.toggle_pause, tray.end):
        await asyncio.to_thread(click)
    await until(lambda: len(told) == 4)
    here = threading.current_thread()
    assert told == [(True, here), "history", (False, here), "end"]
    tray.close()


async def test_pause_is_shown_until_it_ends():
    icon = Icon()
    tray = make(lambda _: icon)
    tray.start()
    tray.toggle_pause()
    await until(lambda: icon.title == "CapsWriter: paused")
    tray.show(TrayState.RECORDING)  # by a command, say
    await until(lambda: icon.title == "CapsWriter: recording")
    tray.show(TrayState.IDLE)
    await until(lambda: icon.title == "CapsWriter: paused")
    tray.toggle_pause()
    await until(lambda: icon.title == "CapsWriter: idle")
    tray.close()


async def test_no_tray_is_one_line_in_the_log(caplog):
    caplog.set_level(logging.INFO)

    def no_tray(_):
        raise NoTray("this desktop has none")

    tray = make(no_tray, patience=0.0)
    tray.start()
    await until(lambda: caplog.messages)
    tray.show(TrayState.RECORDING)
    tray.close()
    assert caplog.messages == ["there is no icon in the tray: this desktop has none"]
    assert not tray.is_there


async def test_a_tray_that_comes_later_gets_the_icon(monkeypatch):
    monkeypatch.setattr(tray_module, "LOOK_S", 0.01)
    icon, tries = Icon(), []

    def later(_):
        tries.append(1)
        if len(tries) < 5:
            raise NoTray("not yet")
        return icon

    tray = make(later)
    tray.start()
    await until(lambda: icon.visible)
    tray.close()


async def test_closing_while_it_waits_for_a_tray_is_quick():
    def no_tray(_):
        raise NoTray("none")

    tray = make(no_tray)
    tray.start()
    started = time.monotonic()
    tray.close()
    assert time.monotonic() - started < tray_module.CLOSING_S
    assert tray._thread is not None
    assert not tray._thread.is_alive()


async def test_any_failure_of_the_library_is_one_line(caplog):
    caplog.set_level(logging.INFO)

    def broken(_):
        raise ValueError("Namespace AppIndicator3 not available")

    tray = make(broken)
    tray.start()
    await until(lambda: caplog.messages)
    tray.close()
    assert caplog.messages == [
        "there is no icon in the tray: Namespace AppIndicator3 not available"
    ]


async def test_a_display_that_goes_away_takes_only_the_icon(caplog):
    caplog.set_level(logging.INFO)
    tray = make(lambda _: Icon(breaks=True))
    tray.start()
    await until(lambda: caplog.messages)
    assert caplog.messages == ["the icon in the tray is gone: the display is gone"]
    tray.show(TrayState.RECORDING)
    tray.close()


async def test_a_library_that_hangs_holds_up_nobody(monkeypatch):
    monkeypatch.setattr(tray_module, "CLOSING_S", 0.2)
    icon = Icon(hangs=True)
    tray = make(lambda _: icon)
    tray.start()
    started = time.monotonic()
    for _ in range(1000):
        tray.show(TrayState.RECORDING)
    tray.close()
    assert time.monotonic() - started < 10.0
    icon.hangs.set()


def test_every_state_has_a_picture_of_its_own():
    pictures = {draw(state).convert("L").tobytes() for state in TrayState}
    assert len(pictures) == len(TrayState)  # in grey as well
    assert {draw(state).size for state in TrayState} == {(64, 64)}


NO_DISPLAY = """
import asyncio, logging
logging.basicConfig(level="INFO", format="%(message)s")
from capswriter.dictation.tray import Tray, TrayState

async def main():
    nothing = lambda *_: None
    tray = Tray(asyncio.get_running_loop(), pause=nothing, open_history=nothing, end=nothing)
    tray.start()
    tray.show(TrayState.RECORDING)
    await asyncio.to_thread(tray._thread.join)
    tray.close()

asyncio.run(main())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="there is always a desktop elsewhere")
def test_without_a_display_there_is_one_line_and_the_program_goes_on():
    import os

    bare = {
        name: value
        for name, value in os.environ.items()
        if name not in {"DISPLAY", "WAYLAND_DISPLAY"}
    }
    done = subprocess.run(
        [sys.executable, "-c", NO_DISPLAY],
        env=bare,
        capture_output=True,
        text=True,
        check=True,
        timeout=PATIENCE_S,
    )
    [line] = done.stderr.splitlines()
    assert line.startswith("there is no icon in the tray: ")


async def test_macos_has_no_icon(monkeypatch, caplog):
    caplog.set_level(logging.INFO)
    monkeypatch.setattr(tray_module.sys, "platform", "darwin")
    tray = make(None)
    tray.start()
    await until(lambda: caplog.messages)
    tray.close()
    assert "main thread" in caplog.text
