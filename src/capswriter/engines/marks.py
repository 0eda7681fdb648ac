"""Setting punctuation marks into a text: which words may carry one, and how wide it is.

A mark goes behind the last character of a word, and nothing else is changed: without the marks, the
text is what it was, white space too. Three rules, where FunASR has none:

* A mark stands only where a word ends. A network that takes each character outside ASCII for a word
  would put it into ``café`` and ``don’t``.
* No mark stands beside punctuation that the text has already, or behind an opening bracket.
* A mark is half as wide (``,`` for ``，``) in a sentence without a CJK character, unless one
  follows it without a space: ``Is it you? Yes.``, but ``用 Python，不用 Java。`` and ``OK？好。``.
  FunASR's ONNX runtime sets all of them full-width; its torch runtime looks at the one word before,
  and so mixes both in one sentence.
"""
# ruff: noqa: RUF001, RUF002  # the marks that look alike are this module's subject

from __future__ import annotations

import re
import unicodedata
from itertools import accumulate
from typing import TYPE_CHECKING

from capswriter.text.characters import CJK, kind
from capswriter.text.pieces import display_pieces
from capswriter.transcript import Token

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

ENDING = frozenset("。？！")
"""The marks that end a sentence."""

HALF_WIDTH = {"，": ",", "。": ".", "？": "?", "！": "!", "、": ",", "；": ";", "：": ":"}

FULL_WIDTH = {",": "，", "?": "？", "!": "！"}
"""How labels of models are meant that are written half-width."""

_PRESENT = frozenset("，。？！、；：…,.?!;:")
_OPENING = frozenset({"Ps", "Pi"})

_WORD = re.compile(r"[^\s\x80-\U0010ffff]+|[^\s\x00-\x7f]")


def words_of(text: str) -> tuple[list[str], list[int]]:
    """Split a text as FunASR does: runs of ASCII without white space, single other characters.

    Returns:
        The words, and for each the number of characters of ``text`` up to its end.
    """
    found = list(_WORD.finditer(text))
    return [match.group() for match in found], [match.end() for match in found]


def punctuated(
    tokens: Sequence[Token], ends: Sequence[int], marks: Sequence[str]
) -> tuple[Token, ...]:
    """Put marks behind words.

    Args:
        tokens: of a transcript, in order.
        ends: of each word, in characters of the tokens' joined texts, increasing.
        marks: of each word, full-width; empty where it has none.

    Returns:
        As many tokens, with the times they had.
    """
    text = "".join(token.text for token in tokens)
    wanted = [(end, mark) for end, mark in zip(ends, marks, strict=True) if mark]
    return tuple(_inserted(tokens, _typeset(text, _placed(text, wanted))))


def _placed(text: str, wanted: Iterable[tuple[int, str]]) -> list[tuple[int, str]]:
    pieces = display_pieces([Token(text, 0.0, 0.0)])
    borders = set(accumulate(len(piece.text) for piece in pieces))
    return [(end, mark) for end, mark in wanted if end in borders and _may_carry(text, end)]


def _may_carry(text: str, end: int) -> bool:
    before = text[end - 1]
    if before in _PRESENT or unicodedata.category(before) in _OPENING:
        return False
    following = text[end : end + 64].lstrip()[:1]
    return following not in _PRESENT


def _typeset(text: str, marks: Sequence[tuple[int, str]]) -> Iterator[tuple[int, str]]:
    start = 0
    sentence: list[tuple[int, str]] = []
    for end, mark in marks:
        sentence.append((end, mark))
        if mark in ENDING:
            yield from _widths(text, start, end, sentence)
            start, sentence = end, []
    yield from _widths(text, start, len(text), sentence)


def _widths(
    text: str, start: int, stop: int, marks: Iterable[tuple[int, str]]
) -> Iterator[tuple[int, str]]:
    wide = _has_cjk(text[start:stop])
    for end, mark in marks:
        full = wide or _has_cjk(text[end : end + 1])
        yield end, mark if full else HALF_WIDTH.get(mark, mark)


def _has_cjk(text: str) -> bool:
    return any(kind(char) == CJK for char in text)


def _inserted(tokens: Iterable[Token], marks: Iterator[tuple[int, str]]) -> Iterator[Token]:
    end, mark = next(marks, (0, ""))
    start = 0
    for token in tokens:
        stop = start + len(token.text)
        text, done = "", start
        while mark and end <= stop:
            text += token.text[done - start : end - start] + mark
            done = end
            end, mark = next(marks, (0, ""))
        yield Token(text + token.text[done - start :], token.start, token.end) if text else token
        start = stop
