"""Samples reach the worker whole, through shared memory or through the pipe."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from fake_engine import speak

from capswriter.audio import SAMPLE_RATE
from capswriter.pool import EngineSpec, Recogniser, Task
from capswriter.pool.process import start_context
from capswriter.pool.shared import ROOM, SharedSamples

SPEC = EngineSpec(loader="fake_engine:load", modules=("fake_engine",))


@pytest.mark.anyio
async def test_short_and_long_audio_reaches_the_engine_whole_and_unmixed():
    most = ROOM // SAMPLE_RATE
    tasks = [range(1, 4), range(100, 100 + most), range(500, 501 + most), range(9, 10)]
    async with Recogniser(SPEC, workers=1) as recogniser:
        for numbers in tasks:
            result = await recogniser.recognise(Task(speak(*numbers)))
            assert result.transcript.text == " ".join(f"w{number}" for number in numbers)


def test_what_does_not_fit_is_left_to_the_pipe():
    shared = SharedSamples(start_context(SPEC))
    fits, longer = speak(*range(1, 41)), speak(*range(1, 42))
    assert shared.put(fits) == ROOM
    assert (shared.get(ROOM) == fits).all()
    assert shared.put(longer) is longer
    assert shared.get(longer) is longer


@pytest.mark.skipif(sys.platform != "linux", reason="descriptors are counted in /proc")
def test_memory_of_workers_that_are_gone_is_used_again():
    def descriptors() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    context = start_context(SPEC)
    SharedSamples(context)
    before = descriptors()
    for number in range(50):
        SharedSamples(context).put(speak(number))
    assert descriptors() <= before + 1
