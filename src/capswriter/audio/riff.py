"""How long a WAV file says it is; FFmpeg tells only how much of it is there."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

UNKNOWN = frozenset({0, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFF})
"""Sizes that recorders write who do not know the length yet, or have none that fits."""


def promised_seconds(path: Path) -> float | None:
    """Read the length that a WAV file's header promises.

    Returns:
        Seconds, or None for another kind of file or one whose header does not know.
    """
    with path.open("rb") as file:
        if file.read(4) != b"RIFF" or file.read(8)[4:] != b"WAVE":
            return None
        rate = 0
        while len(header := file.read(8)) == 8:  # noqa: PLR2004
            name, size = struct.unpack("<4sI", header)
            if name == b"fmt ":
                (rate,) = struct.unpack("<8xI", file.read(12))
                file.seek(size - 12 + size % 2, 1)
            elif name == b"data":
                return size / rate if rate and size not in UNKNOWN else None
            else:
                file.seek(size + size % 2, 1)
    return None
