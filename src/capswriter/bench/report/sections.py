"""What is told, in which order: sentences, tables and the names of pictures."""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from capswriter.bench import figures
from capswriter.bench.figures import Group, plural
from capswriter.bench.load import percentile
from capswriter.bench.tables import Table
from capswriter.bench.verdict import GB, RESERVE, judge, recommend

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from capswriter.bench.result import Result
    from capswriter.bench.verdict import Verdict

NONE = "–"
"""What stands for a figure that was not measured."""

TITLES = {
    "run": "One server under load",
    "compare": "One worker against several",
    "peers": "Beside other programs",
    "overhead": "What the server adds",
}

MINUTE = 60.0


@dataclass(frozen=True, slots=True)
class Section:
    """A part of the report.

    Args:
        title: of it.
        parts: sentences and tables, in order.
        charts: names of the pictures that belong to it.
    """

    title: str
    parts: Sequence[str | Table]
    charts: tuple[str, ...] = ()


def sections(result: Result) -> list[Section]:
    """Tell everything that a result holds; what it does not hold is named."""
    found = [
        _verdict(result),
        _speed(result),
        _peers(result),
        _stages(result),
        _waits(result),
        _workers(result),
        _resources(result),
        _texts(result),
        _recommended(result),
        _missing(result),
        _recordings(result),
        _machine(result),
    ]
    return [section for section in found if section.parts]


def _verdict(result: Result) -> Section:
    parts: list[str | Table] = []
    for verdict in judge(result) if result.kind == "compare" else ():
        parts += [verdict.sentence, verdict_table(verdict)]
        parts += [f"Likely: {c.name}. {c.evidence} {c.advice}" for c in verdict.causes]
    return Section("Verdict", parts)


def verdict_table(verdict: Verdict) -> Table:
    """Lay out the conditions, their figures, and whether they are met."""
    rows = []
    for check in verdict.checks:
        name, measured, wanted, _ = check.aim.row()
        rows.append([name, check.aim.state, measured, wanted, check.detail])
    return Table(["condition", "state", "measured", "wanted", "detail"], rows)


def _speed(result: Result) -> Section:
    rows = []
    for each in figures.groups(result):
        row = [each.label, _number(each.median(figures.throughput), 2)]
        if result.kind == "compare":
            row += _speed_up_cells(result, each)
        rows.append(row)
    header = ["arrangement", "audio s/s"]
    if result.kind == "compare":
        header += ["speed-up", "rounds from – to", "efficiency"]
        header += ["of the bare speed-up", "of the bare limit"]
    there = any(row[1] != NONE for row in rows) and result.kind in {"run", "compare"}
    return Section("Speed", [Table(header, rows)] if there else [], ("speed-up",))


def _speed_up_cells(result: Result, each: Group) -> list[str]:
    found = figures.speed_up(result, each.arrangement, each.workers)
    share = bare = None
    if each.arrangement == "server":
        share = figures.share_of_bare_speed_up(result, each.workers)
    if each.arrangement != "bare":
        bare = figures.ratio(each, figures.group(result, "bare", each.workers))
    return [
        _number(_median(found), 2),
        f"{found.low:.2f} – {found.high:.2f}" if found else NONE,
        _percent(figures.efficiency(result, each.arrangement, each.workers)),
        _percent(_median(share), 1),
        _percent(_median(bare), 1),
    ]


def _peers(result: Result) -> Section:
    found = figures.groups(result)
    if result.kind != "peers" or not found:
        return Section("Other programs", [])
    rows = []
    for each in found:
        ratio = figures.ratio(found[0], each)
        rows.append(
            [
                each.label,
                _number(each.median(figures.throughput), 2),
                f"{ratio.median:.2f} ×" if ratio else NONE,
                _error_rate(result, each),
                _gigabytes(each.median(figures.steady)),
            ]
        )
    header = ["program", "audio s/s", "ours to theirs", "error rate", "steady memory"]
    return Section("Other programs", [Table(header, rows)])


def _stages(result: Result) -> Section:
    times = figures.stage_times(result)
    if not times:
        return Section("One utterance", [])
    beyond = figures.beyond_engine(result)
    rows = [[name, *_times(seconds)] for name, seconds in times.items()]
    rows.append(["beyond the engine", *_times(beyond)])
    said = (
        f"Beyond the engine, the server adds {_duration(statistics.median(beyond))} to an "
        f"utterance (median of {len(beyond)})."
    )
    table = Table(["stage", "median", "99 %", "longest"], rows)
    return Section("One utterance", [said, table], ("stages",))


def _times(seconds: Sequence[float]) -> list[str]:
    return [
        _duration(each) for each in (percentile(seconds, 50), percentile(seconds, 99), max(seconds))
    ]


def _waits(result: Result) -> Section:
    rows = []
    for each in figures.groups(result):
        waits = figures.waits(each.samples)
        errors = figures.error_counts(each.samples)
        factors = figures.real_time_factors(each.samples)
        seconds = [waits.p50, waits.p95, waits.p99, waits.most] if waits else [None] * 4
        rows.append(
            [
                each.label,
                *map(_duration, seconds),
                _number(statistics.median(factors) if factors else None, 3),
                str(waits.tasks if waits else 0),
                ", ".join(f"{count} {code}" for code, count in errors.most_common()) or "none",
            ]
        )
    header = ["arrangement", "p50", "p95", "p99", "max", "real-time factor", "tasks", "errors"]
    there = any(each.samples for each in figures.groups(result))
    return Section("Waiting for the text", [Table(header, rows)] if there else [], ("waiting",))


def _workers(result: Result) -> Section:
    rows = []
    for each in figures.groups(result):
        times = [time for run in each.runs for time in figures.busy_times(run)]
        total = sum(time.audio for time in times)
        for number in sorted({time.worker for time in times}):
            own = [time for time in times if time.worker == number]
            audio = sum(time.audio for time in own)
            rows.append(
                [
                    f"{each.label}: worker {number}",
                    str(sum(time.segments for time in own)),
                    f"{audio:.1f} s",
                    _percent(audio / total if total else None),
                    f"{sum(time.seconds for time in own):.1f} s",
                    _percent(statistics.mean(time.idle for time in own)),
                ]
            )
    header = ["worker", "segments", "audio", "share", "busy", "idle"]
    return Section("Who did what", [Table(header, rows)] if rows else [], ("time line",))


def _resources(result: Result) -> Section:
    rows = []
    for each in figures.groups(result):
        if not any(run.usage for run in each.runs):
            continue
        growth = None
        if each.arrangement == "server" and result.kind == "compare":
            growth = figures.memory_growth(result, each.workers)
        drift = each.median(figures.drift)
        rows.append(
            [
                each.label,
                _gigabytes(each.median(figures.steady)),
                _number(_median(growth), 2),
                _gigabytes(each.most(figures.peak)),
                NONE if drift is None else f"{100 * drift:+.1f} %",
                _number(each.median(figures.cores_used), 2),
                _number(each.median(partial(figures.cores_used, process="front")), 2)
                if each.arrangement == "server"
                else NONE,
                _percent(each.median(figures.idle_share)),
            ]
        )
    header = ["arrangement", "steady memory", "growth", "peak memory", "drift", "cores"]
    header += ["front's cores", "idle"]
    parts: list[str | Table] = [Table(header, rows)] if rows else []
    if rows and not all(figures.has_pss(run) for run in result.runs):
        parts.append(
            "Shared pages count several times: the system does not tell proportional sizes."
        )
    return Section("Memory and processor", parts, ("memory", "processor"))


def _texts(result: Result) -> Section:
    rows = []
    for each in figures.groups(result):
        found = figures.correctness(result, each.samples)
        counts = [str(found.right), str(found.wrong), str(found.unjudged)]
        rows.append([each.label, *counts, _error_rate(result, each)])
    header = ["arrangement", "right", "wrong", "not judged", "error rate"]
    there = any(each.samples for each in figures.groups(result))
    return Section("Texts", [Table(header, rows)] if there else [])


def _error_rate(result: Result, each: Group) -> str:
    try:
        rates = figures.error_rates(result.recordings, each.samples)
    except ModuleNotFoundError:
        return NONE
    return _percent(statistics.mean(rates.values()), 1) if rates else NONE


def _recommended(result: Result) -> Section:
    cost, found = figures.cost(result), recommend(result)
    if cost is None or not found or result.kind != "compare":
        return Section("Workers for a machine", [])
    kind = "what it adds" if cost.shared else "measured alone, so that nothing counts as shared"
    said = (
        f"Measured: {cost.total / GB:.2f} GB with {plural(cost.base, 'worker')}"
        + (f", of it the front {cost.front / GB:.2f} GB" if cost.front else "")
        + f"; each further worker {cost.further / GB:.2f} GB ({kind}). "
        f"{RESERVE:g} GB are left to the system. "
        "A worker more than the cores can feed brings nothing."
    )
    rows = [
        [
            f"{each.memory} GB",
            str(each.fit),
            f"{each.takes:.1f} GB" if each.fit else NONE,
            _number(each.cores, 1),
            NONE if each.here is None else str(each.here),
        ]
        for each in found
    ]
    header = ["memory", "workers that fit", "they take", "cores they keep busy"]
    return Section(
        "Workers for a machine", [said, Table([*header, "with this machine's cores"], rows)]
    )


def missing(result: Result) -> list[str]:
    """Name what was not measured, a line each."""
    if not result.runs:
        return [*result.missing, "there are no runs"]
    found = [*result.missing, *_unfinished(result)]
    found += [f"not measured: {name}" for name, there in _wanted(result) if not there]
    unexpected = [each.name for each in result.recordings if each.expected is None]
    if unexpected and result.kind != "overhead":
        found.append(f"no text is expected of: {', '.join(unexpected)}")
    if any(each.reference for each in result.recordings) and not _can_count():
        found.append("error rates: run pip install 'capswriter-server[bench]'")
    return found


def _unfinished(result: Result) -> Iterator[str]:
    for each in figures.groups(result):
        for run in each.runs:
            where = f"{each.label}, round {run.round + 1}"
            if run.error:
                yield f"{where}, ended early: {run.error}"
            if not run.samples and not run.stages:
                yield f"{where}: no task was ended"


def _wanted(result: Result) -> Iterator[tuple[str, bool]]:
    servers = [run for run in result.runs if run.arrangement == "server"]
    if servers and result.kind != "overhead":
        yield "what each worker did when (spans)", any(run.spans for run in servers)
    if result.kind != "overhead":
        yield "memory and processor (usage)", any(run.usage for run in result.runs)
    if result.kind == "compare":
        several = len(figures.groups(result, "server")) > 1
        yield "the speed-up, as the server ran with one number of workers only", several
        yield "the bare limit", bool(figures.groups(result, "bare"))
        yield "the shared queue", bool(figures.groups(result, "queue"))
    if result.kind == "overhead":
        yield "the stages of an utterance", any(run.stages for run in result.runs)


def _can_count() -> bool:
    try:
        import jiwer  # noqa: F401, PLC0415
    except ModuleNotFoundError:
        return False
    return True


def _missing(result: Result) -> Section:
    lines = missing(result)
    return Section("What is missing", [f"{line[0].upper()}{line[1:]}." for line in lines])


def _recordings(result: Result) -> Section:
    rows = [[each.name, f"{each.seconds:.1f} s"] for each in result.recordings]
    return Section("Recordings", [Table(["recording", "audio"], rows)] if rows else [])


def _machine(result: Result) -> Section:
    machine = result.machine
    rows = [
        ["processor", machine.processor],
        ["flags", ", ".join(machine.flags) or NONE],
        ["cores", str(machine.cores)],
        ["memory", _gigabytes(machine.memory)],
        ["system", f"{machine.system}, Python {machine.python}"],
        ["packages", ", ".join(f"{name} {v}" for name, v in machine.packages.items()) or NONE],
        ["load before", _number(machine.load, 1)],
        ["model", result.model],
        *([name.replace("_", " "), _setting(value)] for name, value in result.settings.items()),
        ["CapsWriter Server", result.version],
        ["command", result.command],
        ["made", result.created],
    ]
    return Section("Machine and settings", [Table(["what", "value"], rows)])


def _median(ratio: figures.Ratio | None) -> float | None:
    return None if ratio is None else ratio.median


def _setting(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return NONE if value is None else str(value)


def _number(value: float | None, digits: int) -> str:
    return NONE if value is None else f"{value:.{digits}f}"


def _percent(value: float | None, digits: int = 0) -> str:
    return NONE if value is None else f"{100 * value:.{digits}f} %"


def _gigabytes(value: float | None) -> str:
    return NONE if value is None else f"{value / GB:.2f} GB"


def _duration(seconds: float | None) -> str:
    if seconds is None:
        return NONE
    if seconds < 1:
        return f"{1000 * seconds:.1f} ms" if seconds < 0.1 else f"{1000 * seconds:.0f} ms"  # noqa: PLR2004
    return f"{seconds:.2f} s" if seconds < MINUTE else f"{seconds:.1f} s"
