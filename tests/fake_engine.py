"""A deterministic engine for tests about queues, crashes and hours of audio.

What it hears is written in the samples: see ``speak``. It runs in real worker processes.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

import numpy as np

from capswriter.audio import SAMPLE_RATE, Samples
from capswriter.engines import EngineFailed, Options, Traits
from capswriter.transcript import Token, Transcript

KILL, RAISE, REFUSE = 0.9, 0.8, 0.7
"""A first sample of this value ends the process, raises, or is refused."""


class FakeEngine:
    """Says ``w<n>`` for each second of audio, n being that second's loudest sample × 10,000."""

    traits = Traits("fake", 30.0, frozenset({"en"}))

    def __init__(self, directory: Path) -> None:
        speed = directory / "speed"
        self._speed = float(speed.read_text()) if speed.is_file() else 0.0

    def transcribe(self, samples: Samples, options: Options) -> Transcript:
        first = round(float(samples[0]), 3) if len(samples) else 0.0
        if first == KILL:
            os._exit(3)
        if first == RAISE:
            raise RuntimeError("out of luck")
        if first == REFUSE:
            raise EngineFailed("not this audio")
        if self._speed:
            time.sleep(len(samples) / SAMPLE_RATE / self._speed)
        tokens = []
        for second in range(len(samples) // SAMPLE_RATE):
            heard = samples[second * SAMPLE_RATE : (second + 1) * SAMPLE_RATE]
            word = f"w{round(float(np.max(heard)) * 10_000)}"
            tokens.append(Token(f" {word}" if tokens else word, second + 0.1, second + 0.9))
        return Transcript("".join(token.text for token in tokens), "en", tuple(tokens))


class BriefEngine(FakeEngine):
    """Says one word, ``brief``, whatever it hears."""

    def transcribe(self, samples: Samples, options: Options) -> Transcript:
        token = Token("brief", 0.0, len(samples) / SAMPLE_RATE)
        return Transcript(token.text, "en", (token,))


def load_brief(directory: Path, *, threads: int, device: str) -> BriefEngine:
    return BriefEngine(directory)


def load(directory: Path, *, threads: int, device: str) -> FakeEngine:
    return FakeEngine(directory)


def load_slowly(directory: Path, *, threads: int, device: str) -> FakeEngine:
    """Load when ``directory`` has a file ``go``."""
    while not (directory / "go").exists():
        time.sleep(0.02)
    return FakeEngine(directory)


def load_refused(directory: Path, *, threads: int, device: str) -> FakeEngine:
    raise EngineFailed("the model is made of cheese")


def load_killed(directory: Path, *, threads: int, device: str) -> FakeEngine:
    os._exit(7)


def speak(*numbers: int) -> Samples:
    """Make the audio that the engine hears as ``w<n>`` for each n below 6,000."""
    return np.repeat(np.array(numbers, np.float32) / 10_000, SAMPLE_RATE)
