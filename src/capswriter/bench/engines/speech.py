"""The recordings that the measures use, cut and joined."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from capswriter.audio import SAMPLE_RATE
from capswriter.audio.decode import AudioFile
from capswriter.audio.segment import Segmenter

if TYPE_CHECKING:
    from pathlib import Path

    from capswriter.audio import Samples

KINDS = {".wav", ".flac"}

PIECE = 30 * SAMPLE_RATE
"""What engines take at once."""

SHORT = (0.1, 1.0)
"""Seconds of the clips from the middle of each recording."""


def recordings(folder: Path) -> dict[str, Samples]:
    """Read every recording of a folder, by its name: float32[n], mono, 16 kHz."""
    found = {}
    for path in sorted(folder.iterdir()):
        if path.suffix in KINDS:
            with AudioFile(path) as file:
                found[path.stem] = np.concatenate(list(file.blocks()))
    return found


def clips(heard: dict[str, Samples]) -> dict[str, Samples]:
    """Make the clips that are compared: each recording, short ones from it, and all joined.

    Pieces are of 30 s at most.
    """
    made = {}
    for name, samples in heard.items():
        middle = len(samples) // 2
        for seconds in SHORT:
            made[f"{name}, {seconds:g} s"] = samples[middle : middle + round(seconds * SAMPLE_RATE)]
        made |= _pieces(name, samples)
    return made | _pieces("all", np.concatenate(list(heard.values())))


def exactly(heard: dict[str, Samples], seconds: float) -> Samples:
    """Join recordings until they are so long, from the first again where they are not enough."""
    joined = np.concatenate(list(heard.values()))
    return np.resize(joined, round(seconds * SAMPLE_RATE))


def utterances(heard: dict[str, Samples], count: int) -> list[Samples]:
    """Cut utterances of 10 to 15 s that a session gives to an engine in one piece each.

    They start all over the recordings, and are the same in every run.
    """
    random = np.random.default_rng(0)
    joined = exactly(heard, count * 15)
    made: list[Samples] = []
    at = 0
    while len(made) < count:
        length = int(random.uniform(10, 15) * SAMPLE_RATE)
        part = np.take(joined, range(at, at + length), mode="wrap")
        at += length
        segmenter = Segmenter()
        segments = [*segmenter.push(part, last=True), *segmenter.finish()]
        spoken = [each.samples for each in segments if each.samples is not None]
        if len(spoken) == 1:
            made.append(spoken[0])
    return made


def _pieces(name: str, samples: Samples) -> dict[str, Samples]:
    starts = range(0, len(samples), PIECE)
    parts = {f"{name}, from {at // SAMPLE_RATE} s": samples[at : at + PIECE] for at in starts}
    return {name: part for name, part in parts.items() if len(part) >= SAMPLE_RATE // 10}
