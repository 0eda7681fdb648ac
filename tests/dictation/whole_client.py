"""The whole client with a test's keys and microphone; its server and its journal are real."""

from __future__ import annotations

import asyncio
import io
import time
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import numpy as np
from dictation.fake_desktop import FakeDesktop
from dictation.fake_keys import FakeKeys
from dictation.microphone.faked import Sound
from rich.console import Console

from capswriter.audio import SAMPLE_RATE
from capswriter.dictation.app import App
from capswriter.dictation.assembling import Parts
from capswriter.dictation.journal import State, read_journal
from capswriter.dictation.microphone import Microphone
from capswriter.dictation.shortcuts import Press, Release
from capswriter.dictation.view import View
from capswriter.settings import ClientConfig, DictationConfig

PATIENCE_S = 60.0
AT = time.monotonic() + 10_000
"""When the microphone begins, which is not heard in real time; nothing is late then."""

QUIET = {"sounds": False, "tray": False, "notifications": False, "roles": "off"}
KEY = "f9"
WAITING = "waiting for the text"


@dataclass
class Client:
    """A client that runs, and a hand, a mouth and an eye."""

    app: App
    keys: FakeKeys
    sound: Sound
    desktop: FakeDesktop
    shown: io.StringIO
    folder: object
    phrase: np.ndarray
    now: float = AT
    task: asyncio.Task | None = None
    spoken: int = field(default=0)

    def say(self, seconds: float) -> None:
        count = round(seconds * SAMPLE_RATE)
        block = self.phrase[self.spoken : self.spoken + count]
        assert len(block) == count
        self.spoken += count
        for start in range(0, count, 1600):
            part = block[start : start + 1600]
            self.sound.stream.give(part, at=self.now)
            self.now += len(part) / SAMPLE_RATE

    def silence(self, seconds: float) -> None:
        self.sound.stream.give(np.zeros(round(seconds * SAMPLE_RATE)), at=self.now)
        self.now += seconds

    def press(self, key: str = KEY) -> None:
        self.keys.emit(Press(key, self.now))

    def release(self, key: str = KEY) -> None:
        self.keys.emit(Release(key, self.now))

    async def let_go(self, key: str = KEY) -> None:
        """Let go of the key, and wait until the client knows."""
        known = self.shown.getvalue().count(WAITING)
        self.release(key)
        await self.until(lambda: self.shown.getvalue().count(WAITING) > known, "the end")

    async def until(self, holds, what="it") -> None:
        end = time.monotonic() + PATIENCE_S
        while not holds():
            if self.task.done():
                self.task.result()
            assert time.monotonic() < end, f"{what} did not happen: {self.shown.getvalue()}"
            await asyncio.sleep(0.01)

    async def until_shown(self, text: str) -> None:
        await self.until(lambda: text in self.shown.getvalue(), text)

    async def until_typed(self, count: int) -> list:
        await self.until(lambda: len(self.desktop.typed) >= count, f"{count} texts")
        return self.desktop.typed

    async def dictate(self, seconds: float, key: str = KEY) -> None:
        """Hold the key while the next seconds of the phrase are spoken."""
        self.press(key)
        await self.until_state(State.RECORDING)
        self.say(seconds)
        await self.let_go(key)
        self.silence(0.5)

    def states(self) -> list[State]:
        return [record.state for record in read_journal(self.folder)]

    async def until_state(self, *states: State) -> None:
        await self.until(
            lambda: self.states()[-len(states) :] == list(states), f"{states}, but {self.states()}"
        )


@asynccontextmanager
async def client(folder, url, phrase, *, sound=None, desktop=None, **settings):
    settings = {
        "shortcuts": (f"{KEY}:hold",),
        "keys": "x11",
        "pre_roll": 0.0,
        "tail": 0.0,
        **QUIET,
        **settings,
    }
    config = DictationConfig(**settings)
    keys, sound, shown = FakeKeys(), sound or Sound(), io.StringIO()
    desktop = desktop or FakeDesktop()
    view = View(Console(file=shown, width=1000))
    parts = Parts(config, ClientConfig(server=url), folder / "config.py")

    def make_microphone(device, **options):
        return Microphone(device, sound=lambda: sound, **options)

    app = App(
        parts,
        view,
        make_keys=lambda shortcuts, backend: keys,
        make_microphone=make_microphone,
        make_desktop=lambda: desktop,
        journal=folder / "journal",
        socket=folder / "run",
    )
    running = Client(app, keys, sound, desktop, shown, folder / "journal", phrase)
    running.task = asyncio.create_task(app.run())
    try:
        await running.until_shown("ready: ")
        yield running
    finally:
        app.end()
        await asyncio.wait_for(running.task, PATIENCE_S)
    assert desktop.is_closed
    assert keys.told[-1] == "stop"
