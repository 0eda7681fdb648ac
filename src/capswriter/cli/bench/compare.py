"""``capswriter bench compare``: one worker against several."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

import click

from capswriter.cli.bench.ending import SAMPLES, Progress, finish, recordings

if TYPE_CHECKING:
    from capswriter.bench.compare import Comparison


def counts(_: click.Context, __: click.Parameter, given: str) -> tuple[int, ...]:
    """Read numbers of workers, separated by commas; each counts once, the fewest first."""
    parts = given.split(",")
    if not all(part.strip().isdecimal() and int(part) for part in parts):
        raise click.BadParameter(f"{given!r} is not a number of workers, nor several as in 1,2,4")
    return tuple(sorted(set(map(int, parts))))


@click.command(short_help="Compare one worker with several, in turns.")
@click.argument("files", nargs=-1, type=click.Path(path_type=Path))
@click.option(
    "--workers", callback=counts, default="1,2", show_default=True, help="Numbers of them."
)
@click.option(
    "--model", default="whisper-base", show_default=True, help="A name, or a model's directory."
)
@click.option("--rounds", type=click.IntRange(1), default=2, show_default=True, help="How many.")
@click.option(
    "--clients",
    type=click.IntRange(1),
    help="Who send files at the same time; twice the most workers by default.",
)
@click.option(
    "--passes",
    type=click.IntRange(1),
    default=2,
    show_default=True,
    help="How often each run does each file.",
)
@click.option(
    "--seconds",
    type=click.FloatRange(0, min_open=True),
    help="Begin files for so long in each run, instead of --passes.",
)
@click.option(
    "--warm-up",
    type=click.IntRange(0),
    default=1,
    show_default=True,
    help="Segments that each worker recognises before a run counts.",
)
@click.option("--bare/--no-bare", default=True, help="With processes that do nothing else, or not.")
@click.option("--queue/--no-queue", default=True, help="With processes that share a queue, or not.")
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder for the result; a new one in bench-results by default.",
)
def command(
    files: tuple[Path, ...],
    *,
    workers: tuple[int, ...],
    model: str,
    rounds: int,
    clients: int | None,
    passes: int,
    seconds: float | None,
    warm_up: int,
    bare: bool,
    queue: bool,
    out: Path | None,
) -> int:
    """Let a server with each number of workers recognise FILES, in turns, and compare.

    FILES are recordings or folders of them; ref_codes/samples by default. What was said may lie
    beside talk.mp3 as talk.txt.

    Ends with 0 if some number of workers is worth its memory, 1 if none is or something is missing,
    3 if that cannot be told, 130 after Ctrl-C. What was measured is kept in any case.
    """
    from capswriter.bench.arrangements import Load  # noqa: PLC0415  # slow to import
    from capswriter.bench.compare import Comparison  # noqa: PLC0415
    from capswriter.bench.draft import place_for  # noqa: PLC0415
    from capswriter.bench.material import read  # noqa: PLC0415
    from capswriter.bench.subject import installed  # noqa: PLC0415

    subject = installed(model)
    materials, missing = read(recordings(files, Path(*SAMPLES)))
    load = Load(
        materials,
        passes=passes if seconds is None else None,
        seconds=math.inf if seconds is None else seconds,
        clients=clients or 2 * max(workers),
        warm_up=warm_up,
    )
    wanted = Comparison(subject, workers, load, rounds, bare=bare, queue=queue)
    return conduct(wanted, place_for("compare", out), missing)


def conduct(wanted: Comparison, directory: Path, missing: list[str]) -> int:
    """Compare, and tell what came of it; the exit status.

    Args:
        wanted: what to compare.
        directory: for the result.
        missing: what cannot be measured already, a line each.
    """
    from capswriter.bench.compare import compare  # noqa: PLC0415
    from capswriter.bench.draft import Draft  # noqa: PLC0415
    from capswriter.bench.verdict import exit_status, judge  # noqa: PLC0415

    draft = Draft("compare", directory, wanted.subject.name, wanted.settings, missing=list(missing))
    for line in missing:
        click.echo(f"capswriter: {line}", err=True)
    whole = compare(wanted, draft, Progress())
    several = len(wanted.workers) > 1
    status = exit_status(judge(draft.result())) if several else 0
    return finish(draft, status=status, interrupted=not whole)
