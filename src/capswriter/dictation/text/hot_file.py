"""Hotwords as they stand in ``hot.txt``: ``word | alias | alias ~~~ excluded | excluded``.

The format is CapsWriter's. A line begins with what is to be written, followed by what may be heard
instead of it. Behind ``~~~`` stand words near which it is left alone. A line that begins with
``~~~`` names phrases in which nothing is changed at all.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from capswriter.dictation.text.units import units_of

if TYPE_CHECKING:
    from collections.abc import Iterable

EXCLUDED = "~~~"


@dataclass(frozen=True, slots=True)
class Hotword:
    """What one line asks for.

    Attributes:
        word: what is written.
        aliases: what may be heard instead of it.
        excluded: what forbids the change when it stands near, in folded case.
    """

    word: str
    aliases: tuple[str, ...] = ()
    excluded: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class HotFile:
    """What a file asks for, and what in it cannot be used: line number and reason."""

    hotwords: tuple[Hotword, ...]
    protected: tuple[str, ...]
    broken: tuple[tuple[int, str], ...]


def parse_hotwords(lines: Iterable[str]) -> HotFile:
    """Read the lines of ``hot.txt``; a line that cannot be used costs itself alone."""
    hotwords: list[Hotword] = []
    protected: list[str] = []
    broken: list[tuple[int, str]] = []
    for number, line in enumerate(lines, start=1):
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        heard, _, forbidding = text.partition(EXCLUDED)
        excluded = tuple(part.casefold() for part in _parts(forbidding))
        if not heard.strip():
            protected += excluded
            if not excluded:
                broken.append((number, f"nothing stands behind {EXCLUDED}"))
            continue
        word = heard.split("|", 1)[0].strip()
        aliases = tuple(_parts(heard.partition("|")[2]))
        reason = _why_unusable(word, aliases)
        if reason:
            broken.append((number, reason))
        else:
            hotwords.append(Hotword(word, aliases, excluded))
    return HotFile(tuple(hotwords), tuple(protected), tuple(broken))


def _parts(text: str) -> list[str]:
    return [part.strip() for part in text.split("|") if part.strip()]


def _why_unusable(word: str, aliases: tuple[str, ...]) -> str:
    if not word:
        return "nothing stands before the first |, where the word to write belongs"
    if not any(units_of(form) for form in (word, *aliases)):
        return f"nothing in {word!r} can be heard: it has no letter and no character"
    for alias in aliases:
        if _letters(alias) < 2:  # noqa: PLR2004
            return f"the alias {alias!r} is too short to be told from other text"
    return ""


def _letters(text: str) -> int:
    return sum(len(unit.text) for unit in units_of(text))
