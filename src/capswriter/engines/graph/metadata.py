"""The metadata of an ONNX file, read without the weights.

The file is a protocol buffer (``onnx.proto``, message ``ModelProto``): fields one after the other,
of which the graph is by far the largest and is skipped.
"""

from __future__ import annotations

from io import BytesIO
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

METADATA, NAME, VALUE = 14, 1, 2
"""Numbers of fields: an entry in the model, and the parts of the entry."""

VARINT, FIXED_64, BYTES, FIXED_32 = 0, 1, 2, 5
"""How the value of a field is written."""


def metadata_of(path: Path) -> dict[str, str]:
    """Read what the maker of a model says of it.

    Raises:
        OSError, ValueError: it cannot be read, or is no ONNX file.
    """
    found = {}
    with path.open("rb") as file:
        for entry in _contents(file, {METADATA}):
            parts = list(_contents(BytesIO(entry), {NAME, VALUE}))
            name, value = (part.decode() for part in (*parts, b"", b"")[:2])
            found[name] = value
    return found


def _contents(file: IO[bytes], wanted: set[int]) -> Iterator[bytes]:
    """Give the contents of the fields with these numbers, and skip all others."""
    while (tag := _varint(file)) is not None:
        number, kind = tag >> 3, tag & 7
        if kind == BYTES:
            size = _varint(file) or 0
            if number in wanted:
                yield file.read(size)
            else:
                file.seek(size, 1)
        elif kind == VARINT:
            _varint(file)
        elif kind in {FIXED_64, FIXED_32}:
            file.seek(8 if kind == FIXED_64 else 4, 1)
        else:
            raise ValueError("it is no ONNX file")


def _varint(file: IO[bytes]) -> int | None:
    """Read a number of seven bits a byte, lowest first; None at the end of the file."""
    number = shift = 0
    while byte := file.read(1):
        number |= (byte[0] & 0x7F) << shift
        if byte[0] < 0x80:  # noqa: PLR2004  # the eighth bit says that more follows
            return number
        shift += 7
    return None
