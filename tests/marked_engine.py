"""An engine for hours of audio that says exactly what was spoken where, and so shows every loss.

Real speech, repeated as often as wanted, is marked: each 10 ms carry their number in the lowest
bits of their first samples, which nobody hears. The engine reads from the marks which part of the
whole it was given, and says the words that are known to lie there. A word that a cut has lost or
doubled is then missing or twice in the text, whatever the length.
"""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import numpy as np

from capswriter.audio import SAMPLE_RATE, Samples
from capswriter.engines import Options, Traits
from capswriter.transcript import Token, Transcript

BLOCK = 160
SYNC = np.array([1, 0, 1, 1, 0, 0, 1, 0, 1, 1, 1, 0], np.int16)
DIGITS = 24


def mark(pcm: np.ndarray, first_block: int = 0) -> np.ndarray:
    """Write the number of each block into its lowest bits.

    Args:
        pcm: int16[n], n a multiple of ``BLOCK``.
        first_block: the number of the first.
    """
    blocks = pcm.reshape(-1, BLOCK).copy()
    numbers = np.arange(first_block, first_block + len(blocks))
    digits = (numbers[:, None] >> np.arange(DIGITS)) & 1
    bits = np.concatenate([np.tile(SYNC, (len(blocks), 1)), digits], axis=1).astype(np.int16)
    width = bits.shape[1]
    blocks[:, :width] = (blocks[:, :width] & ~1) | bits
    return blocks.reshape(-1)


def place(samples: Samples) -> int:
    """Read which sample of the marked whole comes first.

    Raises:
        ValueError: there are no marks.
    """
    bits = np.round(samples[: 3 * BLOCK] * 32_768).astype(np.int64) & 1
    for offset in range(BLOCK):
        if not np.array_equal(bits[offset : offset + len(SYNC)], SYNC):
            continue
        digits = bits[offset + len(SYNC) :][:DIGITS]
        following = bits[offset + BLOCK + len(SYNC) :][:DIGITS]
        number, after = (int((d << np.arange(DIGITS)).sum()) for d in (digits, following))
        if after == number + 1:
            return number * BLOCK - offset
    raise ValueError("no marks in this audio")


class MarkedEngine:
    """Says the words of ``words.json`` (text, start, end; repeated every ``period`` seconds)."""

    traits = Traits("marked", 30.0, frozenset({"en"}))

    def __init__(self, directory: Path) -> None:
        spoken = json.loads((directory / "words.json").read_text())
        self._period = spoken["period"]
        self._words = [tuple(word) for word in spoken["words"]]
        self._speed = spoken.get("speed", 0)

    def transcribe(self, samples: Samples, options: Options) -> Transcript:
        if self._speed:
            time.sleep(len(samples) / SAMPLE_RATE / self._speed)
        begin = place(samples) / SAMPLE_RATE
        end = begin + len(samples) / SAMPLE_RATE
        tokens = []
        for turn in range(int(begin // self._period), int(end // self._period) + 1):
            for text, begun, ended in self._words:
                start, stop = begun + turn * self._period, ended + turn * self._period
                heard = min(stop, end) - max(start, begin)
                if heard > 0.5 * (stop - start):
                    word = f" {text}" if tokens else text
                    tokens.append(Token(word, max(0.0, start - begin), stop - begin))
        return Transcript("".join(token.text for token in tokens), "en", tuple(tokens))


def load(directory: Path, *, threads: int, device: str) -> MarkedEngine:
    return MarkedEngine(directory)


def load_greedy(directory: Path, *, threads: int, device: str) -> MarkedEngine:
    """Fail to load for want of memory, as a large model does."""
    raise MemoryError


def load_dying(directory: Path, *, threads: int, device: str) -> MarkedEngine:
    os._exit(9)
