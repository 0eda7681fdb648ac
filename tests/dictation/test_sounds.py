"""The sounds at start and stop; tests/desktop hears them."""

from __future__ import annotations

import logging
import sys
import threading
import time
from types import SimpleNamespace

import numpy as np
import pytest

from capswriter.dictation import loudspeaker
from capswriter.dictation.microphone.errors import NoSound
from capswriter.dictation.sounds import START, STOP, Sounds, tones

PATIENCE_S = 30.0


@pytest.mark.parametrize("notes", [START, STOP])
def test_a_sound_is_short_and_begins_and_ends_in_silence(notes):
    made = tones(notes, 48_000)
    assert made.dtype == np.float32
    assert len(made) == round(sum(seconds for _, seconds in notes) * 48_000)
    assert len(made) < 0.2 * 48_000
    assert 0.9 < np.abs(made).max() <= 1.0
    assert max(abs(made[0]), abs(made[-1])) < 0.01
    assert np.abs(np.diff(made)).max() < 0.2  # no click where a tone becomes the next


def test_the_two_sounds_differ_in_direction():
    assert START[0][0] < START[1][0]
    assert STOP[0][0] > STOP[1][0]


def test_sounds_are_played_as_loud_as_wanted_and_no_louder():
    heard = []
    for volume in (0.2, 5.0):
        sounds = Sounds(volume=volume, play=heard.append)
        sounds.start()
        sounds.wait(PATIENCE_S)
    assert [round(float(np.abs(each).max()), 1) for each in heard] == [0.2, 1.0]


def test_off_and_silent_play_nothing():
    heard = []
    for sounds in (Sounds(is_on=False, play=heard.append), Sounds(volume=0.0, play=heard.append)):
        sounds.start()
        sounds.stop()
        sounds.wait(PATIENCE_S)
    assert heard == []


def test_no_loudspeaker_is_one_line_in_the_log(caplog):
    def play(_samples):
        raise NoSound("there is no loudspeaker")

    caplog.set_level(logging.INFO)
    sounds = Sounds(play=play)
    for _ in range(3):
        sounds.start()
        sounds.wait(PATIENCE_S)
    assert [record.getMessage() for record in caplog.records] == [
        "there are no sounds, as none can be played: there is no loudspeaker"
    ]


def test_a_loudspeaker_that_hangs_holds_up_nobody():
    let_go = threading.Event()
    sounds = Sounds(play=lambda _: let_go.wait(PATIENCE_S))
    started = time.monotonic()
    for _ in range(100):
        sounds.start()
        sounds.stop()
    assert time.monotonic() - started < 5.0
    let_go.set()
    sounds.wait(PATIENCE_S)


class Library:
    """PortAudio, as sounddevice shows it."""

    class PortAudioError(Exception):
        pass

    class CallbackStop(Exception):
        pass

    def __init__(self, *, fails: bool = False) -> None:
        self.fails = fails
        self.heard: list[np.ndarray] = []
        self.closed = 0

    def OutputStream(self, *, samplerate, channels, dtype, callback, finished_callback):  # noqa: N802
        if self.fails:
            raise self.PortAudioError("Error querying device -1")

        def start() -> None:
            try:
                while True:
                    block = np.full((512, channels), 9.0, dtype)
                    self.heard.append(block)
                    callback(block, len(block), None, None)
            except self.CallbackStop:
                finished_callback()

        return SimpleNamespace(start=start, close=self._close)

    def _close(self) -> None:
        self.closed += 1


def test_portaudio_gets_the_whole_sound_and_silence_after_it(monkeypatch):
    library = Library()
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr(loudspeaker, "library", lambda: library)
    samples = tones(START, loudspeaker.RATE)
    loudspeaker.play(samples)
    heard = np.concatenate(library.heard)[:, 0]
    assert np.array_equal(heard[: len(samples)], samples)
    assert not heard[len(samples) :].any()
    assert library.closed == 1
    assert not loudspeaker.in_use.locked()


def test_portaudio_without_a_device_is_told(monkeypatch):
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setattr(loudspeaker, "library", lambda: Library(fails=True))
    with pytest.raises(NoSound, match="there is no loudspeaker"):
        loudspeaker.play(tones(STOP, loudspeaker.RATE))
    assert not loudspeaker.in_use.locked()
