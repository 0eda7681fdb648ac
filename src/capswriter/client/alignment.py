"""The times of one text, carried over to another that says the same in other characters.

CapsWriter before v2.5 sends the text with punctuation and digits, and tokens without. Both are
walked side by side, letter by letter; where they differ, the nearest place where they agree again
is taken. Letters without a partner (``2025`` for 二零二五) share the time between their neighbours.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from capswriter.text.characters import is_spoken
from capswriter.text.pieces import display_pieces
from capswriter.transcript import Token

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_LOOK = 24
"""Letters that one text may have more than the other before both agree again."""

_SURE = 2
"""Letters that must agree there."""


def aligned(text: str, tokens: Sequence[Token]) -> tuple[Token, ...]:
    """Return tokens that join to ``text``, with the times of ``tokens``; seconds.

    Takes linear time, unless the texts have little in common.
    """
    letters = [char.casefold() for char in text if is_spoken(char)]
    heard = list(_letters(tokens))
    times: list[tuple[float, float] | None] = [None] * len(letters)
    for index, partner in _pairs(letters, [letter for letter, _, _ in heard]):
        _, start, end = heard[partner]
        times[index] = (start, end)
    last = tokens[-1].end if tokens else 0.0
    return tuple(_timed(text, _filled(times, last)))


def _letters(tokens: Sequence[Token]) -> Iterator[tuple[str, float, float]]:
    for token in tokens:
        spoken = [char for char in token.text if is_spoken(char)]
        share = (token.end - token.start) / max(1, len(spoken))
        for index, char in enumerate(spoken):
            start = token.start + index * share
            yield char.casefold(), start, start + share


def _pairs(left: Sequence[str], right: Sequence[str]) -> Iterator[tuple[int, int]]:
    i = j = 0
    while i < len(left) and j < len(right):
        if left[i] == right[j]:
            yield i, j
            i, j = i + 1, j + 1
        else:
            skip = _agreement(left[i : i + _LOOK + _SURE], right[j : j + _LOOK + _SURE])
            i, j = i + skip[0], j + skip[1]


def _agreement(left: Sequence[str], right: Sequence[str]) -> tuple[int, int]:
    for distance in range(1, _LOOK + 1):
        # The most even way first: replaced letters are commoner than lost ones.
        for i in sorted(range(distance + 1), key=lambda i: abs(2 * i - distance)):
            ours, theirs = left[i : i + _SURE], right[distance - i : distance - i + _SURE]
            if ours and ours == theirs:
                return i, distance - i
    return 1, 1


def _filled(times: Sequence[tuple[float, float] | None], last: float) -> list[tuple[float, float]]:
    filled: list[tuple[float, float]] = []
    now = 0.0
    waiting = 0
    for time in [*times, (last, last)]:
        if time is None:
            waiting += 1
            continue
        start = max(now, time[0])
        share = (start - now) / max(1, waiting)
        filled += [(now + k * share, now + (k + 1) * share) for k in range(waiting)]
        now, waiting = max(start, time[1]), 0
        filled.append((start, now))
    return filled[:-1]


def _timed(text: str, times: Sequence[tuple[float, float]]) -> Iterator[Token]:
    passed = 0
    now = 0.0
    space = ""
    for piece in display_pieces([Token(text, 0.0, 0.0)]):
        if piece.text.isspace():
            space += piece.text
            continue
        count = sum(map(is_spoken, piece.text))
        start, end = now, now
        if count:
            start, end = times[passed][0], times[passed + count - 1][1]
        passed += count
        now = end
        yield Token(space + piece.text, start, end)
        space = ""
