"""Sending with real servers that stay, die, come back or do not, and with old ones."""

from __future__ import annotations

import asyncio
import os
import random
import sys
from contextlib import asynccontextmanager

import anyio
import numpy as np
import psutil
import pytest
from client.emulated import serving
from dictation.emulated_microphones import V1_0, V2_6
from marked_speech import marked, write_words
from servers import TESTS, kill, serving_at, serving_fake

from capswriter.audio import SAMPLE_RATE
from capswriter.client.local import Local
from capswriter.dictation.journal import Journal, State, read_journal
from capswriter.dictation.sending import (
    Away,
    Back,
    Failed,
    Partial,
    Recognised,
    Sender,
    Starting,
    Wish,
)
from capswriter.dictation.sending.turns import Turns

anyio_test = pytest.mark.anyio

PATIENCE_S = 60
MARKED = "marked_engine:load"
BLOCK = SAMPLE_RATE // 10


@pytest.fixture(scope="module")
def words(tmp_path_factory):
    """The directory of an engine that hears two words in each second."""
    directory = tmp_path_factory.mktemp("words")
    write_words(directory)
    return directory


@pytest.fixture(scope="module")
def fake(words):
    with serving_fake("marked_engine:load", words, log_level="warning") as running:
        yield running


@pytest.fixture(scope="module")
def phrase(phrase) -> np.ndarray:
    """8 s of speech."""
    return marked(phrase)


def heard(seconds: int) -> str:
    """What is heard in the first seconds of the phrase, if none of it is lost."""
    return " ".join(f"w{number}" for number in range(2 * seconds))


class Desk:
    """A journal and a sender, and what the sender has told."""

    def __init__(self, journal: Journal, sender: Sender) -> None:
        self.journal, self.sender = journal, sender
        self.told: list = []
        self._news = asyncio.Event()

    async def listen(self) -> None:
        async for event in self.sender.events():
            self.told.append(event)
            self._news.set()

    def of(self, kind) -> list:
        return [event for event in self.told if isinstance(event, kind)]

    async def until(self, kind, count: int = 1) -> list:
        """Wait until so many events of a kind were told, and give them."""
        with anyio.fail_after(PATIENCE_S):
            while len(found := self.of(kind)) < count:
                self._news.clear()
                await self._news.wait()
        return found

    async def speak(self, samples: np.ndarray, *, pause: float = 0.0, stop: bool = True):
        dictation = self.sender.begin(self.journal.begin())
        for start in range(0, len(samples), BLOCK):
            dictation.add(samples[start : start + BLOCK])
            await asyncio.sleep(pause)
        if stop:
            dictation.stop()
        return dictation

    async def states(self) -> list[State]:
        return [record.state for record in await self.journal.records()]


@asynccontextmanager
async def desk(folder, url, **options):
    journal = Journal(folder / "journal")
    listening = None
    try:
        async with journal, Sender(journal, url, **options) as sender:
            both = Desk(journal, sender)
            listening = asyncio.create_task(both.listen())
            yield both
    finally:
        if listening is not None:
            await asyncio.wait_for(listening, PATIENCE_S)


async def deliver(event: Recognised) -> str:
    await event.entry.delivering()
    await event.entry.delivered()
    return event.text


@anyio_test
async def test_the_text_comes_and_partials_before_it(fake, phrase, tmp_path):
    async with desk(tmp_path, fake.url) as at:
        dictation = await at.speak(phrase, pause=0.02)
        [recognised] = await at.until(Recognised)
        assert recognised.text == heard(8)
        assert recognised.dictation is dictation
        assert 0 <= recognised.age < PATIENCE_S
        partials = at.of(Partial)
        assert len(partials) >= 2
        assert recognised.text.startswith(partials[0].text)
        assert await at.states() == [State.RECOGNISED]
        await deliver(recognised)
        assert await at.states() == [State.DELIVERED]
        [record] = await at.journal.records()
        assert record.seconds == 8
    assert len(at.told) == len(partials) + 1


@anyio_test
async def test_each_text_is_of_its_own_dictation_in_the_order_of_speech(fake, phrase, tmp_path):
    lengths = [8, 1, 5, 0, 3, 2]
    async with desk(tmp_path, fake.url, wish=Wish(partials=False)) as at:
        spoken = [await at.speak(phrase[: seconds * SAMPLE_RATE]) for seconds in lengths]
        told = await at.until(Recognised, len(lengths))
        assert [event.dictation for event in told] == spoken
        assert [event.text for event in told] == [heard(each) for each in lengths]


@anyio_test
async def test_a_cancelled_dictation_is_never_told_of_and_harms_no_other(fake, phrase, tmp_path):
    async with desk(tmp_path, fake.url) as at:
        first = await at.speak(phrase, stop=False)
        assert first.cancel()
        first.add(phrase[:BLOCK])  # what was on its way
        first.stop()
        second = await at.speak(phrase)
        third = await at.speak(phrase[: 2 * SAMPLE_RATE])
        assert second.cancel()
        [recognised] = await at.until(Recognised)
        assert recognised.dictation is third
        assert recognised.text == heard(2)
        await deliver(recognised)
        assert not third.cancel()
        assert await at.states() == [State.CANCELLED, State.CANCELLED, State.DELIVERED]


@anyio_test
async def test_a_text_that_nobody_has_taken_can_still_be_cancelled(fake, phrase, tmp_path):
    journal = Journal(tmp_path)
    async with journal, Sender(journal, fake.url, wish=Wish(partials=False)) as sender:
        dictation = sender.begin(journal.begin())
        dictation.add(phrase)
        dictation.stop()
        with anyio.fail_after(PATIENCE_S):
            while dictation.entry.record.state is not State.RECOGNISED:
                await asyncio.sleep(0.01)
        assert dictation.cancel()
        second = sender.begin(journal.begin())
        second.stop()
        assert (await anext(sender.events())).dictation is second


@anyio_test
async def test_a_server_killed_at_every_stage_costs_no_dictation(
    unused_port, words, phrase, tmp_path
):
    """The moments are: not there at the start, speaking, stopped, recognised, delivering."""
    write_words(tmp_path, speed=8)
    delivered = []
    async with desk(tmp_path, f"ws://127.0.0.1:{unused_port}") as at:
        before_start = await at.speak(phrase[: 2 * SAMPLE_RATE])
        [away] = await at.until(Away)
        assert "no server answers" in away.reason
        with serving_at(unused_port, words, MARKED) as server:
            [event] = await at.until(Recognised)
            assert event.dictation is before_start
            delivered.append(await deliver(event))
            await at.until(Back)
            speaking = await at.speak(phrase[: 3 * SAMPLE_RATE], stop=False, pause=0.01)
            await at.until(Partial)
            await kill(server)
        speaking.add(phrase[3 * SAMPLE_RATE : 4 * SAMPLE_RATE])
        await at.until(Away, 2)
        with serving_at(unused_port, tmp_path, MARKED) as server:
            speaking.add(phrase[4 * SAMPLE_RATE : 5 * SAMPLE_RATE])
            speaking.stop()
            delivered.append(await deliver((await at.until(Recognised, 2))[1]))
            stopped = await at.speak(phrase)
            await asyncio.sleep(0.3)
            assert stopped.entry.record.state is State.RECORDED
            await kill(server)
        await at.until(Away, 3)
        with serving_at(unused_port, words, MARKED) as server:
            delivered.append(await deliver((await at.until(Recognised, 3))[2]))
            await at.speak(phrase[: 1 * SAMPLE_RATE])
            await at.speak(phrase[: 6 * SAMPLE_RATE])
            recognised, delivering = (await at.until(Recognised, 5))[3:]
            await delivering.entry.delivering()
            await kill(server)
        delivered.append(await deliver(recognised))
        await delivering.entry.delivered()
        delivered.append(delivering.text)
        assert delivered == [heard(seconds) for seconds in (2, 5, 8, 1, 6)]
        assert await at.states() == 5 * [State.DELIVERED]
        assert len(at.of(Away)) == len(at.of(Back)) == 3


@anyio_test
async def test_what_could_not_be_sent_is_sent_in_order_when_a_server_comes(
    unused_port, words, phrase, tmp_path
):
    url = f"ws://127.0.0.1:{unused_port}"
    async with desk(tmp_path, url) as at:
        await at.speak(phrase[: 1 * SAMPLE_RATE])
        await at.speak(phrase[: 2 * SAMPLE_RATE])
        await at.until(Away)
    assert [record.state for record in read_journal(tmp_path / "journal")] == 2 * [State.UNSENT]
    async with desk(tmp_path, url) as at:
        assert at.sender.recovered == 2
        cancelled = await at.speak(phrase)
        await at.speak(phrase[: 3 * SAMPLE_RATE])
        await at.until(Away)
        with anyio.fail_after(PATIENCE_S):
            while at.sender.waiting < 4:
                await asyncio.sleep(0.01)
        assert cancelled.cancel()
        with serving_at(unused_port, words, MARKED):
            told = await at.until(Recognised, 3)
            assert [event.text for event in told] == [heard(seconds) for seconds in (1, 2, 3)]
            assert all(event.age > 0 for event in told)
            await told[0].entry.keep("it is late")
            assert len(at.of(Away)) == len(at.of(Back)) == 1
    async with desk(tmp_path, url) as at:  # there is no server, and none is needed
        told = await at.until(Recognised, 2)
        assert [event.text for event in told] == [heard(seconds) for seconds in (2, 3)]
        assert not at.of(Away)


@anyio_test
async def test_leaving_in_the_moment_in_which_a_dictation_begins_ends(
    unused_port, phrase, tmp_path
):
    with anyio.fail_after(PATIENCE_S):
        async with desk(tmp_path, f"ws://127.0.0.1:{unused_port}") as at:
            await at.speak(phrase)
            await at.until(Away)
            await asyncio.sleep(0.05)  # it rests, and is woken by what begins
            at.sender.begin(at.journal.begin())
    assert {record.state for record in read_journal(tmp_path / "journal")} == {State.UNSENT}


@anyio_test
async def test_a_locked_server_is_told_and_the_dictation_stays_unsent(phrase, tmp_path):
    with serving_fake(log_level="warning", token="secret" * 4) as server:
        async with desk(tmp_path, server.url) as at:
            await at.speak(phrase)
            [away] = await at.until(Away)
            assert "wants a token" in away.reason
        async with desk(tmp_path, server.url, token="secret" * 4) as at:
            [recognised] = await at.until(Recognised)
            assert recognised.text


@anyio_test
async def test_what_a_server_refuses_for_good_fails_and_its_recording_stays(fake, phrase, tmp_path):
    async with desk(tmp_path, fake.url, wish=Wish(hotwords=("x" * 101,))) as at:
        await at.speak(phrase)
        [failed] = await at.until(Failed)
        assert "hotwords" in failed.reason
        [record] = await at.journal.records()
        assert (record.state, record.reason, record.seconds) == (State.FAILED, failed.reason, 8)
    async with desk(tmp_path, fake.url) as at:
        entry = await at.journal.take(record.name)
        at.sender.send(entry)
        [recognised] = await at.until(Recognised)
        await deliver(recognised)
        assert await at.states() == [State.DELIVERED]


@anyio_test
async def test_a_server_is_started_when_none_answers_and_again_when_it_dies(
    unused_port, words, phrase, tmp_path, monkeypatch
):
    monkeypatch.setenv("PYTHONPATH", str(TESTS))
    program = (sys.executable, str(TESTS / "serve_fake.py"), MARKED, str(words))
    local = Local(program=program)
    mine = psutil.Process(os.getpid())
    before = set(mine.children())
    async with desk(tmp_path, f"ws://127.0.0.1:{unused_port}", local=local) as at:
        for turn in (1, 2):
            await at.speak(phrase)
            await at.until(Starting, turn)
            assert (await at.until(Recognised, turn))[-1].text == heard(8)
            [server] = set(mine.children()) - before
            if turn == 1:
                await at.speak(phrase[: 2 * SAMPLE_RATE])
                await at.until(Recognised, 2)
                at.told.pop()
                server.kill()
        assert len(at.of(Away)) == len(at.of(Back)) == 2
    assert set(mine.children()) == before


@anyio_test
async def test_a_server_of_our_own_that_does_not_start_is_told(unused_port, phrase, tmp_path):
    local = Local(program=(sys.executable, "-c", "raise SystemExit(3)"))
    async with desk(tmp_path, f"ws://127.0.0.1:{unused_port}", local=local) as at:
        await at.speak(phrase)
        told = await at.until(Away, 2)
        assert "status 3" in told[1].reason
        await asyncio.sleep(0.5)
        assert len(at.of(Starting)) == 1
        assert len(at.of(Away)) == 2


@anyio_test
@pytest.mark.parametrize("version", [V1_0, V2_6])
async def test_old_servers_take_dictations_one_at_a_time(version, phrase, tmp_path):
    server = version()
    async with serving(server) as url, desk(tmp_path, url) as at:
        await at.speak(phrase[: 3 * SAMPLE_RATE], pause=0.01)
        await at.speak(phrase[: 2 * SAMPLE_RATE])
        told = await at.until(Recognised, 2)
        assert [event.text for event in told] == ["3 s", "2 s"]
        broken_off = await at.speak(phrase, pause=0.005, stop=False)
        with anyio.fail_after(PATIENCE_S):
            while len(server.connections) < 3 or len(server.connections[2]) < 10:
                await asyncio.sleep(0.01)
        assert broken_off.cancel()
        await at.speak(phrase[:SAMPLE_RATE])
        assert (await at.until(Recognised, 3))[2].text == "1 s"
    frames = server.connections[0]
    assert {frame["source"] for frame in frames} == {"mic"}
    assert sum(frame["seconds"] for frame in frames) == pytest.approx(3)
    assert [frame["is_final"] for frame in frames] == [False] * (len(frames) - 1) + [True]
    assert frames[-1]["seconds"] == 0


@anyio_test
async def test_an_old_server_that_comes_back_gets_the_whole_dictation(
    unused_port, words, phrase, tmp_path
):
    async with desk(tmp_path, f"ws://127.0.0.1:{unused_port}") as at:
        async with serving(V2_6(), unused_port):
            dictation = await at.speak(phrase[: 2 * SAMPLE_RATE], pause=0.02, stop=False)
        await at.until(Away)
        dictation.add(phrase[: 2 * SAMPLE_RATE])
        dictation.stop()
        async with serving(V2_6(), unused_port):
            [recognised] = await at.until(Recognised)
        assert recognised.text == "4 s"


@anyio_test
@pytest.mark.timeout(900)
async def test_servers_killed_at_random_cost_no_dictation(
    unused_port, words, phrase, tmp_path, full
):
    kills, draw = 200 if full else 3, random.Random(11)
    write_words(tmp_path, speed=30)
    async with desk(tmp_path, f"ws://127.0.0.1:{unused_port}") as at:
        spoken, over = [], asyncio.Event()

        async def dictate() -> None:
            while not over.is_set():
                seconds = draw.randint(1, 8)
                spoken.append(
                    (await at.speak(phrase[: seconds * SAMPLE_RATE], pause=0.01), seconds)
                )
                await asyncio.sleep(draw.uniform(0, 0.5))

        dictating = asyncio.create_task(dictate())
        for _ in range(kills):
            starting = serving_at(unused_port, tmp_path, MARKED)
            server = await asyncio.to_thread(starting.__enter__)
            await asyncio.sleep(draw.uniform(0, 2))
            await kill(server)
            await asyncio.to_thread(starting.__exit__, None, None, None)
        over.set()
        await dictating
        with serving_at(unused_port, tmp_path, MARKED):
            told = await at.until(Recognised, len(spoken))
        assert not at.of(Failed)
        by_dictation = {event.dictation: event.text for event in told}
        assert len(told) == len(by_dictation) == len(spoken)
        for dictation, seconds in spoken:
            assert by_dictation[dictation] == heard(seconds)
        outages = len(at.of(Away))
        assert len(at.of(Back)) == outages
    print(f"{kills} kills: {len(spoken)} dictations, each recognised once; {outages} outages told")


@anyio_test
async def test_a_text_waits_for_those_spoken_before_unless_they_are_late(tmp_path):
    told: list = []
    async with Journal(tmp_path) as journal:
        entries = [journal.begin() for _ in range(4)]
        first, second, third, fourth = [Spoken(entry) for entry in entries]
        turns = Turns(told.append, late=0.5)
        for dictation in (first, second, third, fourth):
            dictation.entry.close()
            turns.expect(dictation)
        turns.settle(third, "third")
        turns.settle(second, "second")
        assert told == []
        turns.settle(first, "first")
        assert told == ["first", "second", "third"]

        fifth = Spoken(journal.begin())
        fifth.entry.close()
        turns.expect(fifth)
        turns.settle(fifth, "fifth")
        assert told[3:] == []
        with anyio.fail_after(PATIENCE_S):
            while told[3:] != ["fifth"]:
                await asyncio.sleep(0.02)
        assert fourth.entry.age >= 0.5
        turns.settle(fourth, "fourth")
        assert told[4:] == ["fourth"]
        turns.close()


class Spoken:
    """A dictation, as far as turns want to know of it."""

    def __init__(self, entry) -> None:
        self.entry = entry
