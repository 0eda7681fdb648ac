"""Punctuation by CT-Transformer, for the text of engines that give none.

``python -m capswriter.engines.punctuation MODEL_DIRECTORY TEXT`` punctuates a text.

The network labels each word with the mark that follows it: Chen et al. 2020, *Controllable
Time-Delay Transformer for Real-Time Punctuation Prediction and Disfluency Detection*. Words are
given in steps of twenty, each together with what followed the last certain end of a sentence; so
the labels are those of funasr-onnx, for both of the builds that FunASR publishes.
"""

from __future__ import annotations

import json
import logging
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import yaml

from capswriter.engines.base import Engine, EngineFailed, Options
from capswriter.engines.mapped import open_mapped
from capswriter.engines.marks import ENDING, FULL_WIDTH, punctuated, words_of
from capswriter.text.characters import is_spoken
from capswriter.transcript import Token, Transcript

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt
    import onnxruntime as ort

    from capswriter.audio import Samples

STEP = 20
"""Words that come new into the window at once."""

LONG = 200
"""Words of a window without the end of a sentence, above which it is ended at its last comma."""

NOT_BEFORE = 2
"""Words at the start of a window, and one at its end, that no sentence is ended at."""

MARKLESS = "_"
"""The label of a word that no mark follows."""

COMMA, STOP = "，", "。"

FILES = ("model_quant.onnx", "model.int8.onnx", "model.onnx")
"""Names of the network, the one to prefer first."""

WORD_LIST = "jieba_usr_dict"
"""A file of FunASR's large model, which labels the words of a dictionary, not characters."""

logger = logging.getLogger(__name__)


class Punctuator:
    """A loaded CT-Transformer; not for use by two threads at once.

    Args:
        session: of the network, with two inputs (offline) or four (the build that can go on from
            text it has seen before, which this class makes no use of).
        vocabulary: the words by their ids; the last stands for all unknown ones.
        labels: the mark that each label means, ``"_"`` for none.
    """

    def __init__(
        self, session: ort.InferenceSession, vocabulary: Sequence[str], labels: Sequence[str]
    ) -> None:
        self._session = session
        self._inputs = [declared.name for declared in session.get_inputs()]
        self._ids = {word: index for index, word in enumerate(vocabulary)}
        self._unknown = len(vocabulary) - 1
        full_width = [FULL_WIDTH.get(label, label) for label in labels]
        # FunASR's first label, "<unk>", is none that could be written.
        self._marks = [mark if len(mark) == 1 and mark != MARKLESS else "" for mark in full_width]
        self._markless = full_width.index(MARKLESS)
        self._stop = full_width.index(STOP)
        self._ends_sentence = np.array([mark in ENDING for mark in full_width])
        self._is_comma = np.array([mark == COMMA for mark in full_width])

    def punctuate(self, tokens: Sequence[Token], *, finished: bool = True) -> tuple[Token, ...]:
        """Give tokens their punctuation.

        Args:
            tokens: of a transcript, in order. A word may lie in several of them, and a token may
                hold several words.
            finished: whether the text ends here. It then ends with the mark of a sentence's end,
                as FunASR's offline punctuation does it; else no mark is behind its last word, as
                with FunASR's real-time punctuation.

        Returns:
            As many tokens with the times they had, each mark behind the word it follows. The
            texts differ by nothing but marks (see ``engines.marks``).
        """
        text = "".join(token.text for token in tokens)
        if not is_spoken(text):
            return tuple(tokens)
        words, ends = words_of(text)
        labels = self.labels(words, finished=finished)
        return punctuated(tokens, ends, [self._marks[label] for label in labels])

    def labels(self, words: Sequence[str], *, finished: bool = True) -> list[int]:
        """Label each word with the mark that follows it.

        Args:
            words: as ``engines.marks.words_of`` gives them.
            finished: see ``punctuate``.

        Returns:
            As many indices into the model's list of marks.
        """
        if not words:
            return []
        ids = np.array([self._ids.get(word, self._unknown) for word in words], np.int32)
        labels: list[int] = []
        for known in range(STEP, len(ids) + STEP, STEP):
            window = self._infer(ids[len(labels) : known])
            if known < len(ids):
                window = window[: self._end_of_sentence(window)]
            labels += window.tolist()
        if not finished:
            labels[-1] = self._markless
        elif not self._ends_sentence[labels[-1]]:
            labels[-1] = self._stop
        return labels

    def _end_of_sentence(self, window: npt.NDArray[np.int64]) -> int:
        """Count the words of the window that no later word can change; may end a sentence."""
        inside = window[NOT_BEFORE:-1]
        ends = np.flatnonzero(self._ends_sentence[inside])
        if not ends.size and len(window) > LONG:
            ends = np.flatnonzero(self._is_comma[inside])
            if ends.size:
                window[NOT_BEFORE + ends[-1]] = self._stop
        return NOT_BEFORE + int(ends[-1]) + 1 if ends.size else 0

    def check(self) -> None:
        """Run the network once.

        Raises:
            Exception: ONNX Runtime's own, or ``ValueError``: the parts are not of one model.
        """
        logits = self._logits(np.array([0, self._unknown], np.int32))
        if logits.shape != (2, len(self._marks)):
            raise ValueError(f"it tells {logits.shape[-1]} marks apart, not {len(self._marks)}")

    def _infer(self, ids: npt.NDArray[np.int32]) -> npt.NDArray[np.int64]:
        labels: npt.NDArray[np.int64] = self._logits(ids).argmax(axis=-1)
        return labels

    def _logits(self, ids: npt.NDArray[np.int32]) -> npt.NDArray[np.float32]:
        # All words may see each other in both masks, as in both of FunASR's ONNX runtimes.
        mask = np.ones((1, 1, len(ids), len(ids)), np.float32)
        values = (ids[None], np.array([len(ids)], np.int32), mask, mask)
        (logits,) = self._session.run(None, dict(zip(self._inputs, values, strict=False)))
        scores: npt.NDArray[np.float32] = logits[0]
        return scores


class Punctuated:
    """An engine whose text is given its punctuation by a ``Punctuator``.

    Args:
        engine: gives none of its own.
        punctuator: adds it.
    """

    def __init__(self, engine: Engine, punctuator: Punctuator) -> None:
        self._engine = engine
        self._punctuator = punctuator
        self.traits = replace(engine.traits, punctuates=True)

    def transcribe(self, samples: Samples, options: Options) -> Transcript:
        """Recognise one segment; see ``Engine``.

        Where punctuation fails, the text comes without.
        """
        transcript = self._engine.transcribe(samples, options)
        try:
            tokens = self._punctuator.punctuate(transcript.tokens)
        except Exception:  # what was said must not be lost, whatever ONNX Runtime raises
            logger.warning("the text could not be punctuated, and stays as it is", exc_info=True)
            return transcript
        return replace(transcript, text="".join(token.text for token in tokens), tokens=tokens)


def load(directory: Path, *, threads: int = 1, device: str = "cpu") -> Punctuator:
    """Load the model in ``directory``.

    Args:
        directory: holds ``model_quant.onnx`` or ``model.onnx``, ``tokens.json`` and
            ``config.yaml``, as FunASR publishes them; or ``model.int8.onnx`` or ``model.onnx`` that
            was exported for sherpa-onnx, which carries the other two in itself.
        threads: of the CPU, used at once.
        device: ``"cpu"``, ``"cuda"``, or ``"auto"`` for the better one that is there.

    Raises:
        EngineFailed: a file is missing, broken, or of another model.
    """
    if (directory / WORD_LIST).exists():
        raise EngineFailed(
            f"the model in {directory} splits text by a dictionary ({WORD_LIST}), which cannot be "
            "done; take punc_ct-transformer_zh-cn-common-vad_realtime-vocab272727-onnx"
        )
    path = next((directory / name for name in FILES if (directory / name).is_file()), None)
    if path is None:
        raise EngineFailed(f"{directory} holds no model for punctuation ({' or '.join(FILES)})")
    try:
        session = open_mapped(path, threads=threads, device=device)
        carried = session.get_modelmeta().custom_metadata_map
        if "punctuations" in carried:
            vocabulary, labels = carried["tokens"].split("|"), carried["punctuations"].split("|")
        else:
            vocabulary = _vocabulary(directory / "tokens.json")
            labels = _labels(directory / "config.yaml")
        punctuator = Punctuator(session, vocabulary, labels)
        punctuator.check()
    except Exception as error:  # ONNX Runtime's, of many classes
        reason = " ".join(str(error).split())
        raise EngineFailed(f"the model in {directory} cannot be loaded: {reason}") from error
    return punctuator


def _vocabulary(path: Path) -> list[str]:
    words = json.loads(path.read_bytes())
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
        raise ValueError(f"{path.name} is no list of words")
    return words


def _labels(path: Path) -> list[str]:
    try:
        labels = yaml.safe_load(path.read_bytes())["model_conf"]["punc_list"]
    except (KeyError, TypeError):
        raise ValueError(f"{path.name} has no model_conf.punc_list") from None
    return [str(label) for label in labels]


if __name__ == "__main__":
    spoken = Token(sys.argv[2], 0.0, 0.0)
    sys.stdout.write(load(Path(sys.argv[1])).punctuate([spoken])[0].text + "\n")
