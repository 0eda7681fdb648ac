"""Voice activity detection by the real network."""

from __future__ import annotations

import numpy as np
import onnxruntime
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from recordings import samples_of

from capswriter.audio import SAMPLE_RATE
from capswriter.audio.vad import FRAME, SileroVad, published_network


def whole(stream: np.ndarray) -> np.ndarray:
    vad = SileroVad()
    return vad.push(stream, last=True)


@given(st.lists(st.integers(0, 5 * SAMPLE_RATE), max_size=30))
@settings(max_examples=20)
def test_the_result_does_not_depend_on_the_blocks(samples, cuts):
    stream = samples_of(samples / "01.mp3")[: 5 * SAMPLE_RATE - 77]
    vad = SileroVad()
    blocks = np.split(stream, sorted(min(cut, len(stream)) for cut in cuts))
    pieces = [*(vad.push(block) for block in blocks), vad.push(stream[:0], last=True)]
    np.testing.assert_allclose(np.concatenate(pieces), whole(stream), atol=1e-5)


def test_the_probabilities_are_those_of_the_published_network(samples):
    stream = samples_of(samples / "01.mp3")[: 30 * SAMPLE_RATE // FRAME * FRAME]
    frames = np.lib.stride_tricks.sliding_window_view(np.pad(stream, (64, 0)), 64 + FRAME)[::FRAME]
    published = onnxruntime.InferenceSession(str(published_network()))
    state = np.zeros((1, 1, 128), np.float32)
    expected = published.run(None, {"input": frames, "h": state, "c": state})[0]
    np.testing.assert_allclose(whole(stream), expected, atol=1e-5)


def test_the_result_does_not_depend_on_blocks_of_one_sample(samples):
    stream = samples_of(samples / "01.mp3")[: SAMPLE_RATE // 2]
    vad = SileroVad()
    pieces = [vad.push(stream[i : i + 1]) for i in range(len(stream))]
    pieces.append(vad.push(stream[:0], last=True))
    np.testing.assert_allclose(np.concatenate(pieces), whole(stream), atol=1e-5)


@pytest.mark.parametrize(("length", "frames"), [(0, 0), (1, 1), (FRAME, 1), (FRAME + 1, 2)])
def test_every_frame_begun_has_one_probability(length, frames):
    assert whole(np.zeros(length, np.float32)).shape == (frames,)


def test_speech_is_told_from_silence(samples):
    stream = samples_of(samples / "01.mp3")[: 20 * SAMPLE_RATE]
    probabilities = whole(stream)
    assert ((probabilities >= 0) & (probabilities <= 1)).all()
    assert np.mean(probabilities > 0.5) > 0.5
    assert whole(np.zeros(5 * SAMPLE_RATE, np.float32)).max() < 0.2


def test_two_streams_at_once_do_not_disturb_each_other(samples):
    stream = samples_of(samples / "01.mp3")[: 3 * SAMPLE_RATE]
    one, other = SileroVad(), SileroVad()
    heard = []
    for start in range(0, len(stream), 1600):
        heard.append(one.push(stream[start : start + 1600]))
        other.push(stream[::-1][start : start + 1600])
    heard.append(one.push(stream[:0], last=True))
    np.testing.assert_allclose(np.concatenate(heard), whole(stream), atol=1e-5)


def test_a_glance_judges_each_stretch_as_if_silence_had_gone_before_it(samples):
    stream = samples_of(samples / "01.mp3")
    stretches = np.stack([stream[start : start + 6 * FRAME] for start in range(0, 900_000, 77_777)])
    expected = [whole(stretch) for stretch in stretches]
    np.testing.assert_allclose(SileroVad().glance(stretches), expected, atol=1e-5)


def test_who_starts_again_has_forgotten_everything(samples):
    stream = samples_of(samples / "01.mp3")[: 3 * SAMPLE_RATE]
    vad = SileroVad()
    vad.push(stream)
    vad.restart()
    np.testing.assert_allclose(vad.push(stream, last=True), whole(stream), atol=1e-5)
