"""Models of full size with random weights, made once in the work folder."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click
import onnx
import sentencepiece
from onnx import helper

from capswriter.bench.engines.report import Skipped

if TYPE_CHECKING:
    from collections.abc import Sequence

    from capswriter.bench.engines.contenders import Kind

RENAMED = {"speech": "x", "speech_lengths": "x_length", "textnorm": "text_norm"}
"""Inputs of SenseVoice, as FunASR and as sherpa-onnx call them."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where everything lies.

    Args:
        work: the models are made here, and prepared.
        speech: folder of recordings.
        fixtures: folder of ``make_sensevoice.py``.
    """

    work: Path
    speech: Path
    fixtures: Path

    def model(self, kind: Kind) -> Path:
        """Find a model of full size in FunASR's layout, or make it.

        Raises:
            Skipped: it cannot be made here.
        """
        directory = self.work / kind
        if (directory / "model_quant.onnx").is_file():
            return directory
        program = Path("scripts", "make_paraformer.py")
        more: list[str | Path] = ["--recordings", self.speech]
        if kind == "sensevoice":
            program, more = self.fixtures / "make_sensevoice.py", []
        if not program.is_file():
            raise Skipped(f"there is no {program}, which makes the model")
        draft = self.work / f"{kind}.draft"
        _make([program, draft, *more], directory.name)
        draft.rename(directory)
        return directory

    def for_sherpa(self) -> Path:
        """Find SenseVoice in sherpa-onnx's layout, or make it from the other.

        Raises:
            Skipped: it cannot be made here.
        """
        directory = self.work / "sensevoice-sherpa"
        if not (directory / "model.int8.onnx").is_file():
            write_for_sherpa(self.model("sensevoice"), directory)
        return directory


def write_for_sherpa(source: Path, target: Path) -> None:
    """Write a SenseVoice of FunASR's as sherpa-onnx wants it: the same graph, other names.

    Args:
        source: with ``model_quant.onnx``, ``am.mvn`` and the sentencepiece model.
        target: directory, made where it is missing.
    """
    model = onnx.load(source / "model_quant.onnx")
    for declared in model.graph.input:
        declared.name = RENAMED.get(declared.name, declared.name)
    for node in model.graph.node:
        for index, name in enumerate(node.input):
            node.input[index] = RENAMED.get(name, name)
    (words,) = source.glob("*.bpe.model")
    pieces = sentencepiece.SentencePieceProcessor(model_file=str(words))
    count = pieces.get_piece_size()
    shift, scale = _rows(source / "am.mvn")
    facts = {
        "model_type": "sense_voice_ctc",
        "version": "1",
        "vocab_size": str(count),
        "normalize_samples": "0",
        "lfr_window_size": "7",
        "lfr_window_shift": "6",
        "neg_mean": shift,
        "inv_stddev": scale,
        "with_itn": "14",
        "without_itn": "15",
    }
    languages = {"auto": 0, "zh": 3, "en": 4, "yue": 7, "ja": 11, "ko": 12, "nospeech": 13}
    facts |= {f"lang_{name}": str(index) for name, index in languages.items()}
    helper.set_model_props(model, facts)
    target.mkdir(parents=True, exist_ok=True)
    lines = (f"{pieces.id_to_piece(index)} {index}\n" for index in range(count))
    (target / "tokens.txt").write_text("".join(lines), encoding="utf-8")
    onnx.save(model, target / "model.int8.onnx")


def _rows(path: Path) -> list[str]:
    """Read what ``am.mvn`` adds to features and multiplies them by, as sherpa-onnx writes it."""
    text = path.read_text(encoding="utf-8")
    rows = [row.split() for row in re.findall(r"\[([^]]*)\]", text)]
    return [",".join(row) for row in rows if len(row) > 1]


def _make(command: Sequence[str | Path], name: str) -> None:
    click.echo(f"making {name} of full size, which takes minutes", err=True)
    made = subprocess.run(  # noqa: S603  # our own programs
        [sys.executable, *command], capture_output=True, text=True, check=False
    )
    if made.returncode:
        last = (made.stderr.strip().splitlines() or ["it failed without a word"])[-1]
        raise Skipped(f"{name} of full size could not be made: {last}")
