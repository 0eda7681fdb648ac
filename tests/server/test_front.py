"""What the front does when nobody speaks."""

from __future__ import annotations

import asyncio

import pytest

from capswriter.server import front as module
from capswriter.server.front import Front
from capswriter.settings import ServerConfig

pytestmark = pytest.mark.anyio


@pytest.fixture
def tidied(monkeypatch):
    """Return a list that grows each time that memory is given back, 50 ms after the last word."""
    times = []
    monkeypatch.setattr(module, "REST", 0.05)
    monkeypatch.setattr(module, "tidy", lambda: times.append(1))
    return times


def a_front() -> Front:
    return Front(ServerConfig(), recogniser=None, ears=None, model="none")


async def test_memory_is_given_back_once_when_nobody_speaks(tidied):
    front = a_front()
    with front.utterance(), front.utterance():
        await asyncio.sleep(0.1)
    assert not tidied
    await asyncio.sleep(0.2)
    assert tidied == [1]


async def test_nothing_is_tidied_under_somebody_who_speaks_again(tidied):
    front = a_front()
    with front.utterance():
        pass
    with front.utterance():
        await asyncio.sleep(0.2)
        assert not tidied
    await asyncio.sleep(0.2)
    assert tidied == [1]
