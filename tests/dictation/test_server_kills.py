"""The whole client while its server is killed at any moment, and brought back or not."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from dataclasses import dataclass, field

import pytest
from dictation.fake_desktop import FakeDesktop
from dictation.whole_client import client
from marked_speech import long_marked, write_words
from servers import kill, serving_at

from capswriter.audio import SAMPLE_RATE
from capswriter.dictation.journal import State, read_journal
from capswriter.dictation.journal.record import read_record

MARKED = "marked_engine:load"
VOICED_S = 7
"""Seconds of the recording in which somebody speaks all the time, so that no word is cut off."""

LONGEST_S = 1800
"""Seconds of all that is said, at most."""

UNDER_WAY = (State.RECORDING, State.RECORDED, State.RECOGNISED, State.DELIVERING)


class SlowDesktop(FakeDesktop):
    """Its windows take their time, so that the server is killed in the middle of a text, too."""

    def __init__(self, typed: list[str]) -> None:
        super().__init__()
        self.texts = typed

    def type(self, strokes, into):
        time.sleep(0.03)
        self.texts.append(strokes)
        return super().type(strokes, into)


@dataclass
class Said:
    """What was dictated, in all lives of the client."""

    seconds: list[tuple[int, int]] = field(default_factory=list)
    """Of each dictation, from where to where in the speech."""
    typed: list[str] = field(default_factory=list)
    stages: Counter = field(default_factory=Counter)
    """How far dictations had come when the server was killed."""

    @property
    def spoken(self) -> int:
        return self.seconds[-1][1] if self.seconds else 0


async def dictate(it, said: Said, seconds: int) -> None:
    """Hold the key for some seconds, which pass ten times as fast."""
    begin, before = said.spoken, set(it.folder.glob("*/"))
    said.seconds.append((begin, begin + seconds))
    it.spoken = begin * SAMPLE_RATE
    it.press()

    def state() -> State | None:
        [record] = [*map(read_record, set(it.folder.glob("*/")) - before)] or [None]
        return record and record.state

    await it.until(lambda: state() is State.RECORDING, "the beginning")
    for _ in range(10 * seconds):
        it.say(0.1)
        await asyncio.sleep(0.01)
    await it.let_go()
    it.silence(0.5)
    await it.until(lambda: state() is not State.RECORDING, "the end")


def heard(begin: int, end: int) -> str:
    return " ".join(f"w{number}" for number in range(2 * begin, 2 * end))


@pytest.mark.anyio
@pytest.mark.timeout(600)
@pytest.mark.parametrize("seed", range(4))
async def test_a_server_killed_at_any_moment_costs_no_dictation_and_doubles_none(
    first, unused_port, tmp_path, full, seed
):
    # So often the client is ended while no server is there, and started anew.
    lives = 5 if full else 1
    kills, draw, said = lives * (10 if full else 2), random.Random(seed), Said()
    speech = long_marked(first[: VOICED_S * SAMPLE_RATE], LONGEST_S)
    write_words(tmp_path, speed=8, seconds=LONGEST_S)
    url = f"ws://127.0.0.1:{unused_port}"
    for _ in range(lives):
        desktop = SlowDesktop(said.typed)
        async with client(tmp_path, url, speech, desktop=desktop) as it:
            over = asyncio.Event()

            async def talk(it=it, over=over) -> None:
                while not over.is_set():
                    await dictate(it, said, draw.randint(1, 3))
                    await asyncio.sleep(draw.uniform(0, 1))

            talking = asyncio.create_task(talk())
            for _ in range(kills // lives):
                starting = serving_at(unused_port, tmp_path, MARKED)
                server = await asyncio.to_thread(starting.__enter__)
                await asyncio.sleep(draw.uniform(0, 2))
                said.stages.update(
                    {r.state for r in read_journal(it.folder)[-4:] if r.state in UNDER_WAY}
                    or {"none"}
                )
                await kill(server)
                await asyncio.to_thread(starting.__exit__, None, None, None)
            over.set()
            await talking
            await dictate(it, said, 1)  # with no server there
        assert not [r for r in read_journal(it.folder) if r.state in UNDER_WAY]
    records = read_journal(it.folder)
    unsent = [record.name for record in records if record.state is State.UNSENT]
    assert unsent, "what was said last had no server"
    judge(records, said)
    with serving_at(unused_port, tmp_path, MARKED):
        async with client(tmp_path, url, speech, desktop=SlowDesktop(said.typed)) as it:
            await it.until(lambda: not {State.UNSENT, *UNDER_WAY} & {*it.states()}, "the texts")
    records = read_journal(it.folder)
    assert {r.state for r in records if r.name in unsent} == {State.KEPT}
    counts = judge(records, said)
    stages = ", ".join(f"{count} {getattr(s, 'value', s)}" for s, count in said.stages.items())
    print(
        f"{kills} kills (at {stages}): {len(records)} dictations, "
        f"{counts[State.DELIVERED]} typed once, {counts[State.KEPT]} in the history, not typed, "
        f"of which {len(unsent)} had been unsent when the client ended last"
    )


def judge(records, said: Said) -> Counter:
    """See that each dictation is typed exactly once, or in the history with its audio."""
    assert len(records) == len(said.seconds)
    typed = Counter(said.typed)
    for record, (begin, end) in zip(records, said.seconds, strict=True):
        text = heard(begin, end)
        assert record.seconds == end - begin, record
        if record.state is State.UNSENT:
            assert record.text in {None, text}
        else:
            assert record.state in {State.DELIVERED, State.KEPT}, record
            assert record.text == text
        assert typed[text] == (record.state is State.DELIVERED), record
    assert len(typed) == sum(typed.values())
    return Counter(record.state for record in records)
