"""Whisper by faster-whisper: int8 on the CPU, the engine that installs anywhere.

``python -m capswriter.engines.whisper MODEL_DIRECTORY FILE`` recognises the start of a file.

One segment is one pass: encode, find the language, decode, align the words. faster-whisper's own
``WhisperModel.transcribe`` walks on through the segment from the last time stamp it decoded,
encoding the rest again: measured on the project's samples that took 15 % longer and once doubled a
word ("is It's"). Its ``BatchedInferencePipeline`` makes one pass too, gives the same text, and
encodes a second time where it has to find the language.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from faster_whisper import WhisperModel
from faster_whisper.audio import pad_or_trim
from faster_whisper.tokenizer import Tokenizer
from faster_whisper.transcribe import get_suppressed_tokens

from capswriter.audio import SAMPLE_RATE, Samples
from capswriter.audio.vad import FRAME, SileroVad
from capswriter.engines.base import EngineFailed, Options, Traits
from capswriter.transcript import Token, Transcript

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ctranslate2 import StorageView

WINDOW = 30.0
"""Seconds that the encoder takes; shorter audio costs as much."""

BEAM = 5

LOOP_REPEATS, LOOP_TOKENS = 4, 20
"""A decoder that is caught in a loop ends with so many repeats, which are at least so many tokens.

The compression ratio that Whisper's authors use for this (above 2.4) takes the opening of *A Tale
of Two Cities* for a loop.
"""

LONG_GAP, LONG_SPEECH, LIKELY = 1.5, 0.6, 0.5
"""Seconds without a word, and of speech in them by its probability, that make a passage missed."""

NO_SPEECH, UNSURE = 0.6, -1.0
"""Above this probability of silence and below this mean log-probability, nothing was said.

Radford et al. 2022, *Robust Speech Recognition via Large-Scale Weak Supervision*, section 4.5.
"""

OPENING, CLOSING = "\"'“¿([{-", "\"'.。,，!！?？:：”)]}、"
"""Punctuation that belongs to the word after it, and to the word before it."""


@dataclass(frozen=True, slots=True)
class _Decoded:
    ids: list[int]
    text: str
    log_probability: float
    no_speech: float

    @property
    def loops(self) -> bool:
        return any(
            self.ids[-period * LOOP_REPEATS :] == self.ids[-period:] * LOOP_REPEATS
            for period in range(LOOP_TOKENS // LOOP_REPEATS, len(self.ids) // LOOP_REPEATS + 1)
        )

    @property
    def is_silence(self) -> bool:
        return self.no_speech > NO_SPEECH and self.log_probability < UNSURE


class Whisper:
    """A loaded Whisper model.

    Args:
        model: faster-whisper's.
        name: what to call it.
    """

    def __init__(self, model: WhisperModel, *, name: str) -> None:
        self._model = model
        self.traits = Traits(name, WINDOW, frozenset(model.supported_languages))

    def transcribe(self, samples: Samples, options: Options) -> Transcript:
        """Recognise one segment; see ``Engine``.

        Speech of some length in which no word lies was passed over by the decoder, which likes to
        stop at a long pause: it is recognised again by itself.
        """
        duration = len(samples) / SAMPLE_RATE
        if duration > WINDOW:
            raise EngineFailed(f"{duration:.1f} s of audio at once; whisper takes {WINDOW:.0f} s")
        language, words = self._hear(samples, options)
        for start, end in _passed_over(words, samples):
            part = samples[round(start * SAMPLE_RATE) : round(end * SAMPLE_RATE)]
            _, missed = self._hear(part, replace(options, language=language))
            words += [Token(word.text, word.start + start, word.end + start) for word in missed]
        tokens = tuple(_stripped(sorted(words, key=lambda word: word.start)))
        return Transcript("".join(token.text for token in tokens), language, tokens)

    def _hear(self, samples: Samples, options: Options) -> tuple[str, list[Token]]:
        """One pass: the language, and the words with their times."""
        features = self._model.feature_extractor(samples)[..., :-1]
        encoded = self._model.encode(pad_or_trim(features))
        language = self._language(encoded, options.language)
        tokenizer = Tokenizer(
            self._model.hf_tokenizer,
            self._model.model.is_multilingual,
            task="transcribe",
            language=language,
        )
        decoded = self._decode(encoded, tokenizer, options.prompt)
        if decoded.is_silence or not decoded.text.strip():
            return language, []
        duration = len(samples) / SAMPLE_RATE
        words = self._words(encoded, tokenizer, decoded, features.shape[-1], duration)
        return language, list(_in_order(words, duration))

    def _language(self, encoded: StorageView, wanted: str) -> str:
        if not self._model.model.is_multilingual:
            return "en"
        if wanted == "auto":
            likeliest, _ = self._model.model.detect_language(encoded)[0][0]
            return str(likeliest).strip("<|>")
        if wanted not in self.traits.languages:
            known = ", ".join(sorted(self.traits.languages))
            raise EngineFailed(f"language {wanted!r} is not one of: auto, {known}")
        return wanted

    def _decode(self, encoded: StorageView, tokenizer: Tokenizer, prompt: str) -> _Decoded:
        previous = tokenizer.encode(" " + prompt.strip()) if prompt.strip() else []
        start = self._model.get_prompt(tokenizer, previous, without_timestamps=True)
        decoded = self._generate(encoded, tokenizer, start)
        if decoded.loops:
            # Whisper's answer is sampling at a temperature; this one gives the same text each time.
            calmer = self._generate(
                encoded, tokenizer, start, no_repeat_ngram_size=5, repetition_penalty=1.1
            )
            return decoded if calmer.loops else calmer
        return decoded

    def _generate(
        self, encoded: StorageView, tokenizer: Tokenizer, prompt: list[int], **penalties: float
    ) -> _Decoded:
        result = self._model.model.generate(
            encoded,
            [prompt],
            beam_size=BEAM,
            max_length=self._model.max_length,
            suppress_tokens=get_suppressed_tokens(tokenizer, [-1]),
            return_scores=True,
            return_no_speech_prob=True,
            **penalties,
        )[0]
        ids = result.sequences_ids[0]
        log_probability = result.scores[0] * len(ids) / (len(ids) + 1)
        return _Decoded(ids, tokenizer.decode(ids), log_probability, result.no_speech_prob)

    def _words(
        self,
        encoded: StorageView,
        tokenizer: Tokenizer,
        decoded: _Decoded,
        frames: int,
        duration: float,
    ) -> list[dict[str, Any]]:
        segment: dict[str, Any] = {"tokens": decoded.ids, "seek": 0, "start": 0.0, "end": duration}
        self._model.add_word_timestamps(
            [[segment]], tokenizer, encoded, frames, OPENING, CLOSING, 0.0
        )
        words: list[dict[str, Any]] = segment["words"]
        return words


def load(directory: Path, *, threads: int, device: str) -> Whisper:
    """Load the model in ``directory``; see ``engines.load``."""
    try:
        model = WhisperModel(
            str(directory),
            device=device,
            compute_type="int8" if device == "cpu" else "default",
            cpu_threads=threads,
            local_files_only=True,
        )
    except Exception as error:  # a broken tokenizer.json raises no more exact class
        if "alloc" in str(error):  # mkl_malloc, std::bad_alloc
            raise EngineFailed(
                f"there is not enough memory to load the model in {directory}; "
                "end other programs, or start fewer --workers or a smaller --model"
            ) from error
        raise EngineFailed(f"the model in {directory} cannot be loaded: {error}") from error
    return Whisper(model, name=directory.name)


def _passed_over(words: list[Token], samples: Samples) -> list[tuple[float, float]]:
    """Find the stretches, in seconds, that hold speech and no word."""
    if not words:
        return []
    starts = [word.start for word in words]
    ends = [word.end for word in words]
    gaps = zip([0.0, *ends], [*starts, len(samples) / SAMPLE_RATE], strict=True)
    return [
        (start, end)
        for start, end in gaps
        if end - start >= LONG_GAP and _speech_in(samples, start, end) >= LONG_SPEECH
    ]


def _speech_in(samples: Samples, start: float, end: float) -> float:
    """Count the seconds of speech between two times."""
    part = samples[round(start * SAMPLE_RATE) : round(end * SAMPLE_RATE)]
    return float((SileroVad().push(part) >= LIKELY).sum()) * FRAME / SAMPLE_RATE


def _in_order(words: Iterable[dict[str, Any]], duration: float) -> Iterator[Token]:
    """Give the words with times that run neither backwards nor beyond the audio."""
    start = 0.0
    for word in words:
        start = min(max(start, float(word["start"])), duration)
        yield Token(word["word"], start, min(max(start, float(word["end"])), duration))


def _stripped(tokens: Iterable[Token]) -> Iterator[Token]:
    """Take the white space off both ends of the whole text."""
    held = [token for token in tokens if token.text]
    while held and not held[-1].text.strip():
        held.pop()
    last = len(held) - 1
    begun = False
    for index, token in enumerate(held):
        text = token.text if begun else token.text.lstrip()
        text = text.rstrip() if index == last else text
        begun = begun or bool(text)
        if text:
            yield Token(text, token.start, token.end)


def _show(directory: Path, path: Path) -> None:
    from capswriter.audio.decode import AudioFile  # noqa: PLC0415
    from capswriter.audio.segment import Segmenter  # noqa: PLC0415

    segmenter = Segmenter()
    with AudioFile(path) as file:
        segments = [segment for block in file.blocks() for segment in segmenter.push(block)]
    engine = load(directory, threads=1, device="cpu")
    for segment in segments + segmenter.finish():
        if segment.samples is not None:
            transcript = engine.transcribe(segment.samples, Options())
            sys.stdout.write(f"[{transcript.language}] {transcript.text}\n")


if __name__ == "__main__":
    _show(Path(sys.argv[1]), Path(sys.argv[2]))
