"""``python -m capswriter.bench.engines [MEASURE ...]``: measure, and print a report."""

from __future__ import annotations

import os
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from capswriter.bench.engines import memory, parity, replacement, speed, throughput
from capswriter.bench.engines.fixtures import Place
from capswriter.bench.engines.machine import describe
from capswriter.bench.engines.report import Report, Section, Skipped
from capswriter.cli import guarded

if TYPE_CHECKING:
    from collections.abc import Callable

MEASURES = ("parity", "speed", "curve", "memory", "replacement", "throughput")


@click.command()
@click.argument("chosen", nargs=-1, metavar="[MEASURE]...", type=click.Choice(MEASURES))
@click.option("--work", type=click.Path(path_type=Path), default=Path(sys.prefix, "work"))
@click.option("--speech", type=click.Path(path_type=Path), default=Path("..", "shared", "speech"))
@click.option("--rounds", type=int, default=7, help="Of what is timed in turns.")
@click.option("--turns", type=int, default=9, help="Of the throughput, 16 s each.")
def command(
    chosen: tuple[str, ...],
    *,
    work: Path,
    speech: Path,
    rounds: int,
    turns: int,
) -> None:
    """Measure all, or parity, speed, curve, memory, replacement or throughput.

    The report goes to standard output, and with all figures into the work folder.
    """
    work.mkdir(parents=True, exist_ok=True)
    os.environ["CAPSWRITER_MODEL_DIR"] = str(work / "store")  # for prepared copies
    place = Place(work, speech)
    measures: dict[str, Callable[[], Section]] = {
        "parity": partial(parity.measure, place),
        "speed": partial(speed.measure, place, rounds),
        "curve": partial(speed.measure_curve, place, rounds),
        "memory": partial(memory.measure, place),
        "replacement": partial(replacement.measure, place),
        "throughput": partial(throughput.measure, place, turns),
    }
    report = Report(describe(), [], " ".join(["scripts/bench-engines", *sys.argv[1:]]))
    for name in chosen or MEASURES:
        report.sections.append(_taken(name, measures[name], place))
        (work / "report.md").write_text(report.markdown(), encoding="utf-8")
        (work / "report.json").write_text(report.json(), encoding="utf-8")
    click.echo(report.markdown())


def _taken(name: str, measure: Callable[[], Section], place: Place) -> Section:
    click.echo(f"measuring: {name}", err=True)
    try:
        if not place.speech.is_dir():
            raise Skipped(f"there are no recordings in {place.speech}")
        return measure()
    except Skipped as reason:
        return Section(name.capitalize(), skipped=str(reason))


if __name__ == "__main__":
    sys.exit(guarded(partial(command.main, standalone_mode=False)))
