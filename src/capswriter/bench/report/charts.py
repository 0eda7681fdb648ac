"""The pictures: each once, drawn by matplotlib, for a PNG and for the page.

Colours are of Okabe and Ito's palette, which people with any kind of colour vision can tell apart
(https://jfly.uni-koeln.de/color/); lines also differ by marker and dash, areas by hatch, and all
have labels of their own.
"""

from __future__ import annotations

import io
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from capswriter.bench import figures
from capswriter.bench.figures import Group, plural
from capswriter.bench.figures.groups import NAMES
from capswriter.bench.figures.speed import waiting
from capswriter.bench.load import percentile
from capswriter.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from capswriter.bench.result import Result, Run

    Levels = tuple[list[float], dict[str, list[float]]]
    """Moments, and what each process took at each."""

INK, SOFT, FAINT = "#1f2224", "#5f6468", "#dedbd2"
COLOURS: Final = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
THEMED: Final[Mapping[str, str]] = {
    INK: "ink",
    SOFT: "soft",
    FAINT: "line",
    **{colour: f"series-{number}" for number, colour in enumerate(COLOURS)},
}
"""Variables of the page's style sheet, which knows light and dark, by the colour of the PNG."""

MARKERS: Final = ("o", "s", "^", "D", "v", "P")
DASHES: Final = ("-", "--", "-.", ":", (0, (6, 1, 1, 1, 1, 1)), (0, (8, 3)))
HATCHES: Final = ("", "///", "...", "\\\\\\", "xxx", "|||")

WIDTH: Final = 7.6
"""Inches."""

WIDE: Final = 12.0
"""Ratio of the longest to the median wait from which the axis is logarithmic."""

STYLE: Final[dict[Any, Any]] = {
    "font.size": 9.5,
    "text.color": INK,
    "axes.edgecolor": SOFT,
    "axes.labelcolor": SOFT,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 9.5,
    "axes.titlelocation": "left",
    "axes.linewidth": 0.8,
    "grid.color": FAINT,
    "grid.linewidth": 0.7,
    "xtick.color": SOFT,
    "ytick.color": SOFT,
    "hatch.linewidth": 0.6,
    "legend.frameon": False,
    "figure.constrained_layout.use": True,
    "svg.fonttype": "none",
    "svg.hashsalt": "capswriter",
}


class NoMatplotlib(UserError):
    """The library that draws is not installed."""

    def __init__(self) -> None:
        super().__init__(
            "pictures need matplotlib, which is not installed; "
            "run: pip install 'capswriter-server[bench]'"
        )


@dataclass(frozen=True, slots=True)
class Chart:
    """A picture.

    Args:
        name: of it, and of its file.
        title: above it.
        words: what it shows, for those who cannot see it.
        source: the fields that it is drawn from.
        draw: fills a figure.
        height: of it, in inches.
    """

    name: str
    title: str
    words: str
    source: str
    draw: Callable[[Figure], None]
    height: float = 3.0

    def png(self, path: Path) -> None:
        """Write it to a file, for a white ground."""
        with _drawn(self) as figure:
            figure.savefig(path, format="png", dpi=150, metadata={"Description": self.words})

    def svg(self) -> str:
        """Give it as an element of an HTML page, in the colours of the page."""
        written = io.StringIO()
        blank = dict.fromkeys(("Creator", "Date", "Format", "Type"))
        with _drawn(self) as figure:
            figure.savefig(written, format="svg", transparent=True, metadata=blank)
        return _inlined(written.getvalue(), self.name.replace(" ", "-"))


class _drawn:  # noqa: N801  # a context manager
    """The figure of a chart, in our style."""

    def __init__(self, chart: Chart) -> None:
        self._chart = chart

    def __enter__(self) -> Figure:
        import matplotlib as mpl  # noqa: PLC0415  # an extra
        from matplotlib.figure import Figure  # noqa: PLC0415

        self._style = mpl.rc_context(STYLE)
        self._style.__enter__()
        figure = Figure(figsize=(WIDTH, self._chart.height))
        self._chart.draw(figure)
        return figure

    def __exit__(self, *error: object) -> None:
        self._style.__exit__(None, None, None)


def require() -> None:
    """See to it that pictures can be drawn.

    Raises:
        NoMatplotlib: they cannot.
    """
    try:
        import matplotlib as mpl  # noqa: F401, PLC0415
    except ModuleNotFoundError as error:
        raise NoMatplotlib from error


def charts(result: Result) -> list[Chart]:
    """Give the pictures for which there is something to show."""
    found = (
        _speed_up(result),
        _stages(result),
        _waiting(result),
        _time_line(result),
        _memory(result),
        _processor(result),
    )
    return [chart for chart in found if chart is not None]


# ---- speed


def _speed_up(result: Result) -> Chart | None:
    lines: dict[str, dict[int, figures.Ratio]] = {}
    for each in figures.groups(result):
        ratio = figures.speed_up(result, each.arrangement, each.workers)
        if each.arrangement in NAMES and ratio:
            lines.setdefault(NAMES[each.arrangement], {})[each.workers] = ratio
    lines = {name: points for name, points in lines.items() if len(points) > 1}
    if result.kind != "compare" or not lines:
        return None

    def draw(figure: Figure) -> None:
        axes = figure.add_subplot()
        counts = sorted({workers for points in lines.values() for workers in points})
        few = counts[0]
        ideal = [count / few for count in counts]
        axes.plot(counts, ideal, color=SOFT, linestyle=(0, (1, 2)), label="ideal")
        for number, (name, points) in enumerate(lines.items()):
            look: dict[str, Any] = {"color": COLOURS[number], "marker": MARKERS[number]}
            medians = [ratio.median for ratio in points.values()]
            axes.plot([*points], medians, label=name, linestyle=DASHES[number], **look)
            for workers, ratio in points.items():
                if workers != few:
                    offset = 0.02 * (number + 1) * (counts[-1] - few)
                    places = [workers + offset] * len(ratio.rounds)
                    axes.scatter(places, [*ratio.rounds.values()], s=12, alpha=0.5, **look)
        axes.set(xlabel="workers", ylabel=f"times as fast as {few}", xticks=counts)
        axes.set_ylim(bottom=min(0.9, axes.get_ylim()[0]))
        axes.legend(loc="upper left")

    words = "; ".join(
        f"{name}: "
        + ", ".join(f"{ratio.median:.2f} with {plural(n, 'worker')}" for n, ratio in points.items())
        for name, points in lines.items()
    )
    return Chart(
        "speed-up",
        "Speed-up against the ideal and the bare limit",
        f"{words}. Small marks are single rounds.",
        "runs[].samples[].audio and runs[].seconds",
        draw,
        3.2,
    )


def _stages(result: Result) -> Chart | None:
    times = figures.stage_times(result)
    if not times:
        return None
    medians = {
        name: 1000 * percentile(times[name], 50) for name in figures.STAGES if name != "total"
    }

    def draw(figure: Figure) -> None:
        axes = figure.add_subplot()
        bars = axes.barh([*medians], [*medians.values()], color=COLOURS[0], height=0.6)
        axes.bar_label(bars, fmt="%.2f ms", padding=4, color=INK)
        axes.invert_yaxis()
        axes.grid(visible=False, axis="y")
        axes.margins(x=0.15)
        axes.set_xlabel("milliseconds, median")

    words = ", ".join(f"{name} {value:.2f} ms" for name, value in medians.items())
    return Chart("stages", "Where the time goes", words, "runs[].stages[]", draw, 2.8)


def _waiting(result: Result) -> Chart | None:
    waits = {
        each.label: sorted(seconds)
        for each in figures.groups(result)
        if each.arrangement != "bare" and len(seconds := waiting(each.samples)) > 1
    }
    if not waits:
        return None
    every = [second for seconds in waits.values() for second in seconds]
    wide = min(every) > 0 and max(every) / percentile(every, 50) > WIDE

    def draw(figure: Figure) -> None:
        axes = figure.add_subplot()
        for number, (name, seconds) in enumerate(waits.items()):
            steps = [(index + 1) / len(seconds) * 100 for index in range(len(seconds))]
            look = number % len(COLOURS)
            axes.plot(
                [seconds[0], *seconds],
                [0.0, *steps],
                drawstyle="steps-post",
                color=COLOURS[look],
                linestyle=DASHES[look],
                marker=MARKERS[look],
                markevery=max(1, len(seconds) // 8),
                markersize=4.5,
                label=name,
            )
        if wide:
            axes.set_xscale("log")
        else:
            axes.set_xlim(left=0)
        axes.set(xlabel="seconds from the last byte to the text", ylabel="% of the tasks")
        axes.set_ylim(0, 103)
        axes.legend(loc="lower right")

    words = "; ".join(
        f"{name}: half within {percentile(seconds, 50):.2f} s, 95 % within "
        f"{percentile(seconds, 95):.2f} s"
        for name, seconds in waits.items()
    )
    source = "runs[].samples[].ended - spoken of the tasks with a text, all rounds"
    return Chart("waiting", "How long tasks waited for their text", f"{words}.", source, draw, 3.4)


# ---- over time: one run of each number of workers, the one nearest to the median


def _typical(each: Group, there: Callable[[Run], bool]) -> Run | None:
    runs = [run for run in each.whole or each.runs if there(run)]
    runs.sort(key=lambda run: figures.throughput(run) or 0.0)
    return runs[len(runs) // 2] if runs else None


def _typical_runs(result: Result, there: Callable[[Run], bool]) -> dict[str, Run]:
    for arrangement in ("server", "bare", "queue", "peer"):
        found = {
            f"{each.label}, round {run.round + 1}": run
            for each in figures.groups(result, arrangement)
            if (run := _typical(each, there)) is not None
        }
        if found:
            return found
    return {}


def _time_line(result: Result) -> Chart | None:
    runs = _typical_runs(result, lambda run: bool(run.spans))
    if not runs:
        return None

    def draw(figure: Figure) -> None:
        rows = [len(figures.busy_times(run)) for run in runs.values()]
        for axes, (name, run) in zip(_panels(figure, rows), runs.items(), strict=True):
            numbers = [time.worker for time in figures.busy_times(run)]
            for place, number in enumerate(numbers):
                look = (place + 1) % len(COLOURS)  # the same as in the other pictures
                spans = sorted((s.began, s.ended) for s in run.spans if s.worker == number)
                for turn in range(2):  # neighbours differ, so that one ends where another begins
                    axes.broken_barh(
                        [(began, ended - began) for began, ended in spans[turn::2]],
                        (place - 0.36, 0.72),
                        facecolor=COLOURS[look],
                        hatch=HATCHES[look],
                        edgecolor=INK,
                        linewidth=0.4,
                        alpha=(1.0, 0.6)[turn],
                    )
            axes.set_yticks(range(len(numbers)), [f"worker {number}" for number in numbers])
            axes.set_ylim(len(numbers) - 0.4, -0.6)
            axes.grid(visible=False, axis="y")
            axes.set_title(name)

    words = "; ".join(
        f"{name}: "
        + ", ".join(
            f"worker {time.worker} recognised {plural(time.segments, 'segment')} and was idle "
            f"{100 * time.idle:.0f} % of the time"
            for time in figures.busy_times(run)
        )
        for name, run in runs.items()
    )
    height = 1.1 + sum(0.5 + 0.34 * len(figures.busy_times(run)) for run in runs.values())
    source = "runs[].spans[] of the round whose throughput is the median"
    return Chart("time line", "Which worker did what when", f"{words}.", source, draw, height)


def _memory(result: Result) -> Chart | None:
    def levels(run: Run) -> Levels:
        seen = figures.moments(run)
        names = _processes(run)
        return [moment.at for moment in seen], {
            name: [
                sum(
                    usage.rss if usage.pss is None else usage.pss
                    for (process, _), usage in moment.processes.items()
                    if process == name
                )
                / 1e9
                for moment in seen
            ]
            for name in names
        }

    source = "runs[].usage[].pss (rss where pss is null) of the same rounds"
    return _over_time(
        result, "memory", levels, title="Memory over time", axis="gigabytes", source=source
    )


def _processor(result: Result) -> Chart | None:
    def levels(run: Run) -> Levels:
        steps = figures.load_over_time(run)
        return [at for at, _ in steps], {
            name: [loads.get(name, 0.0) for _, loads in steps] for name in _processes(run)
        }

    source = "runs[].usage[].cpu, differences between moments, of the same rounds"
    return _over_time(
        result, "processor", levels, title="Cores used over time", axis="cores", source=source
    )


def _processes(run: Run) -> list[str]:
    names = {usage.process for usage in run.usage}

    def order(name: str) -> tuple[bool, bool, int, str]:  # workers have the same colours everywhere
        return name != "front", not name.startswith("worker"), len(name), name

    return sorted(names, key=order)


def _over_time(
    result: Result,
    name: str,
    levels: Callable[[Run], Levels],
    *,
    title: str,
    axis: str,
    source: str,
) -> Chart | None:
    runs = _typical_runs(result, lambda run: len(levels(run)[0]) > 1)
    if not runs:
        return None
    shown = {label: levels(run) for label, run in runs.items()}

    def draw(figure: Figure) -> None:
        top = max(map(max, _totals(shown.values())))
        panels = _panels(figure, [1] * len(shown))
        for axes, (label, (times, areas)) in zip(panels, shown.items(), strict=True):
            looks = [number % len(COLOURS) for number in range(len(areas))]
            axes.stackplot(
                times,
                *areas.values(),
                labels=[*areas],
                colors=[COLOURS[look] for look in looks],
                hatch=[HATCHES[look] for look in looks],
                edgecolor=INK,
                linewidth=0.4,
                alpha=0.85,
            )
            axes.set_ylim(0, 1.08 * top or 1)
            axes.set_ylabel(axis)
            axes.set_title(label)
            handles, labels = axes.get_legend_handles_labels()
            axes.legend(
                handles[::-1], labels[::-1], loc="upper left", bbox_to_anchor=(1, 1), borderpad=0
            )

    words = "; ".join(
        f"{label}: at most {max(total):.2f} {axis}"
        for label, total in zip(shown, _totals(shown.values()), strict=True)
    )
    height = 0.4 + 1.9 * len(shown)
    return Chart(name, title, f"{words}.", source, draw, height)


def _totals(shown: Iterable[Levels]) -> list[list[float]]:
    return [[sum(each) for each in zip(*areas.values(), strict=True)] for _, areas in shown]


def _panels(figure: Figure, heights: Sequence[int]) -> list[Axes]:
    """Put axes of one time scale below each other."""
    panels = figure.subplots(
        len(heights),
        1,
        sharex=True,
        squeeze=False,
        gridspec_kw={"height_ratios": [height + 0.4 for height in heights]},
    )
    column: list[Axes] = list(panels[:, 0])
    for axes in column:
        axes.margins(x=0.01)
    column[-1].set_xlabel("seconds")
    return column


# ---- for the page


def _inlined(svg: str, prefix: str) -> str:
    """Make a file an element: no prologue, ids of its own, colours of the page."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r'\b(id="|href="#|url\(#)', rf"\g<1>{prefix}-", svg)
    svg = re.sub(
        r'<svg [^>]*?viewBox="([^"]*)"[^>]*>', r'<svg viewBox="\1" aria-hidden="true">', svg
    )
    for colour, variable in THEMED.items():
        svg = svg.replace(colour, f"var(--{variable})")
    return svg.strip()
