"""Paraformer by ONNX Runtime: Chinese with English, a whole sentence in one pass.

``python -m capswriter.engines.paraformer MODEL_DIRECTORY FILE`` recognises the start of a file.

Gao et al. 2022, *Paraformer: Fast and Accurate Parallel Transformer for Non-autoregressive
End-to-End Speech Recognition*. Three kinds of directories are loaded: FunASR's (``am.mvn``,
``config.yaml``, ``tokens.json``), FunASR's for hotwords (``model_eb.onnx`` besides), and
sherpa-onnx's (``tokens.txt``, the rest in the metadata of the graph). The reference for tokens and
times is funasr-onnx.
"""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import onnxruntime as ort
import yaml

from capswriter.audio import SAMPLE_RATE, Samples
from capswriter.engines import cif, features
from capswriter.engines.base import EngineFailed, Options, Traits
from capswriter.engines.directory import (
    NETWORKS,
    first_of,
    line,
    loading,
    normalisation_in,
    trial_inputs,
    wants_memory,
)
from capswriter.engines.graph import Feed, open_graph
from capswriter.engines.hotwords import Hotwords
from capswriter.engines.pieces import BEGINS, joined, language_of, read_vocabulary
from capswriter.transcript import Token, Transcript

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

SEGMENT = 20.0
"""Seconds of audio to give it at once.

Measured (docs/engines.md), a second of audio costs least in segments of 8 to 20 s; beyond,
attention makes it dearer, which grows with the square of the length.
"""

LONGEST = 30.0
"""Seconds of audio taken at once: what it was trained on at most."""

LANGUAGES = frozenset({"zh", "en"})

HOTWORD_FILES = ("model_eb_quant.onnx", "model_eb.onnx")
"""Names of the network for hotwords, the one to prefer first."""

HOTWORDS_TRIED = 3
"""In the inputs by which a prepared copy is checked."""

VOCABULARY_FILES = ("tokens.json", "tokens.txt")

BLANK, END = 0, 2
"""Ids in every vocabulary of FunASR; ``<s>`` is 1."""

NO_ELEMENTS = re.compile(r"\{(?:\d+,)*0(?:,\d+)*\}")
"""A shape without elements, as ONNX Runtime writes it."""

FAILED_AT = re.compile(r"while running \w+ node\. Name:'([^']*)'")
"""The part of a network that failed, likewise."""

SILENCE = np.zeros(SAMPLE_RATE // 2, np.float32)


@dataclass(frozen=True, slots=True)
class Heard:
    """What the network heard.

    Args:
        ids: int64[n], tokens of the vocabulary.
        spans: float64[n, 2], their starts and ends in seconds; they may lie a little outside the
            audio.
    """

    ids: npt.NDArray[np.int64]
    spans: npt.NDArray[np.float64]


class Paraformer:
    """A loaded Paraformer.

    Args:
        graph: takes features, their number and, where it is built for them, hotwords; gives
            logits, the number of tokens and, where it is built for them, times.
        vocabulary: the tokens by their ids.
        normalisation: of the features.
        ends: how many tokens at the end are signs of the end; None where the first ``</s>`` is.
        hotwords: for a graph that takes them.
        name: what to call it.
    """

    def __init__(
        self,
        graph: ort.InferenceSession,
        *,
        vocabulary: Sequence[str],
        normalisation: features.Normalisation,
        ends: int | None,
        hotwords: Hotwords | None,
        name: str,
    ) -> None:
        self._graph = graph
        self._inputs = [declared.name for declared in graph.get_inputs()]
        outputs = [declared.name for declared in graph.get_outputs()]
        # The third output are the weights whose sums are the fourth.
        self._outputs = [*outputs[:2], *outputs[3:4]]
        self._vocabulary = vocabulary
        self._begins = any(token.startswith(BEGINS) for token in vocabulary)
        self._normalisation = normalisation
        self._ends = ends
        self._hotwords = hotwords
        self._fails_in_silence = ""
        self._quiet = ort.RunOptions()
        self._quiet.log_severity_level = 4  # a graph that hears nothing fails, and is no news
        self.traits = Traits(name, SEGMENT, LANGUAGES, punctuates=False, normalises=False)

    def transcribe(self, samples: Samples, options: Options) -> Transcript:
        """Recognise one segment; see ``Engine``.

        The language is told by the text. A network that tells no times gets the audio divided
        evenly among its tokens.
        """
        if options.language not in {"auto", *LANGUAGES}:
            known = ", ".join(sorted(LANGUAGES))
            raise EngineFailed(f"language {options.language!r} is not one of: auto, {known}")
        duration = len(samples) / SAMPLE_RATE
        if duration > LONGEST:
            raise EngineFailed(
                f"{duration:.1f} s of audio at once; paraformer takes {LONGEST:.0f} s"
            )
        heard = self.hear(samples, options.prompt)
        texts = joined([self._vocabulary[index] for index in heard.ids], begins=self._begins)
        times = heard.spans.round(3).clip(0.0, duration).tolist()
        tokens = tuple(
            Token(text, start, end) for text, (start, end) in zip(texts, times, strict=True) if text
        )
        text = "".join(texts)
        return Transcript(text, language_of(text), tokens)

    def hear(self, samples: Samples, prompt: str = "") -> Heard:
        """Find the tokens and their times, as funasr-onnx does.

        Args:
            samples: float32[n], mono, 16 kHz, in [-1, 1].
            prompt: see ``Options``.

        Raises:
            EngineFailed: ONNX Runtime could not compute it.
        """
        nothing = Heard(np.empty(0, np.int64), np.empty((0, 2)))
        if len(samples) < features.FRAME:
            return nothing
        try:
            logits, count, *times = self._run(samples, prompt)
        except Exception as error:  # ONNX Runtime's are of many classes
            if self._is_silence(error):
                return nothing
            reason = line(error)
            raise EngineFailed(f"{self.traits.name} could not recognise it: {reason}") from error
        positions, ids = self._decode(logits[0], int(count[0]))
        if not len(ids):
            return nothing
        fired = int(positions[-1]) + 1
        spans = cif.spans(times[0][0], fired) if times else None
        if spans is None:
            spans = cif.evenly(fired, len(samples) / SAMPLE_RATE)
        return Heard(ids, spans[positions])

    def check(self) -> None:
        """Run the network on silence, and learn whether and where it fails for want of tokens.

        Raises:
            Exception: ONNX Runtime's own: the parts are not of one model.
        """
        try:
            self._run(SILENCE, "")
        except Exception as error:
            failed = FAILED_AT.search(str(error))
            if failed is None or wants_memory(error):
                raise
            self._fails_in_silence = failed[1]

    def _run(self, samples: Samples, prompt: str) -> list[npt.NDArray[np.float32]]:
        stacked = self._normalisation(features.stacked(features.fbank(samples)))
        inputs = [stacked[None], np.array([len(stacked)], np.int32)]
        if self._hotwords is not None:
            inputs.append(self._hotwords.embedded(prompt))
        fed = dict(zip(self._inputs, inputs, strict=True))
        found: list[npt.NDArray[np.float32]] = self._graph.run(self._outputs, fed, self._quiet)
        return found

    def _is_silence(self, error: Exception) -> bool:
        """Whether the network failed because it found no token.

        The decoder gets an empty input then, which the exported graphs cannot take. funasr-onnx and
        sherpa-onnx take every failure for silence.
        """
        failed = FAILED_AT.search(str(error))
        if failed is None or wants_memory(error):
            return False
        return failed[1] == self._fails_in_silence or bool(NO_ELEMENTS.search(str(error)))

    def _decode(
        self, logits: npt.NDArray[np.float32], count: int
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """Choose the likeliest tokens; their positions and their ids."""
        ids = logits.argmax(axis=-1)
        is_text = (ids != BLANK) & (ids != END)
        if self._ends is None:
            ended = np.flatnonzero(ids == END)
            positions = np.flatnonzero(is_text[: ended[0]] if len(ended) else is_text)
        else:
            positions = np.flatnonzero(is_text)[: max(0, count - self._ends)]
        return positions, ids[positions]


def load(directory: Path, *, threads: int, device: str) -> Paraformer:
    """Load the model in ``directory``; see ``engines.load``."""
    with loading(directory):
        return _load(directory, threads=threads, device=device)


def _load(directory: Path, *, threads: int, device: str) -> Paraformer:
    path = first_of(directory, NETWORKS)
    graph = open_graph(path, threads=threads, device=device, trials=_trials)
    inputs, outputs = len(graph.get_inputs()), graph.get_outputs()
    if inputs not in {2, 3} or len(outputs) not in {2, 4}:
        raise ValueError(f"with {inputs} inputs and {len(outputs)} outputs it is no Paraformer")
    words = first_of(directory, VOCABULARY_FILES)
    vocabulary = read_vocabulary(words)
    scores = outputs[0].shape[-1]
    if isinstance(scores, int) and scores != len(vocabulary):
        raise ValueError(f"it tells {scores} tokens apart, and {words.name} has {len(vocabulary)}")
    metadata = graph.get_modelmeta().custom_metadata_map
    if "neg_mean" in metadata:
        normalisation, ends = normalisation_in(metadata), None
    else:
        normalisation = features.Normalisation.read(first_of(directory, ("am.mvn",)))
        ends = _ends_in(first_of(directory, ("config.yaml",)))
    hotwords = None
    if inputs == 3:  # noqa: PLR2004
        path = first_of(directory, HOTWORD_FILES)
        hotwords = Hotwords(open_graph(path, threads=threads, device=device), vocabulary)
    engine = Paraformer(
        graph,
        vocabulary=vocabulary,
        normalisation=normalisation,
        ends=ends,
        hotwords=hotwords,
        name=directory.name,
    )
    engine.check()
    return engine


def _trials(graph: ort.InferenceSession) -> list[Feed]:
    """Make inputs such as the graph gets; those in which it hears nothing are left out later."""
    declared = graph.get_inputs()
    random = np.random.default_rng(0)
    trials = []
    for inputs in trial_inputs():
        values = [inputs[None], np.array([len(inputs)], np.int32)]
        if len(declared) > len(values):  # hotwords
            shape = (1, HOTWORDS_TRIED, declared[2].shape[-1])
            values.append(random.standard_normal(shape, np.float32))
        trials.append(dict(zip((each.name for each in declared), values, strict=False)))
    return trials


def _ends_in(path: Path) -> int:
    """Read how many more tokens the network was trained to predict than there are."""
    config = yaml.safe_load(path.read_text(encoding="utf-8"))
    if not isinstance(config, dict):
        raise TypeError(f"{path.name} holds no settings")
    settings = config.get("model_conf") or {}
    return int(settings.get("predictor_bias", 0))


def _show(directory: Path, path: Path) -> None:
    from capswriter.audio.decode import AudioFile  # noqa: PLC0415

    with AudioFile(path) as file:
        samples = np.concatenate(list(file.blocks()))[: int(LONGEST * SAMPLE_RATE)]
    transcript = load(directory, threads=1, device="cpu").transcribe(samples, Options())
    for token in transcript.tokens:
        sys.stdout.write(f"{token.start:6.2f} {token.end:6.2f} {token.text}\n")
    sys.stdout.write(f"[{transcript.language}] {transcript.text}\n")


if __name__ == "__main__":
    _show(Path(sys.argv[1]), Path(sys.argv[2]))
