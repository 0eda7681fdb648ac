"""Words, single CJK characters, spaces and punctuation: the tokens that CapsWriter shows.

A recogniser's tokens follow its vocabulary: parts of words, phrases, a word with its comma.
CapsWriter's clients draw subtitles from finer and more regular pieces, each with its time.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from capswriter.text.characters import SPACE, SPOKEN, kinds
from capswriter.transcript import Token

if TYPE_CHECKING:
    from collections.abc import Sequence

Times: TypeAlias = npt.NDArray[np.float64]
"""Seconds."""

# Patterns over the kinds of characters (characters.py), not over the characters themselves.
_WORD = r"""
    (?:[wl]\.){2,}(?![wld])         # U.S., e.g.
  | [wld][wldm]*
    (?:
      (?: j                         # don't, well-known, AT&T
        | (?<=d)[.,](?=d)           # 3.14, 1,000, 12:30
        | \.(?=[ld])                # example.com, v2.5
      ) [wld][wldm]*
    )*
    (?:(?<=d)%)?                    # 50%
"""
_PIECE = re.compile(rf"s+ | cm* | {_WORD} | .m*", re.VERBOSE)

_IS_SPOKEN = np.array([chr(code) in SPOKEN for code in range(128)])


class Columns(NamedTuple):
    """Pieces of text, with the seconds at which they start and end."""

    texts: list[str]
    starts: list[float]
    ends: list[float]


def display_pieces(tokens: Sequence[Token]) -> tuple[Token, ...]:
    """Split tokens into words and CJK characters, with spaces and punctuation apart.

    Apostrophes, hyphens, decimals and a percent sign stay inside their word (``don't``,
    ``3.14``, ``50%``). The pieces' texts, joined, are the tokens' texts, joined; their starts
    never decrease; none ends after the next one starts.

    A token spreads its time evenly over its letters, digits and CJK characters; punctuation
    attached to a word takes none, so that it does not shift the words around it. White space
    has the time at which the piece after it starts, and no length.

    Args:
        tokens: in order; times in seconds. A token that runs into the next is cut there.
    """
    return tuple(map(Token, *columns_of_pieces(tokens)))


def columns_of_pieces(tokens: Sequence[Token]) -> Columns:
    """Do the same for who wants no tokens of it: making them takes two fifths of the time."""
    text = "".join([token.text for token in tokens])
    if not text:
        return Columns([], [], [])
    pattern = kinds(text)
    begins, ends = _times(tokens, pattern)
    stops = [match.end() for match in _PIECE.finditer(pattern)]
    firsts = [0, *stops[:-1]]
    starts, ends = begins[firsts], ends[np.array(stops) - 1]
    spaces = np.flatnonzero(_codes(pattern)[firsts] == ord(SPACE))
    if len(spaces) and spaces[-1] == len(firsts) - 1:
        starts[-1] = ends[-1]
        spaces = spaces[:-1]
    starts[spaces] = ends[spaces] = starts[spaces + 1]
    texts = [text[first:stop] for first, stop in zip(firsts, stops, strict=True)]
    return Columns(texts, starts.tolist(), ends.tolist())


def character_times(tokens: Sequence[Token]) -> tuple[Times, Times]:
    """Give each character its share of its token's time, as ``display_pieces`` says.

    Returns:
        float64[n] each: when the characters of all tokens begin, and when they end.
    """
    return _times(tokens, kinds("".join([token.text for token in tokens])))


def _times(tokens: Sequence[Token], pattern: str) -> tuple[Times, Times]:
    starts = np.maximum.accumulate([token.start for token in tokens])
    ends = np.maximum(starts, [token.end for token in tokens])
    ends[:-1] = np.minimum(ends[:-1], starts[1:])
    lengths = np.array([len(token.text) for token in tokens], np.intp)
    found = _codes(pattern)
    owner = np.repeat(np.arange(len(tokens)), lengths)
    spoken = _IS_SPOKEN[found]
    silent = np.bincount(owner, spoken, len(tokens)) == 0
    spoken |= silent[owner] & (found != ord(SPACE))
    counts = np.bincount(owner, spoken, len(tokens))
    share = ((ends - starts) / np.maximum(1, counts))[owner]
    until = np.cumsum(spoken) - np.repeat(np.cumsum(counts) - counts, lengths)
    latest, earliest = ends[owner], starts[owner]
    return (
        np.minimum(latest, earliest + (until - spoken) * share),
        np.minimum(latest, earliest + until * share),
    )


def _codes(pattern: str) -> npt.NDArray[np.uint8]:
    return np.frombuffer(pattern.encode(), np.uint8)
