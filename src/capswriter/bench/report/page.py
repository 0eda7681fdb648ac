"""The report as one HTML page that needs nothing else, with its pictures as PNG beside it."""

from __future__ import annotations

from html import escape
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING

from capswriter.bench.report.charts import charts, require
from capswriter.bench.report.sections import TITLES, sections
from capswriter.bench.report.sources import SOURCES
from capswriter.bench.report.writing import WORDS
from capswriter.bench.tables import Table
from capswriter.bench.verdict import judge
from capswriter.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from capswriter.bench.report.charts import Chart
    from capswriter.bench.report.sections import Section
    from capswriter.bench.result import Result

NAME = "report.html"

STATES = {"met": "✓", "not met": "✗", "not measured": "?"}
"""Signs, so that nobody needs the colour."""

OUTCOMES = {"feasible": "met", "not feasible": "not met", "undecided": "not measured"}


class CannotWrite(UserError):
    """The report cannot be written."""


def write_report(result: Result, directory: Path) -> Path:
    """Write the page and its pictures.

    Args:
        result: that it tells of.
        directory: where ``report.html`` and a PNG for each picture go; made if it is not there.

    Returns:
        The page.

    Raises:
        NoMatplotlib: the pictures cannot be drawn.
        CannotWrite: there is no room, or no permission.
    """
    require()
    page = directory / NAME
    pictures = charts(result)
    try:
        directory.mkdir(parents=True, exist_ok=True)
        for chart in pictures:
            chart.png(directory / f"{chart.name.replace(' ', '-')}.png")
        page.write_text(html(result, pictures), encoding="utf-8")
    except OSError as error:
        raise CannotWrite(f"the report cannot be written: {error}") from error
    return page


def html(result: Result, pictures: Sequence[Chart]) -> str:
    """Give the page.

    Args:
        result: that it tells of.
        pictures: that are put into it.
    """
    told = sections(result)
    by_name = {chart.name: chart for chart in pictures}
    title = f"{TITLES[result.kind]}: {result.model}"
    here = Path(__file__)
    return Template(here.with_name("page.html").read_text(encoding="utf-8")).substitute(
        title=escape(title),
        style=here.with_name("page.css").read_text(encoding="utf-8"),
        summary=_summary(result),
        made=escape(f"{result.created}, CapsWriter Server {result.version}"),
        machine=escape(f"{result.machine.processor}, {result.machine.cores} cores"),
        contents="\n".join(
            f'<li><a href="#{_slug(each.title)}">{escape(each.title)}</a></li>' for each in told
        ),
        sections="\n".join(_section(each, by_name) for each in told),
        sources=_sources(told, pictures),
    )


def _summary(result: Result) -> str:
    lines = []
    for verdict in judge(result):
        state = OUTCOMES[verdict.outcome]
        lines.append(
            f'<p class="outcome {_slug(state)}"><span aria-hidden="true">{STATES[state]}</span> '
            f"{escape(verdict.sentence)}</p>"
        )
    return "\n".join(lines)


def _section(section: Section, pictures: Mapping[str, Chart]) -> str:
    name = _slug(section.title)
    parts = [
        _table(part, section.title) if isinstance(part, Table) else f"<p>{escape(part)}</p>"
        for part in section.parts
    ]
    parts += [_figure(pictures[each]) for each in section.charts if each in pictures]
    return (
        f'<section id="{name}" aria-labelledby="{name}-title">\n'
        f'<h2 id="{name}-title">{escape(section.title)}</h2>\n' + "\n".join(parts) + "\n</section>"
    )


def _table(table: Table, title: str) -> str:
    head = "".join(
        f'<th scope="col"{_look(name, number)}{_hint(name)}>{_heading(name)}</th>'
        for number, name in enumerate(table.header)
    )
    body = []
    for row in table.rows:
        cells = [f'<th scope="row">{escape(row[0])}</th>']
        for number, cell in enumerate(row[1:], start=1):
            cells.append(f"<td{_look(table.header[number], number, cell)}>{_cell(cell)}</td>")
        body.append(f"<tr>{''.join(cells)}</tr>")
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="{escape(title)}">'
        f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(body)}</tbody></table></div>"
    )


def _look(name: str, number: int, cell: str = "") -> str:
    looks = ["words"] if number == 0 or name in WORDS else []
    if cell in STATES:
        looks.append(_slug(cell))
    return f' class="{" ".join(looks)}"' if looks else ""


def _hint(name: str) -> str:
    return f' title="{escape(SOURCES[name])}"' if name in SOURCES else ""


def _heading(name: str) -> str:
    return escape(name).replace("-", "&#8209;")  # a hyphen at which no line ends


def _cell(cell: str) -> str:
    if cell in STATES:
        return f'<span aria-hidden="true">{STATES[cell]}</span> {cell}'
    return escape(cell)


def _figure(chart: Chart) -> str:
    return (
        f'<figure><h3>{escape(chart.title)}</h3><div class="scroll chart" tabindex="0" role="img" '
        f'aria-label="{escape(chart.title)}. {escape(chart.words)}" '
        f'title="From {escape(chart.source)}">{chart.svg()}</div>'
        f"<figcaption>{escape(chart.words)}</figcaption></figure>"
    )


def _sources(told: Sequence[Section], pictures: Sequence[Chart]) -> str:
    used = [
        name
        for section in told
        for part in section.parts
        if isinstance(part, Table)
        for name in part.header
        if name in SOURCES
    ]
    lines = {name: SOURCES[name] for name in used}
    lines |= {chart.title: f"Drawn from {chart.source}." for chart in pictures}
    return "\n".join(
        f"<dt>{escape(name)}</dt><dd>{escape(text)}</dd>" for name, text in lines.items()
    )


def _slug(name: str) -> str:
    return name.lower().replace(" ", "-")
