"""The microphone against a real PulseAudio whose microphone hears what is played."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import numpy as np
import pytest
from desktop.sound import private_sound
from recordings import samples_of

from capswriter.audio import SAMPLE_RATE
from capswriter.dictation.microphone import (
    AmbiguousMicrophone,
    Changed,
    Found,
    Lost,
    Microphone,
    NoMicrophone,
)

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.anyio

PATIENCE = 30.0
COMMAND = (sys.executable, "-m", "capswriter", "devices")


@pytest.fixture
def sound(monkeypatch):
    with private_sound() as started:
        for name, value in started.environment.items():
            monkeypatch.setenv(name, value)
        yield started


@pytest.fixture
def speech_16k(samples):
    """6 s of real speech."""
    return samples_of(samples / "01.mp3")[SAMPLE_RATE : 7 * SAMPLE_RATE]


async def until(holds: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < deadline, "it did not happen"
        await asyncio.sleep(0.02)


async def all_of(recording) -> np.ndarray:
    blocks = [block async for block in recording]
    return np.concatenate([*blocks, np.zeros(0, np.float32)])


def place(part: np.ndarray, whole: np.ndarray) -> tuple[int, float]:
    """Where ``part`` is in ``whole``, and how alike they are there, at most 1."""
    size = 1 << (len(whole) + len(part)).bit_length()
    products = np.fft.irfft(np.fft.rfft(whole, size) * np.conj(np.fft.rfft(part, size)), size)
    products = products[: len(whole) - len(part) + 1]
    energy = np.concatenate([[0.0], np.cumsum(whole.astype(np.float64) ** 2)])
    energies = energy[len(part) :] - energy[: len(energy) - len(part)]
    likeness = products / np.sqrt(np.maximum(energies * np.sum(part**2), 1e-9))
    best = int(likeness.argmax())
    return best, float(likeness[best])


def shifts(heard: np.ndarray, played: np.ndarray) -> list[int]:
    """By how many samples each loud half second of what was heard is later than what was played."""
    half, found = SAMPLE_RATE // 2, []
    for start in range(0, len(heard) - half + 1, half):
        part = heard[start : start + half]
        if np.sqrt(np.mean(part**2)) < 0.01:
            continue
        at, likeness = place(part, played)
        assert likeness > 0.93, f"at {start / SAMPLE_RATE} s it is something else: {likeness}"
        found.append(at - start)
    assert len(found) > 1
    return found


async def test_what_is_played_is_heard_whole_from_the_pre_roll_to_the_tail(sound, speech_16k):
    async with Microphone() as microphone:
        await asyncio.sleep(0.5)
        with sound.playing(speech_16k[: 3 * SAMPLE_RATE], SAMPLE_RATE) as began:
            await asyncio.sleep(1.2)
            key_down = time.monotonic()
            recording = await microphone.open_recording(0.3, at=key_down)
            await asyncio.sleep(0.6)
            key_up = time.monotonic()
            recording.stop(0.2, at=key_up)
            heard = await asyncio.wait_for(all_of(recording), PATIENCE)
            waited = time.monotonic() - key_up
    assert recording.first_sample == pytest.approx(-0.3, abs=0.001)
    assert recording.seconds == pytest.approx(key_up - key_down + 0.5, abs=0.03)
    assert (recording.overflows, recording.breaks) == (0, 0)
    at, likeness = place(heard, speech_16k)
    assert likeness > 0.97
    latency = key_down - 0.3 - began - at / SAMPLE_RATE
    assert -0.02 < latency < 1
    assert 0.19 < waited < PATIENCE


async def test_nothing_is_lost_or_doubled_in_a_long_recording(sound, speech_16k):
    async with Microphone() as microphone:
        await asyncio.sleep(0.5)
        recording = await microphone.open_recording()
        await asyncio.to_thread(sound.play, speech_16k, SAMPLE_RATE)
        recording.stop(0.3)
        heard = await asyncio.wait_for(all_of(recording), PATIENCE)
    found = shifts(heard, np.concatenate([np.zeros(len(heard), np.float32), speech_16k, heard * 0]))
    assert max(found) - min(found) <= 2


async def test_two_dictations_one_after_the_other_share_no_sample(sound, speech_16k):
    async with Microphone() as microphone:
        with sound.playing(speech_16k[: 2 * SAMPLE_RATE], SAMPLE_RATE):
            await asyncio.sleep(0.6)
            first = await microphone.open_recording()
            await asyncio.sleep(0.3)
            first.stop(0.2)
            second = await microphone.open_recording(0.3)
            await asyncio.sleep(0.3)
            second.stop(0.2)
            heard = np.concatenate([await all_of(first), await all_of(second)])
    assert second.first_sample == pytest.approx(0, abs=0.01)
    assert place(heard, speech_16k)[1] > 0.97


async def test_a_microphone_unplugged_and_plugged_in_a_dictation_keeps_both_parts(
    sound, speech_16k
):
    events = []
    first, second = speech_16k[: 2 * SAMPLE_RATE], speech_16k[3 * SAMPLE_RATE : 5 * SAMPLE_RATE]
    async with Microphone(tell=events.append) as microphone:
        recording = await microphone.open_recording()
        await asyncio.to_thread(sound.play, first, SAMPLE_RATE)
        await asyncio.sleep(0.3)
        sound.unplug("speaker")
        await until(lambda: any(isinstance(each, Lost) for each in events))
        assert not microphone.is_open
        sound.plug("speaker")
        await until(lambda: any(isinstance(each, Found) for each in events))
        await asyncio.to_thread(sound.play, second, SAMPLE_RATE)
        recording.stop(0.3)
        heard = await asyncio.wait_for(all_of(recording), PATIENCE)
    assert recording.breaks == 1
    at_first, first_likeness = place(first, heard)
    at_second, second_likeness = place(second, heard)
    assert min(first_likeness, second_likeness) > 0.97
    assert at_first + len(first) <= at_second
    assert [type(each) for each in events] == [Lost, Found]
    assert "is gone" in str(events[0])


async def test_a_microphone_unplugged_between_dictations_is_found_again(sound, speech_16k):
    events = []
    async with Microphone(tell=events.append) as microphone:
        for _ in range(2):
            events.clear()
            sound.unplug("speaker")
            await until(lambda: events)
            with pytest.raises(NoMicrophone):
                await microphone.open_recording()
            sound.plug("speaker")
            await until(lambda: len(events) > 1)
            assert [type(each) for each in events] == [Lost, Found]
            recording = await microphone.open_recording()
            await asyncio.to_thread(sound.play, speech_16k[:SAMPLE_RATE], SAMPLE_RATE)
            recording.stop(0.3)
            assert place(speech_16k[:SAMPLE_RATE], await all_of(recording))[1] > 0.97


async def test_the_sound_server_may_be_restarted(sound, speech_16k):
    events = []
    async with Microphone(tell=events.append) as microphone:
        sound.stop()
        await until(lambda: events)
        sound.start()
        await until(lambda: microphone.is_open)
        await until(lambda: isinstance(events[-1], (Found, Changed)))
        recording = await microphone.open_recording()
        await asyncio.to_thread(sound.play, speech_16k[:SAMPLE_RATE], SAMPLE_RATE)
        recording.stop(0.3)
        assert place(speech_16k[:SAMPLE_RATE], await all_of(recording))[1] > 0.97


async def test_a_microphone_that_gives_nothing_is_opened_again_until_it_does(sound):
    events = []
    async with Microphone(tell=events.append) as microphone:
        await until(lambda: microphone.level == -100.0)
        sound.suspend("speaker", suspended=True)
        await until(lambda: events)
        assert "has stopped giving sound" in str(events[0])
        sound.suspend("speaker", suspended=False)
        await until(lambda: len(events) > 1)
        assert [type(each) for each in events] == [Lost, Found]


async def test_another_default_is_followed_and_told(sound, speech_16k):
    events = []
    async with Microphone(tell=events.append) as microphone:
        sound.plug("other", default=False)
        sound.make_default("other")
        await until(lambda: events)
        assert events == [Changed(microphone.device)]
        assert microphone.device.source == "other.monitor"
        recording = await microphone.open_recording()
        await asyncio.to_thread(sound.play, speech_16k[:SAMPLE_RATE], SAMPLE_RATE, into="other")
        recording.stop(0.3)
        assert place(speech_16k[:SAMPLE_RATE], await all_of(recording))[1] > 0.97


async def test_another_default_is_followed_in_a_dictation(sound, speech_16k):
    sound.plug("other", default=False)
    events = []
    async with Microphone(tell=events.append) as microphone:
        recording = await microphone.open_recording()
        await asyncio.to_thread(sound.play, speech_16k[:SAMPLE_RATE], SAMPLE_RATE)
        await asyncio.sleep(0.2)
        sound.make_default("other")
        await asyncio.sleep(0.2)
        await asyncio.to_thread(
            sound.play, speech_16k[SAMPLE_RATE : 2 * SAMPLE_RATE], SAMPLE_RATE, into="other"
        )
        recording.stop(0.3)
        heard = await all_of(recording)
        assert place(speech_16k[:SAMPLE_RATE], heard)[1] > 0.97
        assert place(speech_16k[SAMPLE_RATE : 2 * SAMPLE_RATE], heard)[1] > 0.97
        await until(lambda: events)
        assert events == [Changed(microphone.device)]


async def test_a_microphone_chosen_by_name_is_used_and_waited_for(sound, speech_16k):
    sound.plug("headset", default=False)
    events = []
    async with Microphone("HEADSET", tell=events.append) as microphone:
        sound.unplug("headset")
        await until(lambda: events)
        with pytest.raises(NoMicrophone):
            await microphone.open_recording()
        sound.plug("headset", default=False)
        await until(lambda: len(events) > 1)
        recording = await microphone.open_recording()
        await asyncio.to_thread(sound.play, speech_16k[:SAMPLE_RATE], SAMPLE_RATE, into="headset")
        recording.stop(0.3)
        assert place(speech_16k[:SAMPLE_RATE], await all_of(recording))[1] > 0.97
    assert [type(each) for each in events] == [Lost, Found]
    with pytest.raises(AmbiguousMicrophone, match=r"Speaker.*Headset"):
        async with Microphone("e"):
            pass


async def test_on_demand_the_microphone_is_open_only_for_a_recording(sound, speech_16k):
    async with Microphone(mode="on-demand") as microphone:
        for _ in range(2):
            assert not sound.recorders()
            recording = await microphone.open_recording()
            assert recording.first_sample is None or recording.first_sample > -0.1
            await asyncio.to_thread(sound.play, speech_16k[:SAMPLE_RATE], SAMPLE_RATE)
            assert len(sound.recorders()) == 1
            recording.stop(0.3)
            assert place(speech_16k[:SAMPLE_RATE], await all_of(recording))[1] > 0.97
            await until(lambda: not microphone.is_open)
            await until(lambda: not sound.recorders())


def devices(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env=os.environ | {"COLUMNS": "100"},
    )


def test_the_command_lists_the_microphones_and_shows_the_level(sound, speech_16k):
    sound.plug("headset", default=False)
    listed = devices("--device", "headset")
    assert (listed.returncode, listed.stderr) == (0, "")
    [used] = [line for line in listed.stdout.splitlines() if "used" in line]
    assert "Headset" in used
    assert "default" not in used
    [default] = [line for line in listed.stdout.splitlines() if "default" in line]
    assert "Speaker" in default
    with sound.playing(speech_16k, SAMPLE_RATE):
        shown = devices("--level", "--seconds", "3.5")
    levels = [float(line.split()[0]) for line in shown.stdout.splitlines()]
    assert len(levels) == 4
    assert max(levels) > -45
    quiet = devices("--level", "--seconds", "1", "--device", "headset")
    assert quiet.stdout.startswith("-100.0 dB  ")


def test_no_sound_server_and_no_microphone_are_one_line(sound):
    sound.unplug("speaker")
    result = devices()
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr.startswith("capswriter: there is no microphone; ")
    assert len(result.stderr.splitlines()) == 1
    sound.stop()
    assert devices("--level").stderr == result.stderr
