"""G.711, the sound of telephones: bytes of µ-law and A-law to 16-bit samples.

A byte has a sign, a segment (three bits) and a step in it (four bits); from one segment to the
next, steps double in size. The values are those of ITU-T G.711 (11/1988), table 1 (A-law, 13 bits)
and table 2 (µ-law, 14 bits), put at the upper end of 16 bits, as everybody does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def decode_ulaw(data: bytes) -> NDArray[np.int16]:
    """Decode µ-law, of North America and Japan.

    Args:
        data: one byte a sample.

    Returns:
        As many samples, -32,124 to 32,124, at the same rate.
    """
    return _ULAW[np.frombuffer(data, np.uint8)]


def decode_alaw(data: bytes) -> NDArray[np.int16]:
    """Decode A-law, of everywhere else.

    Args:
        data: one byte a sample.

    Returns:
        As many samples, -32,256 to 32,256, at the same rate.
    """
    return _ALAW[np.frombuffer(data, np.uint8)]


def _ulaw_table() -> NDArray[np.int16]:
    codes = ~np.arange(256, dtype=np.uint8)  # lines carry every bit inverted
    sign, segment, step = _parts(codes)
    # 33 steps is what the encoder adds, so that every segment starts at a power of two
    magnitude = (((2 * step + 33) << segment) - 33) * 4
    return np.where(sign, -magnitude, magnitude).astype(np.int16)


def _alaw_table() -> NDArray[np.int16]:
    codes = np.arange(256, dtype=np.uint8) ^ np.uint8(0x55)  # lines carry every other bit inverted
    sign, segment, step = _parts(codes)
    # the first segment has the second one's steps, and starts at nought
    magnitude = np.where(segment, (2 * step + 33) << np.maximum(segment - 1, 0), 2 * step + 1) * 8
    return np.where(sign, magnitude, -magnitude).astype(np.int16)


def _parts(
    codes: NDArray[np.uint8],
) -> tuple[NDArray[np.bool_], NDArray[np.int32], NDArray[np.int32]]:
    wide = codes.astype(np.int32)
    return wide & 0x80 != 0, wide >> 4 & 7, wide & 15


_ULAW = _ulaw_table()
_ALAW = _alaw_table()
