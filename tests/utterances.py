"""Utterances of audio that says what it is, on real worker processes."""

from __future__ import annotations

import asyncio
import threading
from contextlib import aclosing, asynccontextmanager, contextmanager
from typing import TYPE_CHECKING

import numpy as np
import pytest
from fake_engine import speak

from capswriter.audio import SAMPLE_RATE, Samples
from capswriter.audio.segment import SegmentPolicy
from capswriter.audio.vad import FRAME
from capswriter.pool import EngineSpec, Recogniser
from capswriter.sessions import Ears, Update, Utterance

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

POLICY = SegmentPolicy(maximum=10.0, overlap=1.0, silence=1.2)


class LoudIsSpeech:
    """Takes every frame with a sample above 0 for speech; the tests' audio is never softer."""

    def __init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        self._rest = np.zeros(0, np.float32)

    def push(self, samples: Samples, *, last: bool = False) -> Samples:
        stream = np.concatenate((self._rest, samples))
        whole = len(stream) // FRAME * FRAME
        self._rest = stream[whole:]
        loud = stream[:whole].reshape(-1, FRAME).max(axis=1) > 0
        unfilled = last and len(self._rest) > 0
        self._rest = self._rest[:0] if unfilled else self._rest
        return np.append(loud, [False] * unfilled).astype(np.float32)

    def glance(self, stretches: Samples) -> Samples:
        return (stretches.reshape(len(stretches), -1, FRAME).max(axis=2) > 0).astype(np.float32)


@contextmanager
def hearing() -> Iterator[Ears]:
    ears = Ears(detector=LoudIsSpeech)
    try:
        yield ears
    finally:
        ears.close()


@asynccontextmanager
async def pool(tmp_path: Path, *, workers: int = 2, speed: float = 0) -> AsyncIterator[Recogniser]:
    if speed:
        (tmp_path / "speed").write_text(str(speed))
    spec = EngineSpec(tmp_path, loader="fake_engine:load", modules=("fake_engine",))
    async with Recogniser(spec, workers=workers) as recogniser:
        yield recogniser


def phrases(*numbers: int, silence: float = 2.0) -> Samples:
    """Each number as two seconds of speech, with silence after each."""
    pause = np.zeros(round(silence * SAMPLE_RATE), np.float32)
    return np.concatenate([part for n in numbers for part in (speak(n, n), pause)])


def said(numbers: range | list[int]) -> list[str]:
    return [f"w{number}" for number in numbers]


def words(updates: list[Update]) -> list[str]:
    """What was said, each phrase once: it is two or three seconds to the engine."""
    heard: list[str] = []
    for token in (token for update in updates for token in update.tokens):
        word = token.text.strip()
        if word != "w0" and (not heard or heard[-1] != word):
            heard.append(word)
    return heard


async def transcribe(utterance: Utterance, *frames: bytes) -> list[Update]:
    async def send() -> None:
        for frame in frames:
            await utterance.write(frame)
            await asyncio.sleep(0)
        utterance.end()

    sending = asyncio.create_task(send())
    async with aclosing(utterance.updates()) as updates:
        result = [update async for update in updates]
    await sending
    return result


def frames_of(samples: Samples, size: int = 64_003) -> list[bytes]:
    content = samples.tobytes()
    return [content[start : start + size] for start in range(0, len(content), size)]


def tasks_of_utterances() -> list[str]:
    names = [task.get_coro().__qualname__ for task in asyncio.all_tasks()]
    return [name for name in names if name.startswith(("Utterance.", "Recogniser.recognise"))]


async def nothing_left(recogniser: Recogniser) -> None:
    """Wait until no task, no thread but the ears', and no segment of an utterance is left."""
    for _ in range(1000):
        statistics = recogniser.statistics()
        if not (
            tasks_of_utterances()
            or statistics.queued
            or any(row.state.value == "busy" for row in statistics.workers)
            or any(thread.name.startswith("decode") for thread in threading.enumerate())
        ):
            return
        await asyncio.sleep(0.01)
    pytest.fail(f"after 10 s there is still {tasks_of_utterances()}, {recogniser.statistics()}")
