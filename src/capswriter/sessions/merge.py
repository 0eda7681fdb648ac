"""One transcript from those of the segments: times of the stream, nothing lost or doubled at cuts.

Segments that were cut in silence follow each other. Where a cut was forced, both sides have heard
the same ``overlap`` seconds, and the seam is put inside them: in the middle of the longest run of
words that both heard at about the same time, else at the middle of the overlap. Nothing outside the
overlap is ever compared, so a phrase that is said twice stays said twice.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from capswriter.audio import SAMPLE_RATE
from capswriter.text.characters import LATIN_WIDTH, width
from capswriter.transcript import Token, Transcript

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from capswriter.audio.segment import Segment

SAME_TIME = 0.8
"""Seconds by which two runs of an engine may place the same word differently."""


class Merger:
    """Joins transcripts in the order of their segments; what it has given is never revised."""

    def __init__(self) -> None:
        self._held: list[Token] = []  # heard where the next segment listens again
        self._latest = 0.0
        self._last_character = ""

    def add(self, segment: Segment, transcript: Transcript) -> tuple[Token, ...]:
        """Take the next segment's transcript; give the tokens that are now certain.

        Args:
            segment: follows the one added last.
            transcript: with times from the first of ``segment.samples``.

        Returns:
            Tokens with times in seconds from the start of the stream, which never run backwards.
        """
        first = (segment.start - segment.lead) / SAMPLE_RATE
        end = segment.end / SAMPLE_RATE
        fresh = [
            Token(text, min(first + begun, end), min(first + ended, end))
            for text, begun, ended in transcript.tokens
        ]
        held = self._held
        run = None
        if segment.lead:
            again_until = segment.start / SAMPLE_RATE
            repeated = [token for token in fresh if token.start < again_until]
            run = _longest_common_run(held, repeated)
            if held and repeated:
                held, fresh = _sewn(held, fresh, run, middle=(first + again_until) / 2)
        if fresh and run is None:  # after a common word, it has the space that belongs there
            before = held[-1].text[-1:] if held else self._last_character
            fresh[0] = _spaced(before, fresh[0])
        repeated_from = (segment.end - segment.tail) / SAMPLE_RATE
        keep = len(fresh)
        while segment.tail and keep and fresh[keep - 1].end > repeated_from:
            keep -= 1
        self._held = fresh[keep:]
        return self._settle(held + fresh[:keep])

    def finish(self) -> tuple[Token, ...]:
        """Give what was held back for a segment that did not come."""
        held, self._held = self._held, []
        return self._settle(held)

    def _settle(self, tokens: Iterable[Token]) -> tuple[Token, ...]:
        settled = []
        for token in tokens:
            text, start, end = token
            if self._last_character and self._latest <= start <= end:
                settled.append(token)
            else:
                text = text if self._last_character else text.lstrip()
                start = max(self._latest, start)
                settled.append(Token(text, start, max(start, end)))
            self._latest = start
            self._last_character = text[-1:] or self._last_character
        return tuple(settled)


def _spaced(before: str, token: Token) -> Token:
    """Put a space between two segments where the script has spaces between words."""
    after = token.text[:1]
    if before.isspace() or after.isspace() or width(before + after) > 2 * LATIN_WIDTH:
        return token
    return Token(" " + token.text, token.start, token.end)


def _sewn(
    left: Sequence[Token],
    right: Sequence[Token],
    run: tuple[int, int, int] | None,
    *,
    middle: float,
) -> tuple[list[Token], list[Token]]:
    """Cut two hearings, in a run of common words or in the middle, so that each word stays once."""
    if run is not None:
        in_left, in_right, length = run
        half = (length + 1) // 2
        return list(left[: in_left + half]), list(right[in_right + half :])
    return (
        [token for token in left if _centre(token) < middle],
        [token for token in right if _centre(token) >= middle],
    )


def _longest_common_run(
    left: Sequence[Token], right: Sequence[Token]
) -> tuple[int, int, int] | None:
    """Find the longest run of equal words at about equal times: places in both, and length.

    Of equally long ones, as in "no, no, no", it is the one whose times agree best.
    """
    best: tuple[int, int, int] | None = None
    shift = math.inf
    for i in range(len(left)):
        for j in range(len(right)):
            length = 0
            while (
                i + length < len(left)
                and j + length < len(right)
                and _same(left[i + length], right[j + length])
            ):
                length += 1
            if length and (best is None or length >= best[2]):
                distance = abs(_centre(left[i]) - _centre(right[j]))
                if best is None or length > best[2] or distance < shift:
                    best, shift = (i, j, length), distance
    return best


def _same(one: Token, other: Token) -> bool:
    word = _word(one)
    return bool(word) and word == _word(other) and abs(_centre(one) - _centre(other)) <= SAME_TIME


def _word(token: Token) -> str:
    return "".join(char for char in token.text.casefold() if char.isalnum())


def _centre(token: Token) -> float:
    return (token.start + token.end) / 2
