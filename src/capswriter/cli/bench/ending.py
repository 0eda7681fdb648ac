"""How measurements show their progress, and what they leave behind."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import click
from rich.console import Console

from capswriter.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from capswriter.bench.draft import Draft
    from capswriter.bench.result import Result

INTERRUPTED = 130
"""Exit status after Ctrl-C, as shells give it."""

INCOMPLETE = 1
"""Exit status where something could not be measured, or kept."""

SAMPLES = ("ref_codes", "samples")
"""The recordings that come with the project."""

TEXTS = {".txt", ".json", ".md"}
"""Suffixes of files beside recordings that are none."""


class NoRecordings(UserError):
    """No recording is named, and there is none."""


class Progress:
    """Tells how a measurement gets on, on the standard error; plainly where that is no terminal."""

    def __init__(self) -> None:
        self._console = Console(stderr=True)

    @contextmanager
    def doing(self, what: str) -> Iterator[None]:
        """Show it until the end of the block."""
        if not self._console.is_terminal:
            yield
            return
        with self._console.status(what):
            yield

    def done(self, what: str) -> None:
        """Print it."""
        self._console.print(what, highlight=False, markup=False, soft_wrap=True)


def recordings(given: tuple[Path, ...], default: Path) -> list[Path]:
    """Name the recordings to use: those given, or in folders given, or the project's.

    Raises:
        NoRecordings: there is none.
    """
    files: list[Path] = []
    for path in given or (default,):
        inside = sorted(path.iterdir()) if path.is_dir() else [path]
        files += [each for each in inside if not path.is_dir() or each.suffix not in TEXTS]
    if not files or (not given and not default.is_dir()):
        raise NoRecordings("name recordings, or run this in the project's folder")
    return files


def finish(draft: Draft, *, status: int, interrupted: bool) -> int:
    """Show what was measured, make the report, and say where everything is.

    Args:
        draft: what there is.
        status: exit status where nothing is missing.
        interrupted: whether somebody has ended it.

    Returns:
        The exit status.
    """
    from capswriter.bench.report import terminal  # noqa: PLC0415  # slow to import

    draft.save()
    result = draft.result()
    Console().print(terminal(result))
    failed = bool(draft.missing) or any(run.error for run in draft.runs)
    if draft.unsaved:
        failed = True
        click.echo(f"capswriter: {draft.path} could not be written: {draft.unsaved}", err=True)
    else:
        click.echo(f"all figures: {draft.path}")
    failed = not _report(result, draft.directory) or failed
    if interrupted:
        return INTERRUPTED
    return INCOMPLETE if failed else status


def _report(result: Result, directory: Path) -> bool:
    if not result.runs:
        return True
    from capswriter.bench.report import write_report  # noqa: PLC0415

    try:
        page = write_report(result, directory)
    except UserError as error:
        click.echo(f"capswriter: {error}", err=True)
        return False
    pictures = sorted(path.name for path in directory.glob("*.png"))
    click.echo(f"report: {page}\npictures beside it: {', '.join(pictures)}")
    return True
