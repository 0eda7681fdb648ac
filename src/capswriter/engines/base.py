"""What every engine is and takes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from capswriter.errors import UserError

if TYPE_CHECKING:
    from capswriter.audio import Samples
    from capswriter.transcript import Transcript


class EngineFailed(UserError):
    """A model that cannot be loaded, or audio that it cannot recognise."""


@dataclass(frozen=True, slots=True)
class Options:
    """What a caller may ask of one recognition.

    Args:
        language: ISO 639-1 code, or ``"auto"``.
        prompt: words that are likely to occur, as the speaker would write them; engines that take
            hotwords find them at white space and commas.
        itn: whether spoken numbers are to be written as numbers, by engines that can choose.
    """

    language: str = "auto"
    prompt: str = ""
    itn: bool = True


@dataclass(frozen=True, slots=True)
class Traits:
    """What the rest of the program has to know of an engine.

    Args:
        name: which engine, with which model.
        maximum: seconds of audio it takes at once.
        languages: ISO 639-1 codes it recognises, ``"yue"`` for Cantonese.
        punctuates: whether its text has punctuation.
        normalises: whether it writes spoken numbers as numbers (inverse text normalisation).
    """

    name: str
    maximum: float
    languages: frozenset[str]
    punctuates: bool = True
    normalises: bool = True


class Engine(Protocol):
    """Turns audio into text; not for use by two threads at once."""

    traits: Traits

    def transcribe(self, samples: Samples, options: Options) -> Transcript:
        """Recognise one segment.

        Args:
            samples: float32[n], mono, 16 kHz, in [-1, 1], at most ``traits.maximum`` seconds.
            options: see there.

        Returns:
            The text, with token times in seconds from the first sample.

        Raises:
            EngineFailed: the audio or the options are not for this engine.
        """
        ...
