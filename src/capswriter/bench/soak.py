"""``scripts/soak MINUTES``: mixed load and random kills, and whether anything grows with time."""

from __future__ import annotations

import asyncio
import itertools
import math
import os
import random
import signal
import sys
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
import click
import numpy as np
import psutil

from capswriter.audio import SAMPLE_RATE
from capswriter.audio.decode import AudioFile
from capswriter.bench.load import Outcome, Work, calling, once
from capswriter.monitor.family import workers_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from capswriter.audio import Samples

SAMPLE_EVERY = 10.0
"""Seconds between looks at the front."""

WARM_UP = 180.0
"""Seconds at most that count for nothing: caches fill, libraries are loaded."""

KILLS = (5.0, 20.0)
"""Seconds between kills, drawn evenly."""

CLIENTS = 4
LEAVE = 0.15
"""Share of tasks whose client hangs up in the middle."""

SURE = 3.0
"""Standard errors by which a slope must exceed what is allowed to count as a trend."""

FEWEST = 3
"""Looks at the front that a slope needs."""

WORKERS = 2

INTERRUPTED = 130
"""Exit status after Ctrl-C, as shells give it."""


@dataclass(frozen=True, slots=True)
class Limit:
    """How fast a quantity may grow.

    Args:
        unit: of it.
        per_hour: that it may grow by.
    """

    unit: str
    per_hour: float


LIMITS = {
    "memory": Limit("MB", 20.0),
    "descriptors": Limit("", 4.0),
    "threads": Limit("", 4.0),
    "latency": Limit("s", 0.5),
}


@dataclass(slots=True)
class Soak:
    """What has been seen."""

    at: list[float] = field(default_factory=list)
    seen: dict[str, list[float]] = field(default_factory=lambda: {name: [] for name in LIMITS})
    ends: Counter[str] = field(default_factory=Counter)
    kills: int = 0


def slope(at: Sequence[float], values: Sequence[float]) -> tuple[float, float]:
    """Fit a line by least squares.

    Args:
        at: seconds.
        values: at these times.

    Returns:
        What they grow by in an hour, and the standard error of that: infinite where there are too
        few to tell.
    """
    if len(at) < FEWEST:
        return 0.0, math.inf
    times, seen = np.asarray(at) / 3600, np.asarray(values)
    spread = float(((times - times.mean()) ** 2).sum())
    steepness = float(((times - times.mean()) * (seen - seen.mean())).sum()) / spread
    rest = seen - seen.mean() - steepness * (times - times.mean())
    error = float(np.sqrt((rest**2).sum() / max(1, len(times) - 2) / spread))
    return steepness, error


async def soak(
    url: str, pid: int, recordings: Sequence[Path], seconds: float, result: Soak
) -> None:
    """Load the server at ``url``, whose front is process ``pid``, for so long.

    What is seen goes to ``result`` at once, so that it is there when this is interrupted.
    """
    phrases = [samples for path in recordings for samples in _phrases(path)]
    mics = [Work("mic", each[: 4 * SAMPLE_RATE], f"mic {n}") for n, each in enumerate(phrases)]
    files = [Work("file", each, f"file {n}") for n, each in enumerate(phrases)]
    texts = {}
    for work in (*mics, *files):
        outcome = await once(url, work)
        texts[work.name] = outcome.text
    ends = time.monotonic() + seconds

    def note(outcome: Outcome) -> None:
        is_right = outcome.text == texts[outcome.name]
        result.ends[outcome.error or ("right" if is_right else "wrong text")] += 1

    async with anyio.create_task_group() as group:
        for number in range(CLIENTS):
            group.start_soon(_client, url, (mics, files), number, note)
        group.start_soon(_kill, pid, result)
        began = time.monotonic()
        for turn in itertools.count():
            due = began + (turn + 1) * SAMPLE_EVERY
            await anyio.sleep(max(0.0, due - time.monotonic()))
            probe = await once(url, mics[0])
            note(probe)
            front = psutil.Process(pid)
            result.at.append(time.monotonic() - began)
            result.seen["memory"].append(front.memory_info().rss / 1e6)
            result.seen["descriptors"].append(front.num_fds())
            result.seen["threads"].append(front.num_threads())
            result.seen["latency"].append(probe.wait)
            if time.monotonic() >= ends:
                break
        group.cancel_scope.cancel()


def report(result: Soak) -> bool:
    """Print what was seen and tell whether nothing grows and nothing went wrong."""
    if not result.at:
        click.echo("it is too early for a report")
        return False
    tasks = ", ".join(f"{count} {end}" for end, count in result.ends.most_common())
    click.echo(f"{result.at[-1] / 60:.1f} min, {result.kills} kills; tasks: {tasks}")
    first = next((n for n, at in enumerate(result.at) if at > min(WARM_UP, result.at[-1] / 4)), 0)
    good = set(result.ends) == {"right"}
    for name, limit in LIMITS.items():
        at, values = result.at[first:], result.seen[name][first:]
        growth, error = slope(at, values)
        grows = growth - SURE * error > limit.per_hour
        good = good and not grows
        verdict = "GROWS" if grows else "no trend" if math.isfinite(error) else "too few to tell"
        click.echo(
            f"{name:11}  median {np.median(values):8.2f}  {growth:+8.2f} ± {error:.2f} {limit.unit}"
            f" per hour  {verdict}"
        )
    return good


async def _client(
    url: str, works: tuple[list[Work], list[Work]], number: int, note: Callable[[Outcome], None]
) -> None:
    choose = random.Random(number)  # noqa: S311  # nothing secret
    while True:
        work = choose.choice(choose.choice(works))
        if choose.random() < LEAVE:
            async with calling(url, number) as caller:
                with anyio.move_on_after(choose.random()):
                    await caller.say(work)
        else:
            note(await once(url, work, client=number))
        await anyio.sleep(choose.random())


async def _kill(pid: int, result: Soak) -> None:
    """Kill a worker now and then."""
    choose = random.Random(0)  # noqa: S311
    while True:
        await anyio.sleep(choose.uniform(*KILLS))
        workers = workers_of(pid)
        if len(workers) == WORKERS:
            with suppress(psutil.NoSuchProcess):  # it has ended by itself since
                choose.choice(workers).kill()
                result.kills += 1


def _phrases(path: Path) -> list[Samples]:
    with AudioFile(path) as file:
        samples = np.concatenate(list(file.blocks()))
    size = 12 * SAMPLE_RATE
    return [samples[start : start + size] for start in range(0, len(samples) - size, 2 * size)]


async def _run(recordings: list[Path], minutes: float, result: Soak) -> bool:
    command = ["-m", "capswriter", "serve", "--port", "0", "--workers", str(WORKERS)]
    server = await asyncio.create_subprocess_exec(
        sys.executable,
        *command,
        "--until-stdin-closes",  # as it does when this process is killed
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env=os.environ,
        start_new_session=True,  # else Ctrl-C ends it under its clients
    )
    try:
        line = (await server.stdout.readline()).decode() if server.stdout else ""
        if not line.startswith("ready: "):
            click.echo("the server did not start; scripts/test installs the model it needs")
            return False
        click.echo(line.strip())
        await soak(line.split()[1], server.pid, recordings, minutes * 60, result)
        return report(result)
    finally:
        if server.returncode is None:
            server.send_signal(signal.SIGTERM)
        await server.wait()


def main() -> int:
    """Soak for as many minutes as the argument says; 1 if anything grows or went wrong.

    Ctrl-C ends it early, with a report of what was seen so far.
    """
    minutes = float(sys.argv[1]) if len(sys.argv) > 1 else 15.0
    recordings = sorted(Path("ref_codes", "samples").glob("*.mp3"))
    result = Soak()
    try:
        return 0 if anyio.run(_run, recordings, minutes, result) else 1
    except KeyboardInterrupt:
        click.echo("interrupted")
        report(result)
        return INTERRUPTED


if __name__ == "__main__":
    sys.exit(main())
