"""Features: those of kaldi-native-fbank, stacked and normalised as FunASR does.

``scripts/make_features.py`` made the record.
"""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from engines.features.sounds import LENGTHS, sounds
from hypothesis import given
from hypothesis import strategies as st

from capswriter.engines import features
from capswriter.engines.features import Normalisation

RECORD = Path(__file__).parent / "features" / "fbank.npz"
SOUNDS = sounds()


@pytest.fixture(scope="module")
def recorded():
    with np.load(RECORD) as arrays:
        return dict(arrays)


def test_the_record_is_of_the_release_that_transforms_in_double_precision(recorded):
    assert str(recorded.pop("version")).startswith("1.20.")
    assert recorded.keys() == SOUNDS.keys()
    assert RECORD.stat().st_size < 150_000


@pytest.mark.parametrize("name", SOUNDS)
def test_log_energies_are_those_of_kaldi(recorded, name):
    ours, theirs = features.fbank(SOUNDS[name]), recorded[name]
    assert ours.dtype == theirs.dtype == np.float32
    assert ours.shape == theirs.shape
    assert np.abs(ours - theirs).max() < 1e-5


def test_nearly_all_of_them_are_equal_to_the_last_bit(recorded):
    pairs = [(features.fbank(sound), recorded[name]) for name, sound in SOUNDS.items()]
    equal = np.concatenate([(ours == theirs).ravel() for ours, theirs in pairs])
    assert equal.size > 10_000
    assert equal.mean() >= 0.999


@pytest.mark.parametrize("length", [0, *LENGTHS])
def test_there_is_a_frame_for_each_10_ms_that_a_whole_one_starts_at(length):
    frames = features.fbank(np.zeros(length, np.float32))
    assert frames.shape == (1 + max(0, length - 400) // 160, 80)


def test_a_part_of_a_frame_is_padded_with_silence():
    part = SOUNDS["399 samples"]
    whole = np.append(part, np.float32(0))
    assert np.array_equal(features.fbank(part), features.fbank(whole))


def test_silence_has_the_least_energy_there_is():
    frames = features.fbank(np.zeros(1600, np.float32))
    assert np.all(frames == np.float32(math.log(np.finfo(np.float32).eps)))


def test_long_audio_has_the_features_of_its_parts():
    """Spectra are computed in blocks; no frame may be lost between two of them."""
    samples = np.random.default_rng(1).normal(0, 0.1, 2100 * 160 + 240).astype(np.float32)
    whole = features.fbank(samples)
    assert len(whole) == 2100
    for frame in (0, 1022, 1023, 1024, 1025, 2047, 2048, 2099):
        alone = features.fbank(samples[frame * 160 : frame * 160 + 400])
        assert np.array_equal(whole[frame], alone[0])


def plainly_stacked(frames: np.ndarray) -> np.ndarray:
    """Of every seven frames, six apart, centred on the first of the six, one row."""
    rows = []
    for centre in range(0, len(frames), 6):
        row = []
        for index in range(centre - 3, centre + 4):
            row.extend(frames[min(max(index, 0), len(frames) - 1)])
        rows.append(row)
    return np.array(rows, np.float32)


@given(st.integers(1, 300), st.integers(0, 2**32 - 1))
def test_frames_are_stacked_as_a_plain_loop_does(length, seed):
    frames = np.random.default_rng(seed).standard_normal((length, 80), np.float32)
    stacked = features.stacked(frames)
    assert stacked.flags.c_contiguous
    assert np.array_equal(stacked, plainly_stacked(frames))


SHIFTS, SCALES = [-8.5, -9.25, 0, 10] * 140, [0.25, 0.5, 1, 2] * 140


def kaldi(shifts: object, scales: object) -> str:
    """An ``am.mvn``."""
    rows = [" ".join(map(str, row)) for row in (shifts, scales)]
    return (
        f"<Nnet>\n<Splice> 560 560\n[ 0 ]\n<AddShift> 560 560\n<LearnRateCoef> 0 [ {rows[0]} ]\n"
        f"<Rescale> 560 560\n<LearnRateCoef> 0 [ {rows[1]} ]\n</Nnet>\n"
    )


def test_a_normalisation_is_read_and_applied(tmp_path):
    path = tmp_path / "am.mvn"
    path.write_text(kaldi(SHIFTS, SCALES))
    normalised = Normalisation.read(path)(np.array([[8.5, 10.25, 3, -9] * 140], np.float32))
    assert normalised.dtype == np.float32
    assert normalised.tolist() == [[0, 0.5, 3, 2] * 140]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "<Nnet>\n</Nnet>\n",
        kaldi(SHIFTS, SCALES).replace("<Rescale>", "<Other>"),
        kaldi(SHIFTS, SCALES).replace("<AddShift>", "<Other>"),
        kaldi(SHIFTS, SCALES).replace("<LearnRateCoef>", "<Other>"),
        kaldi(["much", *SHIFTS[1:]], SCALES),
        kaldi(SHIFTS, SCALES[1:]),
        kaldi(SHIFTS, []),
        kaldi([], []),
        kaldi([0, 0], [1, 1]),
        "\x00\x01\x02",
    ],
)
def test_what_is_no_normalisation_is_refused(tmp_path, text):
    path = tmp_path / "am.mvn"
    path.write_text(text)
    with pytest.raises(ValueError, match=r"."):
        Normalisation.read(path)


def test_a_normalisation_that_is_no_text_is_refused(tmp_path):
    path = tmp_path / "am.mvn"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ValueError, match=r"."):
        Normalisation.read(path)
