"""An engine that says what it was told: its options, and how many tenths of a second it was given.

In its text, options are words, as the door under test may not change them.
"""

from __future__ import annotations

from pathlib import Path

from capswriter.audio import SAMPLE_RATE, Samples
from capswriter.engines import Options, Traits
from capswriter.transcript import Token, Transcript


class ToldEngine:
    traits = Traits("told", 30.0, frozenset({"zh", "en", "yue"}), normalises=True)

    def transcribe(self, samples: Samples, options: Options) -> Transcript:
        prompt = options.prompt.replace(" ", "")
        itn = "itn" if options.itn else "spoken"
        tenths = round(len(samples) / SAMPLE_RATE * 10)
        words = [f"language={options.language}", f"prompt={prompt}", itn, f"tenths={tenths}"]
        tokens = tuple(
            Token(f" {word}" if n else word, n / 10, n / 10 + 0.1) for n, word in enumerate(words)
        )
        return Transcript(" ".join(words), "en", tokens)


def load(directory: Path, *, threads: int, device: str) -> ToldEngine:
    return ToldEngine()
