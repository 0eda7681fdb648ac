"""Filterbank features of FunASR's models: Kaldi's fbank, stacked, normalised.

Povey et al. 2011, *The Kaldi Speech Recognition Toolkit*; the settings are those of FunASR's
``WavFrontend``, without dither. Each sum is taken in the order in which kaldi-native-fbank takes it
and rounded where it rounds, for all frames at once, so the features are its own: of 4,000 values,
one differs, in its last bit. Nothing less gives the same text: quantised networks turn a
difference of 1e-7 into another token now and then. (From version 1.21 on, kaldi-native-fbank
transforms in single precision, and differs from itself by 0.001.)
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from capswriter.audio import SAMPLE_RATE

if TYPE_CHECKING:
    from pathlib import Path

    import numpy.typing as npt

    from capswriter.audio import Samples

FRAME, SHIFT = SAMPLE_RATE * 25 // 1000, SAMPLE_RATE // 100
"""Samples in a frame, and from the start of one to the start of the next: 25 and 10 ms."""

FFT = 512
"""The power of two that a frame fits in."""

BANDS = 80
LOWEST, HIGHEST = 20.0, SAMPLE_RATE / 2
"""Edges of the lowest and the highest band, in hertz."""

PREEMPHASIS = np.float32(0.97)
SCALE = np.float32(32_768)
"""The models were trained on samples of 16 bits."""

STACKED, KEPT_EVERY = 7, 6
"""Frames in one input of the models, and frames from one input to the next: 60 ms."""

AT_ONCE = 96
"""Frames at most that are transformed at once.

They stay in the processor's cache, and the arrays for them come from memory that the process has
had before. Of 320 frames, most arrays are mapped anew each time: 10 s of audio take 6.7 ms then
instead of 3.2.
"""

ROUNDED_DOWN = (0, 13)
"""Of the frequencies in ``_mel_filters``, those whose logarithm Kaldi rounds the other way."""


def fbank(samples: Samples) -> npt.NDArray[np.float32]:
    """Log energies in 80 bands on the mel scale.

    Args:
        samples: float32[n], mono, 16 kHz, in [-1, 1].

    Returns:
        float32[frames, 80]; one frame for each 10 ms that a whole frame of 25 ms starts at, and
        one where there is less than that.
    """
    padded = np.pad(samples, (0, max(0, FRAME - len(samples))))
    frames = sliding_window_view(padded * SCALE, FRAME)[::SHIFT]
    if len(frames) == 1:  # of a matrix, numpy adds the rows one after the other, as Kaldi does
        two = np.pad(samples, (0, FRAME + SHIFT - len(samples)))
        return fbank(two)[:1]
    power = np.empty((FFT // 2 + 1, len(frames)), np.float32)
    parts = -(-len(frames) // AT_ONCE)  # of one size, so that none is a single frame
    for part in range(parts):
        span = slice(part * len(frames) // parts, (part + 1) * len(frames) // parts)
        power[:, span] = _power(frames[span])
    energies = np.ascontiguousarray(_energies(power).T)
    # The floor is the smallest step from 1, so that silence has a logarithm.
    np.maximum(energies, np.finfo(np.float32).eps, out=energies)
    logarithms: npt.NDArray[np.float32] = np.log(energies, dtype=np.float64).astype(np.float32)
    return logarithms


def stacked(frames: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Join every seven frames, six apart, with the first and last repeated beyond the ends.

    Args:
        frames: float32[t, 80], at least one.

    Returns:
        float32[ceil(t / 6), 560].
    """
    inputs = -(-len(frames) // KEPT_EVERY)
    before = STACKED // 2
    after = max(0, (inputs - 1) * KEPT_EVERY + STACKED - before - len(frames))
    padded = np.pad(frames, ((before, after), (0, 0)), mode="edge")
    windows = sliding_window_view(padded, STACKED, axis=0)[::KEPT_EVERY][:inputs]
    return np.ascontiguousarray(windows.transpose(0, 2, 1)).reshape(inputs, -1)


class Normalisation:
    """Mean and variance of a model's features, as Kaldi's ``am.mvn`` gives them.

    Args:
        shift: float[560], added.
        scale: float[560], what the sum is multiplied by.

    Raises:
        ValueError: they are of another size.
    """

    def __init__(self, shift: npt.ArrayLike, scale: npt.ArrayLike) -> None:
        self._shift = np.asarray(shift, np.float64)
        self._scale = np.asarray(scale, np.float64)
        if not self._shift.shape == self._scale.shape == (STACKED * BANDS,):
            raise ValueError(f"it does not normalise features of {STACKED * BANDS} numbers")

    @classmethod
    def read(cls, path: Path) -> Normalisation:
        """Read ``am.mvn``.

        Raises:
            OSError, ValueError: it cannot be read, or is no such file.
        """
        rows = {}
        title = ""
        for line in path.read_text(encoding="utf-8").splitlines():
            words = line.split()
            if words and words[0] == "<LearnRateCoef>":
                rows[title] = [float(word) for word in words[3:-1]]
            elif words:
                title = words[0]
        try:
            shift, scale = rows["<AddShift>"], rows["<Rescale>"]
        except KeyError as missing:
            raise ValueError(f"it has no {missing}") from None
        return cls(shift, scale)

    def __call__(self, inputs: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Normalise float32[t, 560]."""
        return ((inputs + self._shift) * self._scale).astype(np.float32)


def _power(frames: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Power at each frequency, float32[257, frames]; in single precision but for the transform."""
    columns = frames.T.copy()
    columns -= np.add.reduce(columns, axis=0) / np.float32(FRAME)
    emphasised = np.concatenate([columns[:1], columns[:-1]])
    emphasised *= -PREEMPHASIS
    emphasised += columns
    emphasised *= _window()[:, None]
    padded = np.zeros((len(frames), FFT))
    padded[:, :FRAME] = emphasised.T
    spectrum = np.fft.rfft(padded, axis=1)
    real, imaginary = spectrum.real.astype(np.float32), spectrum.imag.astype(np.float32)
    real *= real
    imaginary *= imaginary
    real += imaginary
    power: npt.NDArray[np.float32] = real.T
    return power


def _energies(power: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Energies in the bands, float32[80, frames]."""
    bands = np.empty((BANDS, power.shape[1]), np.float32)
    for band, (lowest, weights) in zip(bands, _mel_filters(), strict=True):
        weighted = power[lowest : lowest + len(weights)] * weights[:, None]
        np.add.reduce(weighted, axis=0, out=band)
    return bands


@lru_cache(maxsize=1)
def _window() -> npt.NDArray[np.float32]:
    return np.hamming(FRAME).astype(np.float32)


@lru_cache(maxsize=1)
def _mel_filters() -> list[tuple[int, npt.NDArray[np.float32]]]:
    """Triangles that overlap by half, equally wide on the mel scale: lowest bin, and weights."""
    bins = np.arange(FFT // 2) * (SAMPLE_RATE / FFT)
    mels = _mel(np.concatenate([[LOWEST], bins, [HIGHEST]]).astype(np.float32))
    for index in ROUNDED_DOWN:
        mels[index] = np.nextafter(mels[index], np.float32(0))
    low, mels, high = mels[0], mels[1:-1], mels[-1]
    step = (high - low) / np.float32(BANDS + 1)
    edges = low + np.arange(BANDS + 2, dtype=np.float32) * step
    filters = []
    for left, centre, right in zip(edges, edges[1:], edges[2:], strict=False):
        inside = np.flatnonzero((mels > left) & (mels < right))
        rising = (mels[inside] - left) / (centre - left)
        falling = (right - mels[inside]) / (right - centre)
        weights = np.where(mels[inside] <= centre, rising, falling)
        filters.append((int(inside[0]), weights.astype(np.float32)))
    return filters


def _mel(hertz: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    ratio = np.float32(1) + hertz / np.float32(700)
    logarithm = np.log(ratio, dtype=np.float64).astype(np.float32)
    mel: npt.NDArray[np.float32] = np.float32(1127) * logarithm
    return mel
