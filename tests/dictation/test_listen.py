"""Keys, commands and the clock, put together."""

from __future__ import annotations

import asyncio
import time

import pytest
from dictation.fake_keys import FakeKeys

from capswriter.dictation.keys.base import KeysUnavailable
from capswriter.dictation.keys.listen import Listening
from capswriter.dictation.shortcuts import (
    Cancel,
    Command,
    Press,
    Release,
    Shortcut,
    Shortcuts,
    Start,
    Stop,
    Why,
)

PATIENCE_S = 30.0


async def collect(listening: Listening, count: int) -> list:
    told = aiter(listening)
    return [await asyncio.wait_for(anext(told), PATIENCE_S) for _ in range(count)]


def test_escape_is_claimed_while_a_dictation_runs_and_a_tap_is_replayed():
    keys = FakeKeys()

    async def dictate() -> list:
        async with Listening(Shortcuts([Shortcut("f9")]), keys) as listening:
            keys.emit(Press("f9", 1.0), Release("f9", 2.0), Press("f9", 3.0), Release("f9", 3.1))
            return await collect(listening, 4)

    assert asyncio.run(dictate()) == [
        Start("f9", 1.0),
        Stop(2.0),
        Start("f9", 3.0),
        Cancel(3.1, Why.TAP),
    ]
    assert keys.told == ["claim", "unclaim", "claim", "unclaim", "replay f9", "stop"]


def test_a_dictation_that_nobody_stops_is_stopped_by_the_clock():
    keys = FakeKeys()

    async def dictate() -> list:
        async with Listening(Shortcuts([Shortcut("f9")], longest=0.05), keys) as listening:
            keys.emit(Press("f9", time.monotonic()))
            return await collect(listening, 2)

    start, stop = asyncio.run(dictate())
    assert isinstance(start, Start)
    assert stop.why is Why.TOO_LONG
    assert stop.at - start.at >= 0.05


def test_commands_need_no_keys():
    async def dictate() -> list:
        async with Listening(Shortcuts([]), None, clock=lambda: 5.0) as listening:
            assert listening.ask(Command.START)
            assert listening.running
            assert not listening.ask(Command.START)
            assert listening.ask(Command.STOP)
            return await collect(listening, 2)

    assert asyncio.run(dictate()) == [Start(None, 5.0), Stop(5.0, Why.COMMAND)]


def test_keys_that_cannot_work_say_so_at_the_start():
    class Unavailable(FakeKeys):
        def start(self, emit) -> None:
            raise KeysUnavailable("no keyboard: do this")

    async def dictate() -> None:
        async with Listening(Shortcuts([Shortcut("f9")]), Unavailable()):
            pass

    with pytest.raises(KeysUnavailable, match="do this"):
        asyncio.run(dictate())
