"""``capswriter bench report``: a page with pictures of a measurement, or its tables."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import click

from capswriter.bench.result import Result

Format = Literal["html", "terminal", "markdown"]


@click.command(short_help="Make a page with pictures of a measurement.")
@click.argument("result", type=click.Path(path_type=Path))
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder for the page and its pictures; by default NAME-report beside NAME.json.",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["html", "terminal", "markdown"]),
    default="html",
    show_default=True,
    help="A page, or tables on the standard output.",
)
def command(*, result: Path, out: Path | None, form: Format) -> None:
    """Make a page with pictures of RESULT, a JSON file that another command has made.

    Nothing is measured: all figures are worked out from the file.
    """
    measured = Result.load(result)
    # Here, as reading the file is to fail before a library is missed.
    from capswriter.bench.report import markdown, terminal, write_report  # noqa: PLC0415

    if form == "markdown":
        click.echo(markdown(measured), nl=False)
    elif form == "terminal":
        from rich.console import Console  # noqa: PLC0415

        Console().print(terminal(measured))
    else:
        click.echo(write_report(measured, out or result.with_name(f"{result.stem}-report")))
