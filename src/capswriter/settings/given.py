"""A value somebody gave to a setting, and where."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Given:
    """A value for a key, before it is known whether it is allowed.

    Attributes:
        value: as it was written.
        origin: where it came from, for the eye: ``config.py:12``, ``environment CAPSWRITER_PORT``.
        label: the origin with the name the user wrote there; a refusal starts with it.
    """

    value: object
    origin: str
    label: str


def shown(path: Path, directory: Path) -> str:
    """Write a path the way the user would from ``directory``: relative if it lies inside."""
    path, directory = Path(path).absolute(), directory.absolute()
    return str(path.relative_to(directory) if path.is_relative_to(directory) else path)
