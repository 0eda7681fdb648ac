"""An engine that says what it was asked for, whatever it hears: the language, then the prompt."""

from __future__ import annotations

from pathlib import Path

from capswriter.audio import Samples
from capswriter.engines import Options, Traits
from capswriter.transcript import Token, Transcript


class OptionsEngine:
    traits = Traits("options", 30.0, frozenset({"en", "de"}))

    def transcribe(self, samples: Samples, options: Options) -> Transcript:
        text = f"{options.language}: {options.prompt}"
        return Transcript(text, "en", (Token(text, 0.1, 0.9),))


def load(directory: Path, *, threads: int, device: str) -> OptionsEngine:
    return OptionsEngine()
