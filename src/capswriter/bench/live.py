"""``scripts/bench-live``: how long somebody waits who has stopped speaking.

Utterances of several lengths are sent as slowly as they were spoken, by one client and by several.
What counts is the time from the last byte of audio to the final text. Then paced streams are added
until the waits get too long: that is how many speakers two cores hold.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
import click
import numpy as np

from capswriter.audio import SAMPLE_RATE
from capswriter.audio.decode import AudioFile
from capswriter.bench.load import MIC_FRAME, Outcome, Work, once, percentile, summary
from capswriter.client.local import Local, own_server

if TYPE_CHECKING:
    from collections.abc import Sequence

    from capswriter.audio import Samples
    from capswriter.client.server import Server

LENGTHS = {2: 10, 10: 6, 30: 3, 60: 2}
"""Seconds of an utterance, and how many of them each client says."""

CLIENTS = (1, 4)

SOON = 0.5
"""Seconds within which 95 of 100 texts have to come."""

MOST_STREAMS = 64


async def waits(
    server: Server, speech: Samples, *, seconds: int, clients: int, times: int
) -> list[float]:
    """Say utterances of so many seconds, and tell how long each text took to come.

    Raises:
        RuntimeError: a task failed.
    """

    async def client(number: int) -> list[Outcome]:
        await asyncio.sleep(number * seconds / clients)  # people do not stop at the same moment
        turns = range(number * times, (number + 1) * times)
        works = [_utterance(speech, seconds, turn) for turn in turns]
        return [await once(server.url, work, token=server.token or "") for work in works]

    outcomes = [
        each for done in await asyncio.gather(*map(client, range(clients))) for each in done
    ]
    if failed := [outcome.error for outcome in outcomes if outcome.error]:
        raise RuntimeError(f"{len(failed)} of {len(outcomes)} tasks failed: {failed[0]}")
    return [outcome.wait for outcome in outcomes]


async def streams_held(server: Server, speech: Samples, *, seconds: int = 10) -> int:
    """Find how many clients can speak all the time with 95 of 100 texts in time."""
    held = 0
    for clients in (1, 2, 4, 6, 8, 12, 16, 24, 32, 48, MOST_STREAMS):
        seen = await waits(server, speech, seconds=seconds, clients=clients, times=3)
        click.echo(f"  {clients:3} streams: {summary(seen)}")
        if percentile(seen, 95) > SOON:
            break
        held = clients
    return held


def _utterance(speech: Samples, seconds: int, turn: int) -> Work:
    """Take a stretch of speech from another place each time."""
    size = seconds * SAMPLE_RATE
    at = turn * 7 * SAMPLE_RATE % max(1, len(speech) - size)
    samples = speech[at : at + size]
    return Work("mic", samples[: len(samples) // MIC_FRAME * MIC_FRAME], paced=True)


def _speech(files: Sequence[Path]) -> Samples:
    blocks = []
    for path in files:
        with AudioFile(path) as file:
            blocks += list(file.blocks())
    return np.concatenate(blocks)


async def _run(model: str, files: Sequence[Path], *, streams: bool) -> None:
    speech = _speech(files)
    async with own_server(Local(model=model, workers="2")) as server:
        click.echo(f"{model}, two workers; from the last byte to the text:")
        middle = {}
        for clients in CLIENTS:
            for seconds, times in LENGTHS.items():
                seen = await waits(server, speech, seconds=seconds, clients=clients, times=times)
                middle[clients, seconds] = percentile(seen, 50)
                click.echo(f"  {clients} × {seconds:2} s, {len(seen):2} texts: {summary(seen)}")
        shortest, longest = min(LENGTHS), max(LENGTHS)
        ratio = middle[1, longest] / middle[1, shortest]
        click.echo(f"  {longest} s against {shortest} s, one client: {ratio:.2f} times")
        if streams:
            held = await streams_held(server, speech)
            click.echo(f"  {held} streams of 10 s, speaking all the time, within {SOON:g} s (p95)")


def main() -> int:
    """Measure, and print."""
    parser = argparse.ArgumentParser(
        description="How long somebody waits who has stopped speaking."
    )
    parser.add_argument("--model", default="whisper-base")
    parser.add_argument("--streams", action="store_true", help="find how many two cores hold, too")
    parser.add_argument("files", nargs="*", type=Path)
    options = parser.parse_args()
    files = options.files or sorted(Path("ref_codes", "samples").glob("*.mp3"))
    anyio.run(lambda: _run(options.model, files, streams=options.streams))
    return 0


if __name__ == "__main__":
    sys.exit(main())
