"""The header of a WAV file at the start of a stream that was to be bare PCM.

FunASR's html5 client sends whole files so. The header is no sound, but it knows the sample rate.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import Enum

PCM, FLOAT = 1, 3
"""Formats by their numbers in the header."""

_EXTENSIBLE = 0xFFFE
_SHORTEST_FORMAT, _EXTENSIBLE_FORMAT = 16, 40
"""Bytes of a chunk ``fmt``, plain and extensible."""

_UNKNOWN = frozenset({0, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFF})
"""Sizes of chunk ``data`` by recorders that do not know it yet."""

_CHUNK = struct.Struct("<4sI")
_FORMAT = struct.Struct("<HHIIHH")
_FIRST = 12
"""Bytes before the first chunk."""

LONGEST = 2**18
"""Bytes of a header that is waited for; pictures in front of the sound may be larger."""

_MOST_CHUNKS = 64
"""So that reading again as bytes come stays cheap, whatever they are."""


class Verdict(Enum):
    """What the start of a stream is, other than a header."""

    INCOMPLETE = "incomplete"
    """It may become one; where nothing follows, it is none."""

    NONE = "none"
    """Sound, or a WAV file that is damaged."""


@dataclass(frozen=True, slots=True)
class WaveHeader:
    """What the header of a WAV file tells.

    Args:
        length: bytes of the header; the sound begins there.
        encoding: ``PCM``, ``FLOAT`` or another number of the registry of formats.
        channels: interleaved.
        sample_rate: Hz.
        bits: of a sample.
        data_length: bytes of sound, after which other chunks may follow; None where unknown.
    """

    length: int
    encoding: int
    channels: int
    sample_rate: int
    bits: int
    data_length: int | None


def read_wave_header(start: bytes) -> WaveHeader | Verdict:
    """Read the header at the start of a stream; call it again with more while ``INCOMPLETE``."""
    if not _may_be_one(start):
        return Verdict.NONE
    described: tuple[int, int, int, int] | None = None
    at = _FIRST
    for _ in range(_MOST_CHUNKS):
        if at > LONGEST:
            break
        if len(start) < at + _CHUNK.size:
            return Verdict.INCOMPLETE
        name, size = _CHUNK.unpack_from(start, at)
        at += _CHUNK.size
        if name == b"data":
            if described is None:
                break
            return WaveHeader(at, *described, None if size in _UNKNOWN else size)
        if name == b"fmt ":
            if size < _SHORTEST_FORMAT:
                break
            if len(start) < at + min(size, _EXTENSIBLE_FORMAT):
                return Verdict.INCOMPLETE
            described = _described(start[at : at + size])
        at += size + size % 2
    return Verdict.NONE


def _may_be_one(start: bytes) -> bool:
    kind, form = start[:4], start[8:_FIRST]
    return (b"RIFF".startswith(kind) or b"RF64".startswith(kind)) and b"WAVE".startswith(form)


def _described(chunk: bytes) -> tuple[int, int, int, int]:
    encoding, channels, sample_rate, _, _, bits = _FORMAT.unpack_from(chunk)
    if encoding == _EXTENSIBLE and len(chunk) >= _EXTENSIBLE_FORMAT:
        (encoding,) = struct.unpack_from("<H", chunk, 24)  # the start of the subformat's GUID
    return encoding, channels, sample_rate, bits
