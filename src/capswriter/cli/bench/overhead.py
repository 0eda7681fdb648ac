"""``capswriter bench overhead``: what the server adds to one utterance."""

from __future__ import annotations

import asyncio
import shlex
import sys
from datetime import datetime, timezone
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import click
from rich import box
from rich.console import Console
from rich.table import Table as Grid

from capswriter import __version__
from capswriter.bench.machine import machine
from capswriter.bench.material import read
from capswriter.bench.overhead import Overhead, aims, measure, phrase_of, table
from capswriter.bench.result import Result
from capswriter.bench.subject import installed
from capswriter.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from capswriter.bench.result import Run

INTERRUPTED = 130
"""Exit status after Ctrl-C, as shells give it."""

TEXTS = {".json", ".md", ".txt"}
"""Suffixes of files beside recordings that are none."""

NOT_MET = 1
"""Exit status where the server adds more than it may."""


@click.command(short_help="Tell what the server adds to one utterance.")
@click.argument("recordings", nargs=-1, type=click.Path(exists=True, path_type=Path))
@click.option(
    "--model", default="whisper-base", show_default=True, help="A name, or a model's directory."
)
@click.option(
    "--utterances",
    type=click.IntRange(1),
    default=100,
    show_default=True,
    help="That are sent all at once.",
)
@click.option(
    "--paced",
    type=click.IntRange(0),
    default=10,
    show_default=True,
    help="That are sent as they are spoken: 10 s each.",
)
@click.option(
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    default="overhead.json",
    show_default=True,
    help="File for the result.",
)
@click.option("--markdown", is_flag=True, help="Print Markdown.")
def command(
    recordings: tuple[Path, ...],
    *,
    model: str,
    utterances: int,
    paced: int,
    output: Path,
    markdown: bool,
) -> None:
    """Send 10 s of speech to an idle server again and again, and tell where the time goes.

    The speech is taken from the RECORDINGS, files or folders; ref_codes/samples by default. The
    exit status is 1 where the server adds more than it may.
    """
    subject = installed(model)
    materials, missing = read(_files(recordings or (Path("ref_codes", "samples"),)))
    phrase = phrase_of(materials)
    found, described = Overhead(), machine()
    interrupted, trouble = False, ""
    with TemporaryDirectory(prefix="capswriter-") as folder:
        trace = Path(folder, "trace.jsonl")
        measuring = measure(
            subject,
            phrase,
            found,
            at_once=utterances,
            paced=paced,
            trace=trace,
            tell=lambda line: click.echo(line, err=True),
        )
        try:
            asyncio.run(measuring)
        except KeyboardInterrupt:
            interrupted = True
            trouble = "interrupted: there are fewer utterances than were asked for"
        except UserError as error:
            if not found.bare:
                raise
            trouble = str(error)
        runs = found.runs(phrase, trace) if trace.exists() else ()
    texts = {sample.text for run in runs for sample in run.samples if run.arrangement == "bare"}
    Result(
        kind="overhead",
        created=datetime.now(timezone.utc).isoformat(timespec="seconds"),
        command=shlex.join(["capswriter", *sys.argv[1:]]),
        version=__version__,
        machine=described,
        model=subject.name,
        settings={"utterances": utterances, "paced": paced, "workers": 1},
        recordings=(phrase.material.recording(expected=texts.pop() if texts else None),),
        runs=runs,
        missing=(*missing, *filter(None, [trouble])),
    ).save(output)
    for line in filter(None, (*missing, trouble)):
        click.echo(line, err=True)
    reached = aims(runs)
    if markdown:
        click.echo(table(runs).markdown())
    else:
        Console().print(_grid(runs))
    for aim in reached:
        name, figure, bound, state = aim.row()
        click.echo(f"{name}: {figure} ({bound}: {state})")
    click.echo(f"{output} has every figure")
    if interrupted:
        sys.exit(INTERRUPTED)
    if trouble or not all(aim.met for aim in reached):
        sys.exit(NOT_MET)


def _files(given: Iterable[Path]) -> list[Path]:
    """Name the recordings in folders."""
    files: list[Path] = []
    for path in given:
        inside = sorted(path.iterdir()) if path.is_dir() else [path]
        files += [file for file in inside if file.is_file() and file.suffix not in TEXTS]
    return files


def _grid(runs: Sequence[Run]) -> Grid:
    shown = table(runs)
    grid = Grid(box=box.SIMPLE_HEAD)
    for place, column in enumerate(shown.header):
        grid.add_column(column, justify="right" if place else "left")
    for row in shown.rows:
        grid.add_row(*row)
    return grid
