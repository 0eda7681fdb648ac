"""Models of full size with random weights, made once in the work folder."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from capswriter.bench.engines.contenders import KINDS, Kind
from capswriter.bench.engines.report import Skipped

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from capswriter.bench.engines.report import Section

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
        in_both = ("--sherpa", draft / SHERPAS) if kind == "sensevoice" else ()
        _make([program, draft, *in_both], kind)
        draft.rename(directory)
        return directory

    def models(self, section: Section) -> Iterator[tuple[Kind, Path]]:
        """Find or make a model of each kind; the section tells which of them cannot be made."""
        for kind in KINDS:
            try:
                directory = self.model(kind)
            except Skipped as reason:
                section.parts.append(f"{kind} was skipped: {reason}")
            else:
                yield kind, directory

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
