"""Recordings and their microphone, with streams that do as a test says."""

from __future__ import annotations

import asyncio
import sys
import time
from dataclasses import replace

import numpy as np
import pytest
from dictation.microphone.faked import DESK, HEADSET, Sound
from hypothesis import given, settings
from hypothesis import strategies as st
from media import tone

from capswriter.dictation.microphone import (
    AlreadyRecording,
    AmbiguousMicrophone,
    Changed,
    Found,
    Lost,
    Microphone,
    NoMicrophone,
    NoSound,
    Overflowed,
)
from capswriter.dictation.microphone.microphone import STALLED_S
from capswriter.dictation.microphone.portaudio import MISSING, PortAudio

pytestmark = pytest.mark.anyio
RATE, BLOCK = 16_000, 320
PATIENCE = 30.0
AT = time.monotonic() + 10_000
"""When streams begin that are not heard in real time; nothing is late then."""


async def until(holds):
    deadline = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < deadline, "it did not happen"
        await asyncio.sleep(0.01)


async def all_of(recording):
    return np.concatenate([*[block async for block in recording], np.zeros(0, np.float32)])


def counted(stream, blocks, began):
    """Let a stream give numbered samples, heard without a break since ``began``."""
    for _ in range(blocks):
        first = stream.given
        numbers = np.arange(first, first + BLOCK) / 2**20
        stream.give(numbers, at=began + first / RATE)


def numbers(samples):
    return np.round(samples * 2**20).astype(int).tolist()


@pytest.fixture
def sound():
    return Sound()


@settings(max_examples=50)
@given(
    st.integers(0, 100),
    st.integers(0, 100),
    st.lists(st.integers(0, 7), max_size=20),
    st.integers(0, BLOCK * 30),
    st.integers(0, BLOCK * 30),
    st.integers(0, 4800),
    st.integers(0, 3200),
)
def test_a_recording_has_each_sample_from_the_pre_roll_to_the_tail_once(
    before, after, bursts, down, long, pre_roll, tail
):
    async def dictate():
        sound = Sound()
        began = AT
        async with Microphone(sound=lambda: sound, pre_roll=10) as microphone:
            counted(sound.stream, before, began)
            await asyncio.sleep(0)
            key_down = began + (before * BLOCK + down - BLOCK * 15) / RATE
            counted(sound.stream, 1, began)  # there when the key's news come, but not yet taken
            recording = await microphone.open_recording(pre_roll / RATE, at=key_down)
            for burst in bursts:
                counted(sound.stream, burst, began)
                await asyncio.sleep(0)
            recording.stop(tail / RATE, at=key_down + long / RATE)
            counted(sound.stream, after, began)
            await asyncio.sleep(0)
            recording.finish()
            first = before * BLOCK + down - BLOCK * 15 - pre_roll
            last = first + pre_roll + long + tail
            # What has been taken when the key comes up stays, though it be beyond the tail.
            taken = (before + 1 + sum(bursts)) * BLOCK if bursts else before * BLOCK
            got = numbers(await all_of(recording))
            assert got == list(range(max(0, first), min(sound.stream.given, max(last, taken))))
            if got:
                assert recording.first_sample == pytest.approx(got[0] / RATE + began - key_down)

    asyncio.run(dictate())


@pytest.mark.parametrize("rate", [44_100, 48_000, 32_000, 16_000])
async def test_other_rates_are_resampled_to_the_right_length_and_place(sound, rate):
    sound.listed = [replace(DESK, rate=rate)]
    signal = tone(440, 3, rate)
    async with Microphone(sound=lambda: sound) as microphone:
        began, size = AT, rate // 50
        for at in range(0, rate, size):
            sound.stream.give(signal[at : at + size], at=began + at / rate)
        await asyncio.sleep(0)
        recording = await microphone.open_recording(0.3, at=began + 1)
        for at in range(rate, 3 * rate, size):
            sound.stream.give(signal[at : at + size], at=began + at / rate)
        recording.stop(0.2, at=began + 2)
        heard = await all_of(recording)
    assert abs(len(heard) - 1.5 * RATE) <= 1
    assert recording.first_sample == pytest.approx(-0.3, abs=1e-4)
    expected = tone(440, 3, RATE)[round(0.7 * RATE) :][: len(heard)]
    assert heard[800:-800] == pytest.approx(expected[800:-800], abs=0.01)


async def test_the_next_dictation_takes_over_from_one_in_its_tail(sound):
    async with Microphone(sound=lambda: sound) as microphone:
        counted(sound.stream, 50, AT)
        await asyncio.sleep(0)
        first = await microphone.open_recording(at=AT + 1)
        with pytest.raises(AlreadyRecording):
            await microphone.open_recording(at=AT + 1.1)
        first.stop(0.2, at=AT + 1.5)
        counted(sound.stream, 28, AT)  # until AT + 1.56
        await asyncio.sleep(0)
        second = await microphone.open_recording(0.3, at=AT + 1.6)
        counted(sound.stream, 50, AT)
        second.stop(0.2, at=AT + 2)
        one, other = numbers(await all_of(first)), numbers(await all_of(second))
    assert one + other == list(range(round(0.7 * RATE), round(2.2 * RATE)))
    assert len(one) == round(0.86 * RATE)


async def test_what_a_cancelled_recording_had_is_the_next_one_s_pre_roll(sound):
    async with Microphone(sound=lambda: sound) as microphone:
        counted(sound.stream, 50, AT)
        await asyncio.sleep(0)
        first = await microphone.open_recording(at=AT + 1)
        counted(sound.stream, 5, AT)
        await asyncio.sleep(0)
        first.cancel()
        assert (await all_of(first)).size == 0
        assert first.is_ended
        assert first.is_cancelled
        second = await microphone.open_recording(0.3, at=AT + 1.1)
        second.stop(0, at=AT + 1.1)
        assert numbers(await all_of(second)) == list(range(round(0.8 * RATE), round(1.1 * RATE)))


async def test_what_came_before_a_loss_is_kept_and_what_comes_after_is_added(sound):
    events = []
    async with Microphone(sound=lambda: sound, tell=events.append) as microphone:
        recording = await microphone.open_recording()
        lost = sound.stream
        lost.give(np.full(BLOCK, 0.25))
        sound.refused = "the microphone cannot be opened: unplugged"
        lost.listener.ended()
        await until(lambda: events)
        assert lost.is_closed
        sound.refused = None
        await until(lambda: len(sound.streams) > 1)
        sound.stream.give(np.full(BLOCK, 0.5))
        await until(lambda: len(events) > 1)
        sound.stream.give(np.full(BLOCK * 60, 0.5))
        recording.stop(0)
        heard = await asyncio.wait_for(all_of(recording), PATIENCE)
    assert [type(each) for each in events] == [Lost, Found]
    assert "'Desk' is gone" in str(events[0])
    assert recording.breaks == 1
    assert heard[:BLOCK].tolist() == [0.25] * BLOCK
    assert set(heard[BLOCK:].tolist()) == {0.5}


async def test_a_recording_stopped_while_the_microphone_is_lost_ends_with_what_there_is(sound):
    async with Microphone(sound=lambda: sound) as microphone:
        recording = await microphone.open_recording()
        sound.stream.give(np.full(BLOCK, 0.25))
        sound.refused = "unplugged"
        sound.stream.listener.ended()
        await until(lambda: not microphone.is_open)
        recording.stop(0.2)
        heard = await asyncio.wait_for(all_of(recording), PATIENCE)
        assert heard.tolist() == [0.25] * BLOCK
        with pytest.raises(NoMicrophone, match="unplugged"):
            await microphone.open_recording()
        sound.refused = None
        again = await microphone.open_recording()
        assert not again.is_ended
        assert microphone.is_open


async def test_a_stream_that_stalls_is_opened_again(sound):
    events = []
    async with Microphone(sound=lambda: sound, tell=events.append):
        stalled = sound.stream
        stalled.give(np.zeros(BLOCK))
        stalled.listener.last_heard -= STALLED_S + 1
        await until(lambda: len(sound.streams) == 2)
        assert stalled.is_closed
        sound.stream.listener.last_heard -= STALLED_S + 1
        await until(lambda: len(sound.streams) == 3)
        await asyncio.sleep(0.1)
        [lost] = events  # said once, not again and again
        assert "has stopped giving sound" in str(lost)
        sound.stream.give(np.zeros(BLOCK))
        await until(lambda: len(events) == 2)
        assert isinstance(events[1], Found)


async def test_a_stream_that_ends_no_recording_does_not_hold_it_up(sound, monkeypatch):
    monkeypatch.setattr("capswriter.dictation.microphone.microphone.LATE_S", 0.1)
    async with Microphone(sound=lambda: sound) as microphone:
        recording = await microphone.open_recording()
        recording.stop(0)
        assert (await asyncio.wait_for(all_of(recording), PATIENCE)).size == 0
        assert microphone.is_open


async def test_another_default_is_followed_but_not_in_a_recording(sound):
    events = []
    async with Microphone(sound=lambda: sound, tell=events.append) as microphone:
        recording = await microphone.open_recording()
        sound.there = [replace(DESK, is_default=False), replace(HEADSET, is_default=True)]
        microphone._watch_at = 0.0
        await until(lambda: microphone._is_stale)
        assert microphone.device == DESK
        recording.cancel()
        await until(lambda: events)
        assert events == [Changed(sound.there[1])]
        assert sound.stream.follow


async def test_a_named_microphone_is_not_exchanged_for_the_default(sound):
    async with Microphone("head", sound=lambda: sound) as microphone:
        assert microphone.device == HEADSET
        assert not sound.stream.follow
        sound.there = [DESK]
        sound.stream.listener.ended()
        await until(lambda: not microphone.is_open)
        with pytest.raises(NoMicrophone, match="no microphone called 'head'"):
            await microphone.open_recording()
        sound.there = [DESK, HEADSET]
        await microphone.open_recording()
        assert microphone.device == HEADSET


async def test_lost_samples_are_counted_and_told(sound):
    events = []
    async with Microphone(sound=lambda: sound, tell=events.append) as microphone:
        recording = await microphone.open_recording()
        sound.stream.give(np.zeros(BLOCK))
        sound.stream.give(np.zeros(BLOCK), overflowed=True)
        await until(lambda: events)
        assert events == [Overflowed(1)]
        assert (recording.overflows, microphone.overflows) == (1, 1)


async def test_a_busy_loop_loses_nothing_for_a_minute_and_then_says_so(sound):
    events = []
    async with Microphone(sound=lambda: sound, tell=events.append) as microphone:
        recording = await microphone.open_recording(at=time.monotonic() - 100)
        for _ in range(59):
            sound.stream.give(np.zeros(RATE))
        await asyncio.sleep(0)
        assert recording.seconds == 59
        for _ in range(70):
            sound.stream.give(np.zeros(RATE))
        await asyncio.sleep(0)
        sound.stream.give(np.zeros(RATE))
        await until(lambda: events)
        assert events == [Overflowed(1)]


async def test_on_demand_it_is_open_only_for_a_recording(sound):
    async with Microphone(mode="on-demand", sound=lambda: sound) as microphone:
        assert not sound.streams
        recording = await microphone.open_recording()
        sound.stream.give(np.zeros(BLOCK), at=recording.key_down + 0.05)
        recording.stop(0, at=recording.key_down + 0.06)
        assert len(await all_of(recording)) == round(0.01 * RATE)
        assert recording.first_sample == pytest.approx(0.05)
        await until(lambda: sound.streams[0].is_closed)
        assert not microphone.is_open
        sound.refused = "kept by another program"
        with pytest.raises(NoMicrophone, match="another program"):
            await microphone.open_recording()


async def test_without_a_microphone_it_starts_and_waits_for_one(sound):
    events = []
    sound.listed, sound.there = [], []
    async with Microphone(sound=lambda: sound, tell=events.append) as microphone:
        assert "there is no microphone" in str(events[0])
        sound.there = [DESK]
        await microphone.open_recording()
        sound.stream.give(np.zeros(BLOCK))
        await until(lambda: len(events) > 1)
        assert [type(each) for each in events] == [Lost, Found]


async def test_an_ambiguous_name_is_refused_at_the_start(sound):
    sound.listed.append(replace(HEADSET, index=2, name="Headset 2"))
    with pytest.raises(AmbiguousMicrophone):
        async with Microphone("heads", sound=lambda: sound):
            pass
    assert sound.is_closed


async def test_a_sound_system_that_hangs_is_told_of(sound, monkeypatch):
    monkeypatch.setattr("capswriter.dictation.microphone.microphone.HANGS_S", 0.1)
    events, hanging = [], [True]

    def changes():
        while hanging[0]:
            time.sleep(0.01)
        return 0

    async with Microphone(sound=lambda: sound, tell=events.append) as microphone:
        sound.changes = changes
        microphone._watch_at = 0.0
        await until(lambda: events)
        assert "does not answer" in str(events[0])
        hanging[0] = False


async def test_leaving_ends_recordings_and_closes_everything(sound):
    async with Microphone(sound=lambda: sound) as microphone:
        recording = await microphone.open_recording()
        sound.stream.give(np.full(BLOCK, 0.25))
        await asyncio.sleep(0)
    assert len(await all_of(recording)) == BLOCK
    assert all(stream.is_closed for stream in sound.streams)
    assert sound.is_closed
    assert [task for task in asyncio.all_tasks() if task.get_name() == "microphone"] == []


async def test_the_level_is_in_decibels(sound):
    async with Microphone(sound=lambda: sound) as microphone:
        assert microphone.level == -100
        sound.stream.give(tone(100, 0.2, RATE, level=1.0))
        await until(lambda: microphone.level > -100)
        assert microphone.level == pytest.approx(-3.01, abs=0.05)


@pytest.mark.parametrize(
    ("error", "says"),
    [(ImportError, "pip install 'capswriter-server"), (OSError, MISSING)],
)
def test_a_missing_library_is_one_line(monkeypatch, error, says):
    class Finder:
        def find_spec(self, name, path=None, target=None):
            if name == "sounddevice":
                raise error("missing")

    monkeypatch.delitem(sys.modules, "sounddevice", raising=False)
    monkeypatch.setattr(sys, "meta_path", [Finder(), *sys.meta_path])
    with pytest.raises(NoSound) as caught:
        PortAudio()
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)
