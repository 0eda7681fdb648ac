"""The sounds, heard by the microphone of a real PulseAudio."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest
from desktop.sound import private_sound

from capswriter.audio import SAMPLE_RATE
from capswriter.dictation.microphone import Microphone
from capswriter.dictation.sounds import START, STOP, Sounds

pytestmark = pytest.mark.anyio

PATIENCE_S = 30.0


@pytest.fixture
def sound(monkeypatch):
    with private_sound() as started:
        for name, value in started.environment.items():
            monkeypatch.setenv(name, value)
        yield started


def loudness(heard: np.ndarray, hertz: float) -> float:
    """How loud a tone is in a recording, as the level of its loudest piece."""
    at = np.arange(512) / SAMPLE_RATE
    wave = np.exp(-2j * np.pi * hertz * at) * np.hanning(512)
    pieces = np.lib.stride_tricks.sliding_window_view(heard, 512)[::64]
    return float(np.abs(pieces @ wave).max() / np.hanning(512).sum() * 2)


@pytest.mark.parametrize(("name", "other"), [("start", STOP), ("stop", START)])
async def test_both_sounds_come_out_of_the_loudspeaker(sound, name, other):
    sounds = Sounds(volume=0.3)
    async with Microphone() as microphone:
        recording = await microphone.open_recording()
        await asyncio.sleep(0.3)
        getattr(sounds, name)()
        await asyncio.to_thread(sounds.wait, PATIENCE_S)
        await asyncio.sleep(0.5)
        recording.stop()
        heard = np.concatenate([block async for block in recording])
    notes = START if name == "start" else STOP
    for hertz, _ in notes:
        assert loudness(heard, hertz) == pytest.approx(0.3, rel=0.5)
    only_other = ({hertz for hertz, _ in other} - {hertz for hertz, _ in notes}).pop()
    assert loudness(heard, only_other) < 0.15


async def test_a_sound_server_that_goes_away_is_one_line(sound, caplog):
    caplog.set_level("INFO", logger="capswriter.dictation.sounds")
    sounds = Sounds()
    sounds.start()
    await asyncio.to_thread(sounds.wait, PATIENCE_S)
    assert caplog.messages == []
    sound.stop()
    for _ in range(2):
        sounds.start()
        await asyncio.to_thread(sounds.wait, PATIENCE_S)
    assert len(caplog.messages) == 1
    assert caplog.messages[0].startswith("there are no sounds, as none can be played: ")
