"""A result in the making: what there is of it is on the disk after every step."""

from __future__ import annotations

import re
import shlex
import sys
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import capswriter
from capswriter.bench.machine import machine
from capswriter.bench.result import Machine, Recording, Result, Run
from capswriter.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Sequence

FOLDER = "bench-results"
"""Where results go unless another place is named."""


class NoPlace(UserError):
    """Results cannot be kept where they are to go."""


@dataclass(slots=True)
class Draft:
    """What has been measured so far.

    Args:
        kind: of the result.
        directory: where it is kept; see ``place_for``.
        model: name of it.
        settings: what else decides the figures.
        recordings: that are recognised.
        missing: what could not be measured, a line each.
        command: that repeats it.
        described: the machine, before anything ran on it.
    """

    kind: Literal["run", "compare", "peers"]
    directory: Path
    model: str
    settings: dict[str, str | int | float | bool | None]
    recordings: Sequence[Recording] = ()
    missing: list[str] = field(default_factory=list)
    runs: list[Run] = field(default_factory=list)
    command: str = field(default_factory=lambda: command_line(sys.argv[1:]))
    created: str = field(default_factory=lambda: _now().isoformat(timespec="seconds"))
    described: Machine = field(default_factory=machine)
    unsaved: str = ""
    """Why the newest of it is not on the disk; empty where it is."""

    @property
    def path(self) -> Path:
        """The file."""
        return self.directory / f"{self.kind}.json"

    def result(self) -> Result:
        """Give what there is."""
        return Result(
            kind=self.kind,
            created=self.created,
            command=self.command,
            version=capswriter.__version__,
            machine=self.described,
            model=self.model,
            settings=self.settings,
            recordings=tuple(self.recordings),
            runs=tuple(self.runs),
            missing=tuple(self.missing),
        )

    def save(self) -> None:
        """Write what there is; where that fails, the file keeps what it had."""
        try:
            self.result().save(self.path)
        except OSError as error:
            self.unsaved = (error.strerror or str(error)).lower()
        else:
            self.unsaved = ""


def command_line(arguments: Sequence[str]) -> str:
    """Write down the command that was given, without its secrets: results are passed on."""
    shown = ["capswriter"]
    for argument in arguments:
        if shown[-1] == "--token":
            shown.append("TOKEN")
        elif argument.startswith("--token="):
            shown.append("--token=TOKEN")
        else:
            shown.append(re.sub(r"(?<=://)[^/@]+@", "", argument))
    return shlex.join(shown)


def place_for(kind: str, directory: Path | None) -> Path:
    """Make the folder of a result, and make sure that it can be written to.

    Args:
        kind: of the result.
        directory: which; None for a new one.

    Raises:
        NoPlace: that cannot be done.
    """
    chosen = directory or Path(FOLDER) / f"{_now():%Y-%m-%d-%H%M%S}-{kind}"
    trial = chosen / f"{kind}.json.part"
    try:
        chosen.mkdir(parents=True, exist_ok=True)
        trial.write_bytes(b"\n")
        trial.unlink()
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise NoPlace(
            f"results cannot be written to {chosen}: {reason}; name another folder with --out"
        ) from error
    return chosen


def _now() -> datetime:
    return datetime.now(timezone.utc)
