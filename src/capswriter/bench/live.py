"""``scripts/bench-live``: how long somebody waits who has stopped speaking.

Utterances of several lengths are sent as slowly as they were spoken, by one client and by several.
What counts is the time from the last byte of audio to the final text. Then the recordings of a
folder are streamed, and their texts compared with those of the same recordings as files. Last,
paced streams are added until the waits get too long: so many speakers the machine holds.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import sys
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
import click
import numpy as np

from capswriter.audio import SAMPLE_RATE
from capswriter.audio.decode import AudioFile
from capswriter.audio.vad import FRAME, SileroVad
from capswriter.bench.errors_in_text import characters_apart
from capswriter.bench.load import MIC_FRAME, Work, once, percentile, summary
from capswriter.client.local import Local, own_server
from capswriter.client.rounds import Final
from capswriter.client.session import connect

if TYPE_CHECKING:
    from collections.abc import Sequence

    from capswriter.audio import Samples
    from capswriter.client.server import Server
    from capswriter.client.session import Session

LENGTHS = {2: 12, 10: 6, 30: 3, 60: 3}
"""Seconds of an utterance, and how many of them each client says."""

CLIENTS = (1, 4)

SOON = 0.5
"""Seconds within which 95 of 100 texts have to come."""

STREAMS = (1, 2, 4, 8, 16, 24, 32, 48, 64)

STREAM_SECONDS = 10

LET_GO = 0.3
"""Seconds from the last sound of a sentence until the key is up."""

NEARLY = 0.2
"""How much longer or shorter than wanted an utterance may be, of 1."""

PAUSE = 0.32
"""Seconds of silence after which a sentence is taken to be over."""


class Speech:
    """Recordings one after the other, and where somebody might begin and end an utterance."""

    def __init__(self, files: Sequence[Path]) -> None:
        self.samples = np.concatenate([_read(path) for path in files])
        speaks = SileroVad().push(self.samples) >= 0.5  # noqa: PLR2004
        edges = np.flatnonzero(np.diff(np.concatenate(([False], speaks, [False])))) * FRAME
        begins, ends = edges[::2], edges[1::2]
        long_enough = begins[1:] - ends[:-1] >= PAUSE * SAMPLE_RATE
        self._begins = begins[np.concatenate(([True], long_enough))]
        self._ends = ends[np.concatenate((long_enough, [True]))]

    def utterance(self, seconds: float, turn: int) -> Samples:
        """Give whole sentences of about so many seconds, others at each turn."""
        spans = [
            (begin, end)
            for begin in self._begins
            for end in self._ends[self._ends > begin]
            if (end - begin) / SAMPLE_RATE <= seconds * (1 + NEARLY)
        ]
        least = min(seconds * (1 - NEARLY), max(end - begin for begin, end in spans) / SAMPLE_RATE)
        spans = [span for span in spans if (span[1] - span[0]) / SAMPLE_RATE >= least]
        random.Random(seconds).shuffle(spans)  # noqa: S311  # nothing secret
        begin, end = spans[turn % len(spans)]
        samples = self.samples[begin : end + round(LET_GO * SAMPLE_RATE)]
        return samples[: len(samples) // MIC_FRAME * MIC_FRAME]


async def waits(
    server: Server,
    speech: Speech,
    *,
    seconds: float,
    clients: int,
    times: int,
    partials: bool = False,
) -> list[float]:
    """Say utterances of about so many seconds, and tell how long each final took to come.

    Raises:
        UserError: a round failed.
    """

    async def client(number: int) -> list[float]:
        await asyncio.sleep(number * seconds / clients)  # people do not stop at the same moment
        seen = []
        async with connect(server.url, token=server.token, partials=partials) as session:
            for turn in range(number * times, (number + 1) * times):
                _, wait = await _say(session, speech.utterance(seconds, turn))
                seen.append(wait)
        return seen

    return [each for done in await asyncio.gather(*map(client, range(clients))) for each in done]


async def streams_held(
    server: Server, speech: Speech, numbers: Sequence[int], *, partials: bool
) -> int:
    """Find how many clients can speak all the time with 95 of 100 texts in time."""
    held = 0
    for clients in numbers:
        seen = await waits(
            server,
            speech,
            seconds=STREAM_SECONDS,
            clients=clients,
            times=3,
            partials=partials,
        )
        click.echo(f"  {clients:3} streams: {summary(seen)}")
        if percentile(seen, 95) > SOON:
            break
        held = clients
    return held


async def streamed(server: Server, samples: Samples) -> tuple[str, float]:
    """Say a recording in a live session; its text, and the seconds that its final covers."""
    async with connect(server.url, token=server.token, partials=False) as session:
        final, _ = await _say(session, samples)
        return final.text, final.duration


async def _say(session: Session, samples: Samples) -> tuple[Final, float]:
    """Speak one round as slowly as it was spoken; its final, and how long that took to come."""
    loop = asyncio.get_running_loop()
    pcm = np.round(np.clip(samples, -1, 1) * 32_767).astype("<i2")
    began = loop.time()
    for start in range(0, len(pcm), MIC_FRAME):
        await asyncio.sleep(began + (start + MIC_FRAME) / SAMPLE_RATE - loop.time())
        await session.send(pcm[start : start + MIC_FRAME].tobytes())
    await session.stop()
    spoken = loop.time()
    async for event in session:
        if isinstance(event, Final):
            return event, loop.time() - spoken
    raise RuntimeError("a round had no final")


async def _tell_waits(
    server: Server, speech: Speech, lengths: Sequence[int], numbers: Sequence[int]
) -> None:
    middle = {}
    for clients in numbers:
        for seconds in lengths:
            times = LENGTHS.get(seconds, 3)
            seen = await waits(server, speech, seconds=seconds, clients=clients, times=times)
            middle[clients, seconds] = percentile(seen, 50)
            click.echo(f"  {clients} × {seconds:2} s, {len(seen):2} texts: {summary(seen)}")
        shortest, longest = min(lengths), max(lengths)
        ratio = middle[clients, longest] / middle[clients, shortest]
        click.echo(f"  {longest} s against {shortest} s, {clients} × : {ratio:.2f} times")


async def _tell_streams(server: Server, speech: Speech, numbers: Sequence[int]) -> None:
    for partials in (False, True):
        held = await streams_held(server, speech, numbers, partials=partials)
        click.echo(
            f"  {held} streams of {STREAM_SECONDS} s that speak all the time (duty cycle 100 %), "
            f"partials {'on' if partials else 'off'}: within {SOON:g} s (p95)"
        )


async def _tell_texts(server: Server, folder: Path) -> None:
    """Stream recordings, and compare their texts with those of the same recordings as files."""
    entries = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    recordings = [_read(folder / entry["file"]) for entry in entries]
    apart: dict[str, list[int]] = defaultdict(lambda: [0, 0])

    async def compare(entry: dict[str, str], samples: Samples) -> None:
        whole = await once(server.url, Work("file", samples), token=server.token or "")
        text, covered = await streamed(server, samples)
        missing = len(samples) / SAMPLE_RATE - covered
        wrong, length = characters_apart(whole.text or "", text)
        apart[entry["language"]][0] += wrong
        apart[entry["language"]][1] += length
        uncovered = f", {missing:.2f} s NOT COVERED" if missing > MIC_FRAME / SAMPLE_RATE else ""
        click.echo(f"  {entry['file']}: {wrong} of {length} characters differ{uncovered}")

    await asyncio.gather(*map(compare, entries, recordings))
    for language, (wrong, length) in sorted(apart.items()):
        click.echo(f"  {language}: {wrong / max(1, length):.2%} of {length} characters differ")


def _read(path: Path) -> Samples:
    with AudioFile(path) as file:
        return np.concatenate(list(file.blocks()))


async def _run(options: argparse.Namespace) -> None:
    speech = Speech(options.files)
    parts = options.parts.split(",")
    async with own_server(Local(model=options.model, workers="2")) as server:
        click.echo(f"{options.model}, two workers; from the last byte to the text:")
        if "waits" in parts:
            await _tell_waits(server, speech, options.lengths, options.clients)
        if "texts" in parts:
            await _tell_texts(server, options.texts)
        if "streams" in parts:
            await _tell_streams(server, speech, options.streams)


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(each) for each in text.split(","))


def main() -> int:
    """Measure, and print."""
    parser = argparse.ArgumentParser(
        description="How long somebody waits who has stopped speaking."
    )
    parser.add_argument("--model", default="whisper-base")
    parser.add_argument(
        "--parts", default="waits", help="of waits, texts, streams; joined by commas"
    )
    parser.add_argument(
        "--texts",
        type=Path,
        default=Path("..", "shared", "speech"),
        help="folder of recordings with a manifest.json",
    )
    parser.add_argument(
        "--lengths", type=_numbers, default=tuple(LENGTHS), help="seconds of utterances"
    )
    parser.add_argument(
        "--clients", type=_numbers, default=CLIENTS, help="how many speak at the same time"
    )
    parser.add_argument(
        "--streams", type=_numbers, default=STREAMS, help="numbers of streams to try, in order"
    )
    samples = sorted(Path("ref_codes", "samples").glob("*.mp3"))
    parser.add_argument("files", nargs="*", type=Path, default=samples)
    anyio.run(_run, parser.parse_args())
    return 0


if __name__ == "__main__":
    sys.exit(main())
