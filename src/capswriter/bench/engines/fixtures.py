"""Models of full size with random weights, made once in the work folder."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from capswriter.bench.engines.report import Skipped

if TYPE_CHECKING:
    from collections.abc import Sequence

    from capswriter.bench.engines.contenders import Kind

NETWORK, SHERPAS = "model_quant.onnx", "sherpa"
"""What a model that is whole has, and the folder in it of sherpa-onnx's layout."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where everything lies.

    Args:
        work: the models are made here, and prepared.
        speech: folder of recordings.
        scripts: folder of ``make_sensevoice.py`` and ``make_paraformer.py``.
    """

    work: Path
    speech: Path
    scripts: Path = Path("scripts")

    def model(self, kind: Kind) -> Path:
        """Find a model of full size in FunASR's layout, or make it.

        Raises:
            Skipped: it cannot be made here.
        """
        directory = self.work / kind
        if (directory / NETWORK).is_file():
            return directory
        program = self.scripts / f"make_{kind}.py"
        if not program.is_file():
            raise Skipped(f"there is no {program}, which makes the model")
        draft = self.work / f"{kind}.draft"
        more: dict[Kind, list[str | Path]] = {
            "sensevoice": ["--sherpa", draft / SHERPAS],
            "paraformer": ["--recordings", self.speech],
        }
        _make([program, draft, *more[kind]], kind)
        draft.rename(directory)
        return directory

    def for_sherpa(self) -> Path:
        """Find SenseVoice in sherpa-onnx's layout, or make it.

        Raises:
            Skipped: it cannot be made here.
        """
        return self.model("sensevoice") / SHERPAS


def _make(command: Sequence[str | Path], name: str) -> None:
    click.echo(f"making {name} of full size, which takes minutes", err=True)
    made = subprocess.run(  # noqa: S603  # our own programs
        [sys.executable, *command], capture_output=True, text=True, check=False
    )
    if made.returncode:
        last = (made.stderr.strip().splitlines() or ["it failed without a word"])[-1]
        raise Skipped(f"{name} of full size could not be made: {last}")
