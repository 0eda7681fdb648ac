from __future__ import annotations

import numpy as np
import pytest
from media import tone

from capswriter.dictation.microphone.mixing import Mixer

RATE = 16_000


def mixed(*channels: np.ndarray) -> np.ndarray:
    mixer, signal = Mixer(len(channels)), np.stack(channels, axis=1).astype(np.float32)
    return np.concatenate([mixer.mix(signal[at : at + 320]) for at in range(0, len(signal), 320)])


def test_one_channel_is_as_it_was():
    voice = tone(300, 1, RATE)
    assert np.array_equal(mixed(voice), voice)


def test_channels_alike_are_averaged():
    voice = tone(300, 1, RATE)
    assert mixed(voice, voice) == pytest.approx(voice, abs=1e-6)


def test_a_channel_without_a_microphone_takes_no_loudness_away():
    voice = tone(300, 1, RATE)
    noise = np.random.default_rng(1).normal(0, 0.001, len(voice))
    for channels in ((voice, noise), (noise, voice), (noise, noise, voice, noise)):
        assert mixed(*channels) == pytest.approx(voice, abs=0.01)


def test_crossed_wires_do_not_make_a_voice_silent():
    voice = tone(300, 1, RATE)
    assert np.abs(mixed(voice, -voice)) == pytest.approx(np.abs(voice), abs=1e-6)


def test_a_microphone_that_moves_to_the_other_channel_is_faded_to():
    voice = tone(300, 8, RATE)
    first = np.arange(len(voice)) < RATE
    result = mixed(voice * first, voice * ~first)
    assert result[-RATE // 4 :] == pytest.approx(voice[-RATE // 4 :], abs=0.01)
    assert np.abs(np.diff(result)).max() < 0.13  # no click; the tone itself makes steps of 0.06
