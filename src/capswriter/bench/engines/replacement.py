"""How soon a killed worker's replacement gives its first result."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from typing import TYPE_CHECKING

from capswriter.bench.engines.bare import save_clips
from capswriter.bench.engines.contenders import nothing_prepared
from capswriter.bench.engines.memory import prepare
from capswriter.bench.engines.report import Section, Skipped, median
from capswriter.bench.engines.serving import FORKING, SPAWNING, serving
from capswriter.bench.engines.speech import exactly, recordings
from capswriter.bench.load import Work, calling
from capswriter.bench.tables import Aim, Table

if TYPE_CHECKING:
    from pathlib import Path

    from capswriter.bench.engines.fixtures import Place

KILLS = 10
SPOKEN = 3.0
"""Seconds of the utterance that waits."""

SOON = 1.5
"""Seconds until the replacement's first result, at most."""

WAYS = (
    ("forked, prepared", FORKING, True),
    ("spawned, prepared", SPAWNING, True),
    ("forked, unprepared", FORKING, False),
)


def measure(place: Place) -> Section:
    """Kill workers of real servers."""
    section = Section("Replacing a killed worker")
    work = Work("file", exactly(recordings(place.speech), SPOKEN))
    saved = place.work / "replacement.npz"
    save_clips(saved, [work.samples])
    section.parts.append(
        f"Seconds from `kill -9` of the only worker to the text of {SPOKEN:.0f} s of speech, "
        f"sent at once, {KILLS} times; the last column is the same without a kill."
    )
    rows = []
    for kind, model in place.models(section):
        prepare(kind, model, saved)
        for way, program, prepared in WAYS:
            killed, alive = _kill_workers(model, program, work, place.work, prepared=prepared)
            figures = (min(killed), median(killed), max(killed), median(alive))
            rows.append([f"{kind}: {way}", *(f"{each:.2f}" for each in figures)])
            section.figures[f"{kind}: {way}"] = {"killed": killed, "alive": alive}
            if prepared:
                name = f"{kind}, {way}: first result of a replacement, slowest"
                section.aims.append(Aim(name, max(killed), SOON, unit=" s"))
    section.parts.append(Table(["", "fastest", "p50", "slowest", "without a kill"], rows))
    return section


def _kill_workers(
    model: Path, program: str, work: Work, folder: Path, *, prepared: bool
) -> tuple[list[float], list[float]]:
    if prepared:
        return asyncio.run(kill_workers(model, program, work, folder))
    with nothing_prepared():
        return asyncio.run(kill_workers(model, program, work, folder))


async def kill_workers(
    model: Path, program: str, work: Work, folder: Path
) -> tuple[list[float], list[float]]:
    """Kill the worker of a server again and again.

    Returns:
        Seconds from the kill to the text, and from sending to the text where nothing was killed.
    """
    killed, alive = [], []
    log = folder / "serve.log"
    async with (
        serving(model, workers=1, program=program, log=log) as served,
        calling(served.url) as caller,
    ):
        for _ in range(KILLS):
            (pid,) = await served.idle()
            began = time.monotonic()
            outcome = await caller.say(work)
            alive.append(outcome.final_at - began)
            began = time.monotonic()
            os.kill(pid, signal.SIGKILL)
            outcome = await caller.say(work)
            killed.append(outcome.final_at - began)
            if outcome.error:
                raise Skipped(f"the server failed: {outcome.error}")
            await served.idle(but_for=pid)
    return killed, alive
