"""Sounds whose features are recorded, the same on every machine."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from engines.paraformer.clips import clip

RATE = 16_000
LENGTHS = (1, 399, 400, 401, 560, 1600)
"""Samples; a frame has 400."""


def sounds() -> dict[str, npt.NDArray[np.float32]]:
    """Make each sound, by its name; float32[n], mono, 16 kHz."""
    noise = np.random.default_rng(5).normal(0, 0.1, max(LENGTHS)).astype(np.float32)
    time = np.arange(RATE // 4) / RATE
    speech = clip(1.2, 11)
    made = {f"{length} samples": noise[:length] for length in LENGTHS}
    made["silence"] = np.zeros(800, np.float32)
    made["constant"] = np.full(800, 0.5, np.float32)
    made["speech"] = speech
    made["very loud"] = np.sign(np.sin(2 * np.pi * 440 * time)).astype(np.float32)
    made["beyond full scale"] = 8 * speech[:4000]
    made["very quiet"] = 1e-5 * speech[:4000]
    made["one step of 16 bits"] = (np.arange(2000) % 50 == 0).astype(np.float32) / 32_768
    return made
