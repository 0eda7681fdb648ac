"""Words, single CJK characters, spaces and punctuation: the tokens that CapsWriter shows.

A recogniser's tokens follow its vocabulary: parts of words, phrases, a word with its comma.
CapsWriter's clients draw subtitles from finer and more regular pieces, each with its time.
"""

from __future__ import annotations

import re
from itertools import accumulate
from typing import TYPE_CHECKING

from capswriter.text.characters import SPACE, SPOKEN, kind
from capswriter.transcript import Token

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

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
    text = "".join(token.text for token in tokens)
    times = list(character_times(tokens))
    kinds = "".join(map(kind, text))
    pieces: list[Token] = []
    for match in _PIECE.finditer(kinds):
        first, stop = match.span()
        start, end = times[first][0], times[stop - 1][1]
        if kinds[first] == SPACE:
            start = end = times[stop][0] if stop < len(times) else end
        pieces.append(Token(text[first:stop], start, end))
    return tuple(pieces)


def character_times(tokens: Sequence[Token]) -> Iterator[tuple[float, float]]:
    """Give each character its share of its token's time, as ``display_pieces`` says."""
    starts = list(accumulate((token.start for token in tokens), max))
    for index, token in enumerate(tokens):
        start = starts[index]
        end = max(start, token.end)
        if index + 1 < len(starts):
            end = min(end, starts[index + 1])
        shares = [kind(char) in SPOKEN for char in token.text]
        if not any(shares):
            shares = [kind(char) != SPACE for char in token.text]
        share = (end - start) / max(1, sum(shares))
        passed = 0
        for takes_time in shares:
            begin = min(end, start + passed * share)
            passed += takes_time
            yield begin, min(end, start + passed * share)
