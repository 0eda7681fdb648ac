"""``capswriter bench peers``: the server beside other programs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich import box
from rich.console import Console
from rich.table import Table as Grid

from capswriter.cli.bench.ending import SAMPLES, Progress, finish, recordings

if TYPE_CHECKING:
    from capswriter.bench.tables import Table

FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)


@click.command(short_help="Compare with other programs on the same recordings.")
@click.argument("files", nargs=-1, type=click.Path(path_type=Path))
@click.option(
    "--model", default="whisper-base", show_default=True, help="A name, or a model's directory."
)
@click.option(
    "--workers", type=click.IntRange(1), help="Of our server; as many as there are cores."
)
@click.option(
    "--clients",
    type=click.IntRange(1),
    help="Who send files at the same time; twice the workers by default.",
)
@click.option("--rounds", type=click.IntRange(1), default=3, show_default=True, help="How many.")
@click.option(
    "--passes",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    help="How often each run does each file.",
)
@click.option(
    "--warm-up",
    type=click.IntRange(0),
    default=1,
    show_default=True,
    help="Segments that are recognised before a run counts.",
)
@click.option(
    "--funasr-model", type=FOLDER, help="SenseVoice or Paraformer for funasr-onnx, if not --model."
)
@click.option("--sherpa-model", type=FOLDER, help="SenseVoice as sherpa-onnx has it.")
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder for the result; a new one in bench-results by default.",
)
def command(
    files: tuple[Path, ...],
    *,
    model: str,
    workers: int | None,
    clients: int | None,
    rounds: int,
    passes: int,
    warm_up: int,
    funasr_model: Path | None,
    sherpa_model: Path | None,
    out: Path | None,
) -> int:
    """Let our server and other programs recognise FILES, in turns, and compare.

    FILES are recordings or folders of them; ref_codes/samples by default. What was said may lie
    beside talk.mp3 as talk.txt. The others are faster-whisper, and funasr-onnx and sherpa-onnx
    where they are installed and have a model; each gets whole recordings, decoded already, one
    after the other, as it comes and with all cores.

    Ends with 0, 1 if something failed or is missing, 130 after Ctrl-C. What was measured is kept.
    """
    from capswriter.bench.arrangements import Load  # noqa: PLC0415  # slow to import
    from capswriter.bench.draft import Draft, place_for  # noqa: PLC0415
    from capswriter.bench.material import read  # noqa: PLC0415
    from capswriter.bench.peers.programs import cores, programs  # noqa: PLC0415
    from capswriter.bench.peers.turns import Contest, contest, peers_table  # noqa: PLC0415
    from capswriter.bench.subject import installed  # noqa: PLC0415

    subject = installed(model)
    others, skipped = programs(Path(subject.model), funasr=funasr_model, sherpa=sherpa_model)
    materials, missing = read(recordings(files, Path(*SAMPLES)))
    count = workers or cores()
    load = Load(materials, passes=passes, clients=clients or 2 * count, warm_up=warm_up)
    wanted = Contest(subject, others, count, load, rounds, skipped)
    place = place_for("peers", out)
    draft = Draft("peers", place, subject.name, wanted.settings, missing=missing)
    for line in (*missing, *skipped):
        click.echo(f"capswriter: {line}", err=True)
    whole = contest(wanted, draft, Progress())
    Console().print(_grid(peers_table(draft.result())))
    return finish(draft, status=0, interrupted=not whole)


def _grid(table: Table) -> Grid:
    grid = Grid(box=box.SIMPLE_HEAD)
    for place, column in enumerate(table.header):
        grid.add_column(column, justify="right" if place else "left", overflow="fold")
    for row in table.rows:
        grid.add_row(*row)
    return grid
