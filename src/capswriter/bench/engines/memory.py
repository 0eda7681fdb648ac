"""How much memory several workers take, beside as many processes with funasr-onnx."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack
from typing import TYPE_CHECKING

from capswriter.bench.engines.bare import Bare, save_clips
from capswriter.bench.engines.contenders import FUNASR, OURS, Kind
from capswriter.bench.engines.report import Section, Skipped
from capswriter.bench.engines.serving import others, proportional, serving
from capswriter.bench.engines.speech import exactly, recordings
from capswriter.bench.load import Work, closed_loop
from capswriter.bench.tables import Aim, Table

if TYPE_CHECKING:
    from pathlib import Path

    from capswriter.audio import Samples
    from capswriter.bench.engines.fixtures import Place

COUNTS = (1, 2, 4)
LENGTHS = (10.0, 29.5)
"""Seconds of what each process recognises before it is looked at; the longest is one segment."""

GROWTH, SHARE = 1.9, 0.4
"""Four of ours take at most so much of one of ours, and of four of theirs."""


def measure(place: Place) -> Section:
    """Compare sums of PSS of worker processes."""
    section = Section("Memory of worker processes")
    heard = recordings(place.speech)
    clips = [exactly(heard, seconds) for seconds in LENGTHS]
    saved = place.work / "memory.npz"
    save_clips(saved, clips)
    section.parts.append(
        f"MiB, sums of PSS, after each process has recognised {LENGTHS[0]:.0f} and "
        f"{LENGTHS[1]} s. A page that processes share counts once."
    )
    for kind, model in place.models(section):
        prepare(kind, model, saved)
        ours, rest = {}, {}
        for count in COUNTS:
            ours[count], rest[count] = asyncio.run(of_workers(model, count, clips, place.work))
        theirs = {count: of_bare(FUNASR, kind, model, saved, count) for count in COUNTS}
        rows = [
            [f"{kind}: {name}", *(f"{found[count]:.0f}" for count in COUNTS), f"{ratio:.2f}"]
            for name, found in (("ours", ours), ("funasr-onnx", theirs))
            for ratio in (found[COUNTS[-1]] / found[COUNTS[0]],)
        ]
        rows.append(
            [f"{kind}: ours, front and forkserver", *(f"{rest[n]:.0f}" for n in COUNTS), ""]
        )
        header = ["", *(f"{count} of them" for count in COUNTS), f"{COUNTS[-1]} : 1"]
        section.parts.append(Table(header, rows))
        growth = ours[COUNTS[-1]] / ours[COUNTS[0]]
        share = ours[COUNTS[-1]] / theirs[COUNTS[-1]]
        section.aims += [
            Aim(f"{kind}: memory of 4 workers by that of 1", growth, GROWTH),
            Aim(f"{kind}: memory of 4 workers by that of 4 with funasr-onnx", share, SHARE),
        ]
        section.figures[kind] = {"ours": ours, "rest": rest, "theirs": theirs}
    return section


def prepare(kind: Kind, model: Path, saved: Path) -> None:
    """Have the prepared copy made, so that no server is kept waiting for it.

    Raises:
        Skipped: there is none to be had.
    """
    with Bare(OURS, kind, model, saved) as process:
        try:
            process.ready()
        except RuntimeError as error:
            raise Skipped(f"our engine cannot be measured with {model}: {error}") from error


async def of_workers(
    model: Path, count: int, clips: list[Samples], work: Path
) -> tuple[float, float]:
    """Measure workers of a real server; MiB of them all, and of its other processes."""
    async with serving(model, workers=count, log=work / "serve.log") as served:
        for samples in clips:
            tasks = [Work("file", samples)]
            ends = await closed_loop(served.url, tasks, clients=count, tasks=2 * count)
            if any(outcome.error for outcome in ends):
                raise Skipped(f"the server failed: {ends[0].error}")
        pids = await served.idle()
        done = [worker["tasks"] for worker in await served.workers()]
        if min(done) < len(clips):
            raise Skipped(f"the workers have done {done} tasks, which is too uneven")
        rest = [served.pid, *others(served.pid)]
        return sum(map(proportional, pids)), sum(map(proportional, rest))


def of_bare(name: str, kind: Kind, model: Path, saved: Path, count: int) -> float:
    """Measure as many processes with another engine; MiB of them all."""
    with ExitStack() as stack:
        processes = [stack.enter_context(Bare(name, kind, model, saved)) for _ in range(count)]
        for process in processes:
            process.ready()
        for clip in range(len(LENGTHS)):
            for process in processes:
                process.tell(f"once {clip}")
            for process in processes:
                process.done()
        return sum(proportional(process.pid) for process in processes)
