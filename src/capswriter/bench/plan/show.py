"""Plans as tables, and what they assume in plain words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from capswriter.bench.plan.search import (
    CONNECTION,
    GIGABYTE,
    MOST_OF_FRONT,
    PIECE,
    RECORDING,
    RESERVE,
    UTTERANCES,
)
from capswriter.bench.tables import Table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from capswriter.bench.plan.costs import Costs
    from capswriter.bench.plan.replay import Check
    from capswriter.bench.plan.search import Plan, Size, Wanted
    from capswriter.bench.result import Result

CLOSE = 0.1
"""By so much may the simulation differ from what was measured."""


def plan_table(plans: Sequence[Plan]) -> Table:
    """Lay out what is needed, a row for each number of users."""
    asked = plans[0].wanted.percentile
    header = [
        *("users", "speak at once", "machines", "cores each", "workers each", "memory each, GB"),
        *("all cores", "all workers", "all memory, GB", "p50 s", "p95 s", "p99 s"),
        *([] if asked in {50, 95, 99} else [f"p{asked:g} s"]),
        *("workers busy", "cores busy"),
    ]
    rows = []
    for plan in plans:
        each, count, memory = plan.each, plan.machines, plan.memory / GIGABYTE
        latencies = [each.p50, each.p95, each.p99]
        latencies += [] if asked in {50, 95, 99} else [each.latency]
        rows.append(
            [
                f"{plan.wanted.users:,}",
                f"{plan.wanted.speaking:,.0f}",
                f"{count:,}",
                f"{each.cores}",
                f"{each.workers}",
                f"{memory:.1f}",
                f"{each.cores * count:,}",
                f"{each.workers * count:,}",
                f"{memory * count:,.1f}",
                *(f"{seconds:.2f}" for seconds in latencies),
                f"{each.busy:.0%}",
                f"{each.cores_taken:.0%}",
            ]
        )
    return Table(header, rows)


def check_table(checks: Sequence[Check]) -> Table:
    """Lay out how well the simulation repeats the measurement."""
    header = ["workers", "clients", "audio s/s, measured", "simulated", "differs by"]
    header += ["median latency s, measured", "simulated", "differs by"]
    rows = []
    for check in checks:
        throughput, latency = check.differences
        rows.append(
            [
                *(str(check.workers), str(check.clients)),
                *(f"{each.throughput:.2f}" for each in (check.measured, check.simulated)),
                f"{throughput:+.1%}",
                *(f"{each.latency:.2f}" for each in (check.measured, check.simulated)),
                f"{latency:+.1%}",
            ]
        )
    return Table(header, rows)


def verdict(checks: Sequence[Check]) -> str:
    """Say in a line how far the simulation is from the measurement."""
    if not checks:
        return "The measurement has no run without errors to check the simulation against."
    worst = max(abs(each) for check in checks for each in check.differences)
    text = f"The simulation is within {worst:.1%} of every measured figure"
    if worst <= CLOSE:
        return text + "."
    return f"{text}: more than {CLOSE:.0%}, so take the plan for a rough one."


def assumptions(result: Result, costs: Costs, wanted: Wanted, size: Size) -> list[str]:
    """State what a plan takes for granted, a sentence or two each."""
    lines = [
        (
            f"Users: each speaks {wanted.duty:.0%} of the time, {wanted.utterance:g} s at a "
            "stretch on average (a gamma distribution whose standard deviation is half of that), "
            "with exponential pauses, and goes on without waiting for the text."
        ),
        (
            f"Wanted: {wanted.percentile:g} % of the utterances have their text "
            f"{wanted.latency:g} s after the last word at the latest."
        ),
        (
            f"Engine: {result.model} on {result.machine.processor}: {costs.fixed * 1000:.0f} ms "
            f"for a segment and {costs.per_second * 1000:.1f} ms for each second of its audio, "
            f"{costs.threads:.2f} cores while it works, with the spread that was measured. "
            f"{_range(costs, wanted)}"
        ),
        _slowdown(costs),
        (
            f"Cores are as fast as the {costs.cores} that were measured, and are shared: where "
            "workers and front want more than there are, everything slows down in proportion."
        ),
        (
            f"Front: {costs.front * 1000:.1f} ms of a core for each second of audio, while it is "
            f"spoken; one machine's front gets at most {MOST_OF_FRONT:.0%} of a core."
        ),
        _delay(costs),
        (
            "Queue: one on each machine, dictation before recordings, in order of arrival; a "
            "segment that has begun is finished first. Users are spread evenly over the machines."
        ),
        (
            f"Speech of more than {PIECE:.0f} s is recognised in pieces, all but the last of them "
            "while it goes on. Guesses at what is being said are not counted: they give way, are "
            "dropped where no worker is free, and save time where they come true."
        ),
        (
            f"Memory: {costs.front_memory / GIGABYTE:.2f} GB for the front and what workers "
            f"share, {costs.worker_memory / GIGABYTE:.2f} GB for each worker, "
            f"{CONNECTION / 1000:.1f} kB for each connection, and {RESERVE / GIGABYTE:.1f} GB for "
            "everything else on the machine."
        ),
        _machines(size),
        (
            f"Percentiles are of {UTTERANCES:,} simulated utterances. No machine or worker fails, "
            "nobody's network is counted, and the users do not all speak at nine o'clock."
        ),
    ]
    if wanted.recordings:
        lines.append(
            f"Recordings: {wanted.recordings:g} hours of them an hour, of "
            f"{RECORDING / 60:.0f} minutes each, arriving by chance, in segments of {PIECE:.0f} s."
        )
    return lines


def _range(costs: Costs, wanted: Wanted) -> str:
    text = f"Measured on segments of {costs.shortest:.1f} to {costs.longest:.1f} s"
    if costs.shortest <= wanted.utterance <= costs.longest:
        return f"{text}."
    return f"{text}: {wanted.utterance:g} s is outside of that, an extrapolation."


def _slowdown(costs: Costs) -> str:
    steps = [
        f"{factor:.2f} times the time with {share:.0%} of the cores busy"
        for share, factor in costs.slowdowns
    ]
    if len(steps) == 1:
        return (
            "How much engines slow each other down was not measured, with one number of workers "
            "only; the plan has them not do so."
        )
    return (
        f"Engines slow each other down: {', '.join(steps)} (by {costs.slowdown_from}). Larger "
        "machines are taken to behave so by the share of their cores that is busy."
    )


def _delay(costs: Costs) -> str:
    if costs.delay:
        milliseconds = f"{costs.delay * 1000:.1f} ms"
        return f"Everything else between the last byte and the text takes {milliseconds}."
    return (
        "What the server adds to an utterance besides waiting and recognition was not measured "
        "and is left out; --overhead adds it."
    )


def _machines(size: Size) -> str:
    cores = "as many cores as are needed" if size.cores is None else f"{size.cores} cores"
    if size.memory is None:
        return f"Machines have {cores} and as much memory as is needed."
    return f"Machines have {cores} and {size.memory / GIGABYTE:g} GB of memory."
