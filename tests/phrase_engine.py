"""An engine that says given phrases, in the languages they are in, and normalises nothing.

``phrases.json`` in its directory holds ``[[language, text], …]``. Which one is said is written in
the samples as ``fake_engine.speak`` writes it; any other sound says the first. Every character is
a token of 0.1 s.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from capswriter.audio import Samples
from capswriter.engines import Options, Traits
from capswriter.transcript import Token, Transcript

CHARACTER_S = 0.1


class PhraseEngine:
    def __init__(self, directory: Path, *, normalises: bool) -> None:
        languages = frozenset({"zh", "en", "ja"})
        self.traits = Traits("phrases", 30.0, languages, normalises=normalises)
        self._phrases = json.loads((directory / "phrases.json").read_text(encoding="utf-8"))

    def transcribe(self, samples: Samples, options: Options) -> Transcript:
        number = round(float(np.max(samples)) * 10_000)
        language, text = self._phrases[number if number < len(self._phrases) else 0]
        tokens = tuple(
            Token(char, n * CHARACTER_S, (n + 1) * CHARACTER_S) for n, char in enumerate(text)
        )
        return Transcript(text, language, tokens)


def load(directory: Path, *, threads: int, device: str) -> PhraseEngine:
    return PhraseEngine(directory, normalises=False)


def load_normalising(directory: Path, *, threads: int, device: str) -> PhraseEngine:
    return PhraseEngine(directory, normalises=True)
