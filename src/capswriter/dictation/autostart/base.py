"""What every system's autostart has in common."""

from __future__ import annotations

import os
import shutil
import unicodedata
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from capswriter.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

TITLE = "CapsWriter dictation"
NAME = "capswriter-dictation"

UNWRITABLE = {"Cc", "Cs"}
"""Control characters, and what stands for bytes that are no text."""


class AutostartRefused(UserError):
    """It cannot be arranged that dictation starts by itself."""


@dataclass(frozen=True, slots=True)
class Entry:
    """What starts dictation at the next login.

    Args:
        kind: what it is, in words.
        place: the file or the registry's value.
    """

    kind: str
    place: str

    def __str__(self) -> str:
        return f"{self.kind} {self.place}"


def absolute(command: Sequence[str]) -> list[str]:
    """Give a command whose program is found from wherever it is started.

    Raises:
        AutostartRefused: there is no such program, or an argument cannot be written into a file.
    """
    if any(unicodedata.category(letter) in UNWRITABLE for part in command for letter in part):
        raise AutostartRefused(
            "the command for autostart has a character that cannot be written down"
        )
    program = shutil.which(command[0]) if command else None
    if program is None:
        raise AutostartRefused(f"there is no program {command[0] if command else ''!r} to start")
    # Not resolved: a virtual environment's Python is a link, and is told from others by its name.
    return [os.path.abspath(program), *command[1:]]  # noqa: PTH100


def write(path: Path, text: bytes) -> None:
    """Write a file in one go.

    Raises:
        AutostartRefused: it cannot be written.
    """
    with refusing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh = path.with_name(f"{path.name}.new")
        fresh.write_bytes(text)
        fresh.replace(path)


def unlink(path: Path) -> bool:
    """Remove a file; give whether there was one.

    Raises:
        AutostartRefused: it cannot be removed.
    """
    with refusing(path):
        try:
            path.unlink()
        except FileNotFoundError:
            return False
    return True


@contextmanager
def refusing(path: Path) -> Iterator[None]:
    """Say in one line what the system says of a file."""
    try:
        yield
    except OSError as error:
        raise AutostartRefused(f"{path} cannot be changed: {error.strerror or error}") from error
