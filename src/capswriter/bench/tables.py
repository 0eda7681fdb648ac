"""Tables of figures, and figures that are to be reached."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Sequence

State = Literal["met", "not met", "not measured"]


@dataclass(frozen=True, slots=True)
class Table:
    """A table; its first column names the rows.

    Args:
        header: of the columns.
        rows: as many cells each.
    """

    header: Sequence[str]
    rows: Sequence[Sequence[str]]

    def markdown(self) -> str:
        """Write it down, figures to the right."""
        rule = ["---"] + ["--:"] * (len(self.header) - 1)
        lines = [[_escaped(cell) for cell in row] for row in (self.header, *self.rows)]
        lines.insert(1, rule)
        return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


@dataclass(frozen=True, slots=True)
class Aim:
    """A figure that is to be reached.

    Args:
        name: what it is.
        measured: and how it came out; NaN where it could not be measured.
        limit: what it may be at most, or has to be at least.
        at_least: which of the two.
        unit: of both.
    """

    name: str
    measured: float
    limit: float
    at_least: bool = False
    unit: str = ""

    @property
    def met(self) -> bool:
        """Whether it is reached; what could not be measured is not."""
        if self.at_least:
            return self.measured >= self.limit
        return self.measured <= self.limit

    @property
    def state(self) -> State:
        """Whether it is reached, in words."""
        if math.isnan(self.measured):
            return "not measured"
        return "met" if self.met else "not met"

    def row(self) -> list[str]:
        """Give its row in the table of aims: name, figure, limit, state."""
        bound = "≥" if self.at_least else "≤"
        figure = "–" if math.isnan(self.measured) else f"{self.measured:.3g}{self.unit}"
        state = self.state if self.met else f"**{self.state}**"
        return [self.name, figure, f"{bound} {self.limit:g}{self.unit}", state]


def _escaped(cell: str) -> str:
    return " ".join(cell.replace("|", r"\|").split())
