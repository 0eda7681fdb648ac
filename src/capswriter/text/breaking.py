"""The runs of a text that no line may cut, and how good a place to break follows each."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import TYPE_CHECKING

from capswriter.text.characters import (
    LATIN_WIDTH,
    MARK,
    is_hiragana,
    is_spoken,
    kind,
    may_break,
    width,
)
from capswriter.text.pieces import display_pieces

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from capswriter.transcript import Token

PAUSE_S = 0.5
"""Silence between two words from which on it counts as a pause."""

_CLOSERS = r"[\"'”’»）)\]】」』》〉]*$"  # noqa: RUF001
_SENTENCE_END = re.compile(r"[.!?。．！？｡؟।]" + _CLOSERS)  # noqa: RUF001
_CLAUSE_END = re.compile(r"[,;:，、；：､،…—–]" + _CLOSERS)  # noqa: RUF001
_ABBREVIATION = re.compile(r"(?:^|\W)(?:Mr|Mrs|Ms|Dr|St|Prof|vs|No|(?:[A-Za-z]\.)+[A-Za-z])\.$")


class Seam(IntEnum):
    """What lies between one run and the next, the best place to break first."""

    SENTENCE = 0
    PAUSE = 1
    CLAUSE = 2
    PHRASE = 3
    """Where Japanese kana give way to another script: most often between two phrases."""
    WORD = 4
    INSIDE = 5
    """Inside a word too long for a line."""


@dataclass(frozen=True, slots=True)
class Run:
    """Text that stays on one line.

    Args:
        text: with the white space before it.
        start: of its first spoken piece, in seconds.
        end: of its last spoken piece, in seconds.
        seam: what follows it.
        width: of the text without white space at its ends, in tenths of a Latin character.
        space: width of the white space before it: one space's, or 0.
    """

    text: str
    start: float
    end: float
    seam: Seam
    width: int
    space: int


def shown(text: str) -> str:
    """``text`` on one line: white space as single spaces, none at the ends."""
    return " ".join(text.split())


def runs_of(tokens: Sequence[Token], *, widest: int | None = None) -> list[Run]:
    """Cut a text into runs.

    Args:
        tokens: in order, times in seconds.
        widest: a run wider than this is cut inside, in tenths of a Latin character; by default
            none is.
    """
    runs: list[Run] = []
    for group in _groups(display_pieces(tokens)):
        run = _run(group)
        runs.extend([run] if widest is None or run.width <= widest else _narrow(run, widest))
    for index in range(len(runs) - 1):
        if runs[index].seam is not Seam.INSIDE:
            runs[index] = replace(runs[index], seam=_seam(runs[index], runs[index + 1]))
    return runs


def _groups(pieces: Sequence[Token]) -> Iterator[list[Token]]:
    group: list[Token] = []
    last, space = "", ""
    for piece in pieces:
        if piece.text.isspace():
            space = piece.text
        else:
            if last and may_break(last, piece.text[0], spaced=bool(space)):
                # The space between two groups belongs to the later one.
                later = group[-1:] if space else []
                yield group[: len(group) - len(later)]
                group = later
            last, space = _last_character(piece.text), ""
        group.append(piece)
    if last:
        yield group


def _last_character(text: str) -> str:
    # A variation selector or an accent belongs to the character before it.
    return text[0] if kind(text[-1]) == MARK else text[-1]


def _run(group: Sequence[Token]) -> Run:
    text = "".join(piece.text for piece in group)
    timed = [piece for piece in group if is_spoken(piece.text)]
    # Punctuation may carry the time of the word after it, and would hide the pause between.
    timed = timed or [piece for piece in group if not piece.text.isspace()]
    space = LATIN_WIDTH if text[0].isspace() else 0
    return Run(text, timed[0].start, timed[-1].end, Seam.WORD, width(shown(text)), space)


def _narrow(run: Run, widest: int) -> Iterator[Run]:
    """Cut a run that no line can hold, and share its time out by width."""
    parts = [""]
    for char in run.text:
        if width(shown(parts[-1] + char)) > widest:
            parts.append("")
        parts[-1] += char
    whole = sum(width(shown(part)) for part in parts)
    passed = 0
    for index, part in enumerate(parts):
        start = run.start + (run.end - run.start) * passed / whole
        passed += width(shown(part))
        end = min(run.end, run.start + (run.end - run.start) * passed / whole)
        seam = run.seam if index == len(parts) - 1 else Seam.INSIDE
        space = LATIN_WIDTH if part[0].isspace() else 0
        yield Run(part, start, end, seam, width(shown(part)), space)


def _seam(run: Run, following: Run) -> Seam:
    text = run.text.rstrip()
    if _SENTENCE_END.search(text) and not _ABBREVIATION.search(text):
        return Seam.SENTENCE
    if following.start - run.end >= PAUSE_S:
        return Seam.PAUSE
    if _CLAUSE_END.search(text):
        return Seam.CLAUSE
    if is_hiragana(text[-1]) and not is_hiragana(following.text.lstrip()[0]):
        return Seam.PHRASE
    return Seam.WORD
