"""Decoding, resampling, voice activity detection and segmentation.

Everywhere in this package, *samples* are a 1-D float32 array: mono, 16 kHz, in [-1, 1].
"""

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

SAMPLE_RATE = 16_000
"""Samples per second of all audio inside the program."""

Samples: TypeAlias = NDArray[np.float32]
