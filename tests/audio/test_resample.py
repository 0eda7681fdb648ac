"""Sample rate conversion as a stream."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from media import tone

from capswriter.audio import SAMPLE_RATE
from capswriter.audio.resample import Resampler

RATES = [8_000, 11_025, 22_050, 32_000, 44_100, 48_000, 96_000, 192_000]


def resampled(signal: np.ndarray, rate: int, cuts: list[int] = ()) -> np.ndarray:
    resampler = Resampler(rate)
    blocks = np.split(signal, sorted(min(cut, len(signal)) for cut in cuts))
    return np.concatenate([*(resampler.push(block) for block in blocks), resampler.finish()])


@pytest.mark.parametrize("rate", RATES)
def test_a_tone_comes_out_where_it_was(rate):
    samples = resampled(tone(440, 2.0, rate), rate)
    expected = tone(440, 2.0, SAMPLE_RATE)
    assert abs(len(samples) - len(expected)) <= 2
    inner = slice(2000, -2000)
    np.testing.assert_allclose(samples[: len(expected)][inner], expected[inner], atol=1e-3)


def test_16_khz_is_left_as_it_is():
    signal = tone(7_900, 0.5, SAMPLE_RATE)
    np.testing.assert_array_equal(resampled(signal, SAMPLE_RATE, [100]), signal)


@given(st.sampled_from(RATES), st.lists(st.integers(0, 20_000), max_size=12))
@settings(max_examples=50)
def test_the_result_does_not_depend_on_the_blocks(rate, cuts):
    signal = np.random.default_rng(1).uniform(-0.5, 0.5, 20_000).astype(np.float32)
    np.testing.assert_allclose(resampled(signal, rate, cuts), resampled(signal, rate), atol=1e-6)
