"""Noise with the rhythm and the bands of speech, the same on every machine."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

RATE = 16_000


def clip(seconds: float, seed: int) -> npt.NDArray[np.float32]:
    """Make "syllables" of a voice with three formants, and of hisses, with pauses between them.

    Returns:
        float32[seconds * 16000], mono, 16 kHz, in [-1, 1].
    """
    rng = np.random.default_rng(seed)
    samples = rng.normal(0, 5e-4, round(seconds * RATE))
    at = 0
    while at < len(samples):
        length = int(rng.uniform(0.1, 0.3) * RATE)
        time = np.arange(length) / RATE
        if rng.random() < 0.25:
            sound = np.diff(rng.normal(0, 0.5, length + 1))
        else:
            harmonics = np.arange(1, 40)[:, None] * rng.uniform(90, 220)
            formants = rng.uniform((250, 900, 2200), (850, 2200, 3500))
            loud = np.exp(-(((harmonics - formants) / 200) ** 2)) @ (1.0, 0.5, 0.25)
            sound = loud @ np.sin(2 * np.pi * harmonics * time)
        sound *= np.hanning(length) * rng.uniform(0.05, 0.4) / max(1.0, np.abs(sound).max())
        part = samples[at : at + length]
        part += sound[: len(part)]
        at += length + int(rng.choice((0.0, 0.03, 0.2), p=(0.6, 0.3, 0.1)) * RATE)
    return samples.astype(np.float32)
