"""Opening an ONNX graph whose largest tables stay in its file, for all workers to share.

ONNX Runtime copies a file's weights into the memory of each process, and maps only those that lie
in a file of their own. A table that is looked up row by row, such as the vectors of 272,727 words,
can stay where it is: the graph is handed over without it, saying that it lies in *this* file, so
many bytes from the start. Only rows that are looked up are ever read, and no copy is made on disk.
Measured on the punctuation of full size: 11 MiB and 0.04 s for a worker, not 320 MiB and 0.8 s.

The format is that of protocol buffers, https://protobuf.dev/programming-guides/encoding, with the
field numbers of https://github.com/onnx/onnx/blob/main/onnx/onnx.proto.
"""

from __future__ import annotations

import logging
import mmap
from typing import TYPE_CHECKING, NamedTuple

import onnxruntime as ort

from capswriter.engines.graph import open_graph
from capswriter.engines.graph.session import options, providers

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LARGE = 16 << 20
"""Bytes from which on a table stays in the file; matrices that are multiplied are smaller."""

FOLDER = "session.model_external_initializers_file_folder_path"

GRAPH, INITIALIZER, RAW_DATA, EXTERNAL_DATA, DATA_LOCATION = 7, 5, 9, 13, 14
"""Numbers of fields: of a model, of a graph, and three of a tensor."""

EXTERNAL = b"\x01"
KEY, VALUE = 1, 2
VARINT, FIXED_64, DELIMITED, FIXED_32 = 0, 1, 2, 5

logger = logging.getLogger(__name__)


class _Field(NamedTuple):
    number: int
    begin: int
    value: int
    end: int


def open_mapped(path: Path, *, threads: int = 1, device: str = "cpu") -> ort.InferenceSession:
    """Open a model as ``open_graph`` does, with its large tables mapped where it runs on the CPU.

    Args:
        path: of the ``.onnx`` file, which must not change while the session lives.
        threads: of the CPU for one run.
        device: ``"cpu"``, ``"cuda"``, or ``"auto"`` for the better one that is there.

    Raises:
        Exception: ONNX Runtime's own, of many classes, where the file is no sound model.
    """
    path = path.resolve()  # hubs link to their files; ONNX Runtime maps none beyond the folder
    wanted = providers(device)
    graph = without_tables(path) if len(wanted) == 1 else None
    if graph is None:
        return open_graph(path, threads=threads, device=device)
    chosen = options(threads)
    chosen.add_session_config_entry(FOLDER, str(path.parent))
    try:
        return ort.InferenceSession(graph, chosen, providers=wanted)
    except (
        Exception
    ):  # 1.20 looks for the file in the working directory; each version has its checks
        logger.info("the tables of %s cannot be mapped, and are read", path, exc_info=True)
        return open_graph(path, threads=threads, device=device)


def without_tables(path: Path) -> bytes | None:
    """Give a model with references to its own file in place of its large tables.

    Returns:
        The model; None where it has no large table, or cannot be read.
    """
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as whole:
            return _model(whole, path.name)
    except (IndexError, ValueError):  # an empty or damaged file, which ONNX Runtime describes
        return None


def _model(whole: mmap.mmap, name: str) -> bytes | None:
    parts: list[bytes] = []
    tables = 0
    for field in _fields(whole, 0, len(whole)):
        if field.number == GRAPH:
            graph: list[bytes] = []
            for inner in _fields(whole, field.value, field.end):
                large = inner.number == INITIALIZER and inner.end - inner.value >= LARGE
                tensor = _reference(whole, inner, name) if large else None
                tables += tensor is not None
                graph.append(tensor or whole[inner.begin : inner.end])
            parts.append(_delimited(GRAPH, b"".join(graph)))
        else:
            parts.append(whole[field.begin : field.end])
    return b"".join(parts) if tables else None


def _reference(whole: mmap.mmap, tensor: _Field, name: str) -> bytes | None:
    parts: list[bytes] = []
    places: list[_Field] = []
    for field in _fields(whole, tensor.value, tensor.end):
        if field.number == RAW_DATA:
            places.append(field)
        else:
            parts.append(whole[field.begin : field.end])
    if len(places) != 1:
        return None
    (place,) = places
    entries = {"location": name, "offset": str(place.value), "length": str(place.end - place.value)}
    for key, value in entries.items():
        entry = _delimited(KEY, key.encode()) + _delimited(VALUE, value.encode())
        parts.append(_delimited(EXTERNAL_DATA, entry))
    parts.append(_varint(DATA_LOCATION << 3 | VARINT) + EXTERNAL)
    return _delimited(INITIALIZER, b"".join(parts))


def _fields(whole: mmap.mmap, start: int, stop: int) -> Iterator[_Field]:
    position = start
    while position < stop:
        begin = position
        tag, position = _read_varint(whole, position)
        value = position
        if tag & 7 == VARINT:
            _, position = _read_varint(whole, position)
        elif tag & 7 == DELIMITED:
            length, value = _read_varint(whole, position)
            position = value + length
        elif tag & 7 in {FIXED_32, FIXED_64}:
            position += 4 if tag & 7 == FIXED_32 else 8
        else:
            raise ValueError(f"no field has the type {tag & 7}")
        if position > stop:
            raise ValueError("a field is longer than what it lies in")
        yield _Field(tag >> 3, begin, value, position)


def _read_varint(whole: mmap.mmap, position: int) -> tuple[int, int]:
    number = shift = 0
    while True:
        byte = whole[position]
        position += 1
        number |= (byte & 0x7F) << shift
        if byte < 0x80:  # noqa: PLR2004
            return number, position
        shift += 7


def _varint(number: int) -> bytes:
    parts = bytearray()
    while number > 0x7F:  # noqa: PLR2004
        parts.append(number & 0x7F | 0x80)
        number >>= 7
    parts.append(number)
    return bytes(parts)


def _delimited(number: int, value: bytes) -> bytes:
    return _varint(number << 3 | DELIMITED) + _varint(len(value)) + value
