"""SenseVoice by ONNX Runtime: Chinese, Cantonese, English, Japanese and Korean in one pass.

``python -m capswriter.engines.sensevoice MODEL_DIRECTORY FILE`` recognises the start of a file.

An et al. 2024, *FunAudioLLM: Voice Understanding and Generation Foundation Models for Natural
Interaction Between Humans and LLMs*. Two kinds of directories are loaded: FunASR's (``am.mvn``, and
``tokens.json`` or a sentencepiece model) and sherpa-onnx's (``tokens.txt``, the rest in the graph's
metadata). The reference for the tokens is funasr-onnx. The network takes no hotwords.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from capswriter.audio import SAMPLE_RATE, Samples
from capswriter.engines import ctc, features
from capswriter.engines.base import EngineFailed, Options, Traits
from capswriter.engines.directory import (
    NETWORKS,
    first_of,
    line,
    loading,
    normalisation_in,
    trial_inputs,
)
from capswriter.engines.graph import Feed, open_graph
from capswriter.engines.pieces import read_vocabulary
from capswriter.engines.sensevoice_text import transcript_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt
    import onnxruntime as ort

    from capswriter.transcript import Transcript

SEGMENT = 20.0
"""Seconds of audio to give it at once.

Measured (docs/engines.md), a second of audio costs least in segments of 8 to 20 s; beyond,
attention makes it dearer, which grows with the square of the length.
"""

LONGEST = 30.0
"""Seconds of audio taken at once: what it was trained on at most."""

LANGUAGES = {"auto": 0, "zh": 3, "en": 4, "yue": 7, "ja": 11, "ko": 12}
WITH_ITN, WITHOUT_ITN = 14, 15
"""Rows of the table of embeddings that tell the network what to do."""

VOCABULARIES = ("tokens.json", "tokens.txt", "chn_jpn_yue_eng_ko_spectok.bpe.model")


class SenseVoice:
    """A loaded SenseVoice.

    Args:
        graph: takes features, their number, a language and whether to normalise; gives logits.
        vocabulary: the tokens by their ids.
        normalisation: of the features.
        name: what to call it.
    """

    def __init__(
        self,
        graph: ort.InferenceSession,
        *,
        vocabulary: Sequence[str],
        normalisation: features.Normalisation,
        name: str,
    ) -> None:
        self._graph = graph
        self._inputs = [declared.name for declared in graph.get_inputs()]
        self._logits = graph.get_outputs()[0].name
        self._vocabulary = vocabulary
        self._normalisation = normalisation
        self.traits = Traits(name, SEGMENT, frozenset(LANGUAGES) - {"auto"})

    def transcribe(self, samples: Samples, options: Options) -> Transcript:
        """Recognise one segment; see ``Engine``.

        A token begins at the frame in which the network first tells it, and ends where the next
        one begins, or a little after its last frame. Without ``options.itn`` there is no
        punctuation either.
        """
        duration = len(samples) / SAMPLE_RATE
        if duration > LONGEST:
            raise EngineFailed(
                f"{duration:.1f} s of audio at once; sensevoice takes {LONGEST:.0f} s"
            )
        labels = self.hear(samples, options)
        return transcript_of(labels, self._vocabulary, duration)

    def hear(self, samples: Samples, options: Options) -> ctc.Labels:
        """Find the labels, those of the tags in the first four frames among them.

        Args:
            samples: float32[n], mono, 16 kHz, in [-1, 1].
            options: see ``Options``.

        Raises:
            EngineFailed: the language is none of its, or ONNX Runtime could not compute it.
        """
        language = LANGUAGES.get(options.language)
        if language is None:
            known = ", ".join(LANGUAGES)
            raise EngineFailed(f"language {options.language!r} is not one of: {known}")
        stacked = self._normalisation(features.stacked(features.fbank(samples)))
        itn = WITH_ITN if options.itn else WITHOUT_ITN
        feed = _feed(self._inputs, stacked, language, itn)
        try:
            (logits,) = self._graph.run([self._logits], feed)
        except Exception as error:  # ONNX Runtime's are of many classes
            raise EngineFailed(
                f"{self.traits.name} could not recognise it: {line(error)}"
            ) from error
        return ctc.decode(logits[0])


def load(directory: Path, *, threads: int, device: str) -> SenseVoice:
    """Load the model in ``directory``; see ``engines.load``."""
    with loading(directory):
        path = first_of(directory, NETWORKS)
        graph = open_graph(path, threads=threads, device=device, trials=_trials)
        words = first_of(directory, VOCABULARIES)
        vocabulary = _sentencepieces(words) if words.suffix == ".model" else read_vocabulary(words)
        scores = graph.get_outputs()[0].shape[-1]
        if isinstance(scores, int) and scores != len(vocabulary):
            raise ValueError(
                f"it tells {scores} tokens apart, and {words.name} has {len(vocabulary)}"
            )
        metadata = graph.get_modelmeta().custom_metadata_map
        if "neg_mean" in metadata:
            normalisation = normalisation_in(metadata)
        else:
            normalisation = features.Normalisation.read(first_of(directory, ("am.mvn",)))
        return SenseVoice(
            graph, vocabulary=vocabulary, normalisation=normalisation, name=directory.name
        )


def _feed(names: Sequence[str], stacked: npt.NDArray[np.float32], language: int, itn: int) -> Feed:
    """Name the inputs: both kinds of graphs take the same ones in the same order."""
    values = (
        stacked[None],
        *(np.array([each], np.int32) for each in (len(stacked), language, itn)),
    )
    return dict(zip(names, values, strict=False))


def _trials(graph: ort.InferenceSession) -> list[Feed]:
    """Make inputs such as the graph gets."""
    names = [declared.name for declared in graph.get_inputs()]
    return [
        _feed(names, inputs, language, itn)
        for inputs in trial_inputs()
        for language, itn in ((LANGUAGES["auto"], WITH_ITN), (LANGUAGES["zh"], WITHOUT_ITN))
    ]


def _sentencepieces(path: Path) -> list[str]:
    import sentencepiece  # noqa: PLC0415  # only some directories need it

    pieces = sentencepiece.SentencePieceProcessor(model_file=str(path))
    return [pieces.id_to_piece(index) for index in range(pieces.get_piece_size())]


def _show(directory: Path, path: Path) -> None:
    from capswriter.audio.decode import AudioFile  # noqa: PLC0415

    with AudioFile(path) as file:
        samples = np.concatenate(list(file.blocks()))[: int(LONGEST * SAMPLE_RATE)]
    transcript = load(directory, threads=1, device="cpu").transcribe(samples, Options())
    for token in transcript.tokens:
        sys.stdout.write(f"{token.start:6.2f} {token.end:6.2f} {token.text}\n")
    told = (transcript.language, transcript.emotion, transcript.event)
    sys.stdout.write(f"[{' '.join(filter(None, told))}] {transcript.text}\n")


if __name__ == "__main__":
    _show(Path(sys.argv[1]), Path(sys.argv[2]))
