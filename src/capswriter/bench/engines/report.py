"""What was measured, as Markdown and as JSON."""

from __future__ import annotations

import json
import statistics
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from capswriter.bench.tables import Table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from capswriter.bench.tables import Aim


class Skipped(Exception):
    """A measure cannot be taken here; the message says why."""


@dataclass(slots=True)
class Section:
    """What one measure has found.

    Args:
        title: of it.
        parts: paragraphs and tables, in order.
        aims: that it tells something about.
        figures: everything that was measured, for programs.
        skipped: why there is nothing, where there is nothing.
    """

    title: str
    parts: list[str | Table] = field(default_factory=list)
    aims: list[Aim] = field(default_factory=list)
    figures: dict[str, Any] = field(default_factory=dict)
    skipped: str = ""

    def markdown(self) -> str:
        """Write it down."""
        parts = [each if isinstance(each, str) else each.markdown() for each in self.parts]
        if self.skipped:
            parts.append(f"Skipped: {self.skipped}")
        return "\n\n".join([f"## {self.title}", *parts])


@dataclass(frozen=True, slots=True)
class Report:
    """All of a run.

    Args:
        machine: processor, versions and so on, by name.
        sections: one for each measure that has been taken.
        command: that repeats it.
    """

    machine: dict[str, str]
    sections: list[Section]
    command: str

    @property
    def aims(self) -> list[Aim]:
        """Those of all sections."""
        return [aim for section in self.sections for aim in section.aims]

    def markdown(self) -> str:
        """Write it down; the aims come last."""
        facts = "\n".join(f"- {name}: {value}" for name, value in self.machine.items())
        aims = Table(["aim", "measured", "wanted", ""], [aim.row() for aim in self.aims])
        parts = ["# Engines", f"`{self.command}`", facts]
        parts += [section.markdown() for section in self.sections]
        parts += ["## Aims", aims.markdown() if self.aims else "None was measured."]
        return "\n\n".join(parts) + "\n"

    def json(self) -> str:
        """Write the figures down."""
        found = {
            "command": self.command,
            "machine": self.machine,
            "figures": {each.title: each.figures for each in self.sections if not each.skipped},
            "skipped": {each.title: each.skipped for each in self.sections if each.skipped},
            "aims": [
                {
                    "name": aim.name,
                    "measured": aim.measured,
                    "limit": aim.limit,
                    "at_least": aim.at_least,
                    "met": aim.met,
                }
                for aim in self.aims
            ],
        }
        return json.dumps(found, indent=1, ensure_ascii=False) + "\n"


def median(values: Sequence[float]) -> float:
    """Give the middle one."""
    return float(statistics.median(values))


PLAIN = 0.01
"""Seconds from which milliseconds need no decimals."""


def milliseconds(seconds: float) -> str:
    """Write a short time."""
    return f"{seconds * 1000:.0f}" if seconds >= PLAIN else f"{seconds * 1000:.1f}"
