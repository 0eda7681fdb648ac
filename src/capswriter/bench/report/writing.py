"""The report for a terminal, and as Markdown."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich import box
from rich.console import Group
from rich.table import Table as Grid
from rich.text import Text

from capswriter.bench.report.sections import TITLES, sections
from capswriter.bench.tables import Table

if TYPE_CHECKING:
    from rich.console import RenderableType

    from capswriter.bench.result import Result

WORDS = frozenset({"detail", "value", "errors", "state"})
"""Columns of words, which stand to the left."""

STYLES = {"met": "green", "not met": "bold red", "not measured": "yellow"}


def terminal(result: Result) -> RenderableType:
    """Lay the report out for ``rich``."""
    parts: list[RenderableType] = [Text(f"{TITLES[result.kind]}: {result.model}", style="bold")]
    for section in sections(result):
        parts.append(Text(f"\n{section.title}", style="bold"))
        parts += [_grid(part) if isinstance(part, Table) else Text(part) for part in section.parts]
    return Group(*parts)


def markdown(result: Result) -> str:
    """Write the report down."""
    parts = [f"# {TITLES[result.kind]}: {result.model}"]
    for section in sections(result):
        parts.append(f"## {section.title}")
        parts += [part.markdown() if isinstance(part, Table) else part for part in section.parts]
    return "\n\n".join(parts) + "\n"


def _grid(table: Table) -> Grid:
    grid = Grid(box=box.SIMPLE_HEAD, pad_edge=False)
    for number, name in enumerate(table.header):
        left = number == 0 or name in WORDS
        grid.add_column(Text(name), justify="left" if left else "right", overflow="fold")
    for row in table.rows:
        grid.add_row(*(Text(cell, style=STYLES.get(cell, "")) for cell in row))
    return grid
