"""``capswriter bench plan``: how many workers and machines so many users need."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich import box
from rich.console import Console
from rich.table import Table as Grid

from capswriter.bench.plan.costs import costs
from capswriter.bench.plan.replay import check
from capswriter.bench.plan.search import GIGABYTE, Size, Wanted, plan
from capswriter.bench.plan.show import assumptions, check_table, plan_table, verdict
from capswriter.bench.result import Result

if TYPE_CHECKING:
    from capswriter.bench.tables import Table

SHARE = click.FloatRange(0, 1, min_open=True)
POSITIVE = click.FloatRange(0, min_open=True)


def counts(_: click.Context, __: click.Parameter, given: str) -> tuple[int, ...]:
    """Read numbers of users, separated by commas."""
    parts = given.split(",")
    if not all(part.strip().isdecimal() and int(part) for part in parts):
        raise click.BadParameter(
            f"{given!r} is not a number of users, nor several as in 20,200,20000"
        )
    return tuple(map(int, parts))


@click.command(short_help="Tell how many workers and machines so many users need.")
@click.argument("result", type=click.Path(path_type=Path))
@click.option(
    "--users",
    callback=counts,
    default="20,200,20000",
    show_default=True,
    help="Numbers of them.",
)
@click.option("--duty", type=SHARE, default=0.1, show_default=True, help="Share that they speak.")
@click.option(
    "--utterance", type=POSITIVE, default=10.0, show_default=True, help="Mean seconds of one."
)
@click.option(
    "--latency", type=POSITIVE, default=0.5, show_default=True, help="Seconds to the text, at most."
)
@click.option(
    "--percentile",
    type=click.FloatRange(0, 100, min_open=True, max_open=True),
    default=95.0,
    show_default=True,
    help="Of the utterances for which that has to hold.",
)
@click.option(
    "--recordings",
    type=click.FloatRange(0),
    default=0.0,
    show_default=True,
    help="Hours of recordings that arrive in an hour beside the speech.",
)
@click.option("--memory-gb", type=POSITIVE, help="Of each machine. [default: as is needed]")
@click.option(
    "--cores-per-machine", type=click.IntRange(1), help="Likewise. [default: as is needed]"
)
@click.option(
    "--overhead",
    type=click.Path(path_type=Path),
    help="A result of 'capswriter bench overhead', for what the server adds.",
)
@click.option("--markdown", is_flag=True, help="Print Markdown.")
def command(
    *,
    result: Path,
    users: tuple[int, ...],
    duty: float,
    utterance: float,
    latency: float,
    percentile: float,
    recordings: float,
    memory_gb: float | None,
    cores_per_machine: int | None,
    overhead: Path | None,
    markdown: bool,
) -> None:
    """Tell what so many users need, by simulation from the times in RESULT.

    RESULT is what 'capswriter bench compare' or 'capswriter bench run' has saved.
    """
    measured = Result.load(result)
    known = costs(measured, Result.load(overhead) if overhead else None)
    size = Size(cores_per_machine, None if memory_gb is None else memory_gb * GIGABYTE)
    wanted = [Wanted(count, duty, utterance, latency, percentile, recordings) for count in users]
    checks = check(measured, known)
    plans = [plan(known, each, size) for each in wanted]
    said = assumptions(measured, known, wanted[0], size)
    tables = {
        "What is needed": plan_table(plans),
        "The simulation beside the measurement": check_table(checks),
    }
    if markdown:
        parts = [f"**{title}**\n\n{table.markdown()}" for title, table in tables.items()]
        parts += [verdict(checks), "**What this assumes**", "\n".join(f"- {each}" for each in said)]
        click.echo("\n\n".join(parts))
        return
    console = Console()
    for title, table in tables.items():
        console.print(_grid(title, table))
    console.print(f"{verdict(checks)}\n\nWhat this assumes:", highlight=False)
    for each in said:
        console.print(f"- {each}", highlight=False, markup=False)


def _grid(title: str, table: Table) -> Grid:
    grid = Grid(title=title, title_justify="left", box=box.SIMPLE_HEAD)
    for column in table.header:
        grid.add_column(column, justify="right", overflow="fold")
    for row in table.rows:
        grid.add_row(*row)
    return grid
