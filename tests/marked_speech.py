"""Marked speech, the words that lie in it, and the server that hears them."""

from __future__ import annotations

import json
import re
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import httpx
import numpy as np
from marked_engine import BLOCK, mark
from servers import Server, serving_fake

from capswriter.audio import SAMPLE_RATE, Samples
from capswriter.bench.load import Kind, Work, once

LIFE = re.compile(r"worker \d+ \(pid (\d+)\) is (ready|gone)")


@dataclass(frozen=True)
class Event:
    """A line of the log about a worker: Unix seconds, process, ``ready`` or ``gone``."""

    at: float
    pid: int
    what: str


def marked(*recordings: Samples) -> Samples:
    """Mark the recordings, one after the other."""
    pcm = np.round(np.concatenate(recordings) * 32_767).astype(np.int16)
    pcm = mark(pcm[: len(pcm) // BLOCK * BLOCK])
    return pcm.astype(np.float32) / 32_768


def long_marked(recording: Samples, seconds: float) -> Samples:
    """Repeat a recording, with its place in the whole in its lowest bits."""
    turns = int(np.ceil(seconds * SAMPLE_RATE / len(recording)))
    return marked(*turns * [recording])[: round(seconds * SAMPLE_RATE)]


def write_words(directory: Path, *, speed: float = 0, seconds: int = 180, **faults) -> None:
    """Have a word spoken every half second, named by when: ``w3`` from 1.6 to 1.8 s.

    Args:
        directory: of the engine.
        speed: times as fast as speech; 0 is as fast as it goes.
        seconds: of the whole.
        faults: the seconds in which each strikes.
    """
    words = [[f"w{n}", n / 2 + 0.1, n / 2 + 0.3] for n in range(2 * seconds)]
    spoken = {"period": seconds, "words": words, "speed": speed, "faults": faults}
    (directory / "words.json").write_text(json.dumps(spoken))


@contextmanager
def serving_faulty(directory: Path, loader: str = "faulty_engine:load", **config):
    """Serve the engine of ``directory``."""
    with serving_fake(loader, directory, log_format="json", **config) as server:
        yield server


def part(whole: Samples, begin: float, seconds: float, kind: Kind, *, paced: bool = False) -> Work:
    """Cut a work out of the whole; its name says where."""
    samples = whole[round(begin * SAMPLE_RATE) : round((begin + seconds) * SAMPLE_RATE)]
    return Work(kind, samples, f"{kind} {begin:g}+{seconds:g}", paced)


def numbers(text: str) -> list[int]:
    """Give the words' numbers."""
    return [int(word[1:]) for word in text.split()]


async def references(server: Server, works: list[Work]) -> dict[str, str]:
    """Ask for each text while nobody else does."""
    texts = {}
    for work in works:
        outcome = await once(server.url, work)
        assert outcome.text, f"{work.name}: {outcome}"
        heard = numbers(outcome.text)
        assert heard == sorted(set(heard)), f"{work.name}: {heard}"
        texts[work.name] = outcome.text
    return texts


def events(server: Server) -> list[Event]:
    """Read from the log when workers were ready and gone."""
    found = []
    for line in list(server.log):
        if life := LIFE.search(line):
            at = datetime.strptime(json.loads(line)["time"], "%Y-%m-%dT%H:%M:%S.%f%z")
            found.append(Event(at.timestamp(), int(life[1]), life[2]))
    return found


async def stats(server: Server) -> dict:
    """Ask the server for its numbers."""
    async with httpx.AsyncClient() as http:
        return (await http.get(server.http + "/stats")).json()


def busy(directory: Path) -> set[int]:
    """The processes whose engine works."""
    return {int(flag.name.removeprefix("busy-")) for flag in directory.glob("busy-*")}
