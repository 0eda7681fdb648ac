"""What the server makes of two workers, beside two bare processes that do nothing else."""

from __future__ import annotations

import asyncio
import os
from contextlib import ExitStack
from typing import TYPE_CHECKING, NamedTuple

import psutil

from capswriter.bench.engines.bare import Bare, save_clips
from capswriter.bench.engines.contenders import OURS, Kind
from capswriter.bench.engines.memory import prepare
from capswriter.bench.engines.report import Section, Skipped, median, milliseconds
from capswriter.bench.engines.serving import serving
from capswriter.bench.engines.speech import recordings, utterances
from capswriter.bench.load import Outcome, Work, closed_loop
from capswriter.bench.tables import Aim, Table

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from capswriter.audio import Samples
    from capswriter.bench.engines.fixtures import Place

WORKERS = 2
CLIENTS = 6
"""Enough to keep the workers busy: some wait while others are answered."""

UTTERANCES = 24
"""Five minutes of them."""

SECONDS = 8.0
"""Of each round, for each of the two."""

WARM_UP = 4
"""Answers until the server is taken to be in full swing."""

SHARE = 0.95
"""Of what bare processes do, the server does at least so much."""


class Round(NamedTuple):
    """One round: seconds of audio in a second, and who took the processor's time meanwhile.

    Args:
        server: its rate.
        bare: that of the bare processes.
        workers: seconds of the processor that workers took for a second of audio.
        front: likewise, the front.
        clients: likewise, this process.
    """

    server: float
    bare: float
    workers: float
    front: float
    clients: float


def measure(place: Place, rounds: int) -> Section:
    """Compare a server with bare processes, in turns."""
    section = Section("Throughput of two workers behind the protocol")
    clips = utterances(recordings(place.speech), UTTERANCES)
    saved = place.work / "throughput.npz"
    save_clips(saved, clips)
    total = sum(map(len, clips)) / 16_000
    section.parts.append(
        f"Seconds of audio in a second: {CLIENTS} clients that send {UTTERANCES} utterances "
        f"({total:.0f} s) over and over, each when it has the text of the one before, and "
        f"{WORKERS} processes that loop over the same segments; {SECONDS:.0f} s in turns, "
        f"{rounds} rounds. Of the processor's time, milliseconds for a second of audio."
    )
    rows = []
    header = ["", "server", "bare processes", "ratio"]
    spenders = [f"ms of the processor, {who}" for who in ("workers", "front", "clients")]
    for kind, model in place.models(section):
        prepare(kind, model, saved)
        found = asyncio.run(in_turns(kind, place, clips, saved=saved, rounds=rounds))
        ratio = median([each.server / each.bare for each in found])
        middle = Round(*(median(each) for each in zip(*found, strict=True)))
        spent = [milliseconds(each) for each in (middle.workers, middle.front, middle.clients)]
        rows.append([kind, f"{middle.server:.1f}", f"{middle.bare:.1f}", f"{ratio:.3f}", *spent])
        section.figures[kind] = {"rounds": found, "ratio": ratio}
        name = f"{kind}: throughput of the server by that of bare processes"
        section.aims.append(Aim(name, ratio, SHARE, at_least=True))
    section.parts.append(Table([*header, *spenders], rows))
    return section


async def in_turns(
    kind: Kind, place: Place, clips: Sequence[Samples], *, saved: Path, rounds: int
) -> list[Round]:
    """Measure both in turns."""
    model = place.model(kind)
    works = [Work("file", samples) for samples in clips]
    found = []
    with ExitStack() as stack:
        bare = [stack.enter_context(Bare(OURS, kind, model, saved)) for _ in range(WORKERS)]
        for process in bare:
            await asyncio.to_thread(process.ready)
        async with serving(model, workers=WORKERS, log=place.work / "serve.log") as served:
            pids = await served.idle()

            def times() -> list[float]:
                return [taken(pids), taken([served.pid]), taken([os.getpid()])]

            for _ in range(rounds):
                before = times()
                outcomes = await closed_loop(served.url, works, clients=CLIENTS, seconds=SECONDS)
                audio = sum(outcome.seconds for outcome in outcomes)
                shares = [(now - was) / audio for was, now in zip(before, times(), strict=True)]
                looped = await asyncio.to_thread(_looped, bare)
                found.append(Round(rate(outcomes), looped, *shares))
    return found


def taken(pids: Sequence[int]) -> float:
    """Sum the seconds of the processor that processes have taken so far."""
    times = [psutil.Process(pid).cpu_times() for pid in pids]
    return sum(each.user + each.system for each in times)


def rate(outcomes: Sequence[Outcome]) -> float:
    """Compute seconds of audio in a second, while all clients were at it.

    Args:
        outcomes: at least a few more than the first that do not count.

    Raises:
        Skipped: tasks failed.
    """
    if failed := [outcome.error for outcome in outcomes if outcome.error]:
        raise Skipped(f"the server failed: {failed[0]}")
    # The last ones ended after the round, with fewer and fewer clients.
    ended = sorted(outcomes, key=lambda outcome: outcome.final_at)[: len(outcomes) - CLIENTS + 1]
    began = ended[WARM_UP].final_at
    audio = sum(outcome.seconds for outcome in ended[WARM_UP + 1 :])
    return audio / (ended[-1].final_at - began)


def _looped(bare: Sequence[Bare]) -> float:
    """Let bare processes loop at the same time; the sum of their rates."""
    for number, process in enumerate(bare):
        process.tell(f"loop {SECONDS} {number * UTTERANCES // len(bare)}")
    return sum(audio / seconds for audio, seconds in [process.done() for process in bare])
