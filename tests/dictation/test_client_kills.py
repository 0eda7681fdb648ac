"""A client that is killed at any moment loses no dictation, and delivers none twice."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
from collections import Counter
from contextlib import contextmanager
from pathlib import Path

import pytest
from dictation.dictating import OTHERS, SECONDS
from marked_speech import marked, write_words
from servers import serving_fake

from capswriter.audio import SAMPLE_RATE
from capswriter.dictation.journal import State, read_journal

TIMES = 2
"""Dictations in a life."""


@contextmanager
def nursery(url: str, folder: Path):
    """Give what lives a life: after so many seconds it is killed."""
    program = [sys.executable, str(Path(__file__).with_name("dictating.py")), url, str(folder)]
    with subprocess.Popen(
        program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout.readline() == "up\n"

        def live(seconds: float, times: int = TIMES) -> tuple[float, int]:
            process.stdin.write(f"{seconds} {times}\n")
            process.stdin.flush()
            lived, status = process.stdout.readline().split()
            return float(lived), int(status)

        yield live
        process.stdin.close()
        assert process.wait(20) == 0


def lines(path: Path) -> list[str]:
    return list(filter(None, path.read_text().splitlines()))


@pytest.mark.timeout(900)
def test_a_client_killed_at_any_moment_delivers_each_dictation_once(first, tmp_path, full):
    kills, draw = 200 if full else 30, random.Random(7)
    speech = marked(first[: (OTHERS + SECONDS) * SAMPLE_RATE])
    (speech * 32_768).astype("<i2").tofile(tmp_path / "speech.s16")
    write_words(tmp_path)
    with (
        serving_fake("marked_engine:load", tmp_path, log_level="warning") as server,
        nursery(server.url, tmp_path) as live,
    ):
        longest, status = live(60)
        assert status == 0
        killed = 0
        while killed < kills:
            killed += live(draw.uniform(0, 1.5 * longest))[1] == -signal.SIGKILL
        assert live(60, 0)[1] == 0
    typed = Counter(line.split()[0] for line in lines(tmp_path / "typed"))
    texts = dict(line.partition(" ")[::2] for line in lines(tmp_path / "typed"))
    records = {record.name: record for record in read_journal(tmp_path / "journal")}
    broken = 0
    for name in lines(tmp_path / "begun"):
        state = records[name].state
        if state is State.UNCERTAIN:  # killed while it was typed
            assert typed[name] <= 1
            broken += 1
        else:
            assert (state, typed[name]) == (State.DELIVERED, 1)
    whole = dict(line.split() for line in lines(tmp_path / "whole"))
    for name, start in whole.items():
        assert records[name].seconds == SECONDS
        begin, end = 2 * int(start), 2 * (int(start) + SECONDS)
        assert records[name].text == " ".join(f"w{number}" for number in range(begin, end))
        if records[name].state is State.DELIVERED:
            assert texts[name] == records[name].text
    print(
        f"{killed} kills: {len(lines(tmp_path / 'begun'))} dictations begun, {len(whole)} whole, "
        f"{broken} perhaps delivered, all others delivered once"
    )
