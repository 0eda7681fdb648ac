"""Files that get their final name only when their bytes are the published ones."""

from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

BLOCK = 1 << 20
"""Bytes read or written at a time, so that memory does not grow with the file."""


class WrongBytes(Exception):
    """A file is not the published one."""


def sha256_of(path: Path) -> str:
    """Hash a file; hexadecimal, lower case."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            digest.update(block)
    return digest.hexdigest()


def part_of(target: Path) -> Path:
    """Name the unfinished copy of ``target``, which lies beside it."""
    return target.with_name(f"{target.name}.part")


def publish(target: Path, *, size: int | None, sha256: str | None) -> None:
    """Check the unfinished copy of ``target`` and rename it to ``target``, atomically.

    Args:
        target: the final name.
        size: bytes it must have; ``None`` where that is not published.
        sha256: what it must hash to; ``None`` where that is not published.

    Raises:
        WrongBytes: the copy is another file; it is deleted.
        OSError: the disk refused.
    """
    part = part_of(target)
    # Renaming is atomic in the directory but says nothing of the bytes: after a power cut the name
    # could stand for an empty file.
    with part.open("r+b") as file:
        os.fsync(file.fileno())
    if size not in (None, part.stat().st_size) or sha256 not in (None, sha256_of(part)):
        part.unlink()
        raise WrongBytes
    part.replace(target)


def write_atomically(path: Path, text: str) -> None:
    """Write a small file that others read at any moment: they see all of it, or the one before.

    Raises:
        OSError: the disk refused.
    """
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    draft.write_text(text, encoding="utf-8")
    draft.replace(path)
