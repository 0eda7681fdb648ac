"""What FunASR's clients are told of a text: its times, its sentences, and how it grows."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import takewhile
from typing import TYPE_CHECKING

from capswriter.protocols.funasr import Sentence
from capswriter.text.characters import LATIN_WIDTH, is_spoken, width
from capswriter.text.pieces import display_pieces
from capswriter.transcript import Token

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_ENDS = frozenset("，。？！、；：…,.?!;:")  # noqa: RUF001  # Chinese punctuation is meant
"""Punctuation after which FunASR's own server begins another sentence: commas, too."""


@dataclass(frozen=True, slots=True)
class Written:
    """A text as it is told.

    Args:
        text: with the space before it that separates it from what was told before.
        times: start and end of each character or word, in ms.
        sentences: with their times.
    """

    text: str
    times: Sequence[tuple[int, int]] = ()
    sentences: Sequence[Sentence] = ()


def write(tokens: Sequence[Token]) -> Written:
    """Write a text; one of hours takes long enough for a thread."""
    pieces = display_pieces(tokens)
    times = [_milliseconds(piece) for piece in pieces if is_spoken(piece.text)]
    return Written("".join(piece.text for piece in pieces), times, _sentences(pieces))


class Increments:
    """How the text of the open sentence grows for a client that appends what it is told.

    Args:
        for_good: nothing will ever replace what was told, so that two guesses have to agree on it;
            otherwise the sentence replaces it, and the newest guess will do.
    """

    def __init__(self, *, for_good: bool) -> None:
        self._for_good = for_good
        self._guess: list[str] = []
        self._told = ""
        self._before = ""  # the last character of the sentences before

    def reached(self, tokens: Sequence[Token]) -> str:
        """Give what the open sentence has grown to by a new guess; nothing where it has not.

        What a guess has after its last word is left out: the full stop that an engine puts there
        is no end, and would keep the next guess from being a longer one.
        """
        guess = [piece.text for piece in display_pieces(tokens)]
        agreed = _common(self._guess, guess) if self._for_good else guess
        self._guess = guess
        while agreed and not is_spoken(agreed[-1]):
            agreed = agreed[:-1]
        text = self._joined("".join(agreed).lstrip())
        return text if len(text) > len(self._told) and text.startswith(self._told) else ""

    def tell(self, text: str) -> str:
        """Give what is to be appended for the sentence to read so, and take it for told."""
        increment = text[len(self._told) :]
        self._told = text
        return increment

    def close(self, text: str) -> str:
        """End the sentence; give what is to be appended where nothing can be replaced."""
        rest = _rest(self._told, text)
        self._told, self._guess = "", []
        self._before = text[-1:] or self._before
        return rest

    def _joined(self, text: str) -> str:
        """Put the space before it that the sentence is going to have."""
        if not (self._before and text) or self._before.isspace():
            return text
        return text if width(self._before + text[0]) > 2 * LATIN_WIDTH else " " + text


def _common(before: Sequence[str], now: Sequence[str]) -> list[str]:
    same = takewhile(lambda pair: pair[0] == pair[1], zip(before, now, strict=False))
    return [piece for piece, _ in same]


def _rest(told: str, text: str) -> str:
    """Give what a text has after that which was told, though it may have read otherwise.

    The last words that both have in common tell where in the text the client is.
    """
    if text.startswith(told):
        return text[len(told) :]
    pieces = [piece.text for piece in display_pieces([Token(text, 0, 0)])]
    places = [place for place, piece in enumerate(pieces) if is_spoken(piece)]
    words = [pieces[place].casefold() for place in places]
    heard = [
        piece.text.casefold()
        for piece in display_pieces([Token(told, 0, 0)])
        if is_spoken(piece.text)
    ]
    *blocks, _ = SequenceMatcher(None, heard, words, autojunk=False).get_matching_blocks()
    reached = len(heard)
    if blocks:
        reached = blocks[-1].b + len(heard) - blocks[-1].a
    if not 0 < reached <= len(places):
        return "" if reached else text
    return "".join(pieces[places[reached - 1] + 1 :])


def _sentences(pieces: Iterable[Token]) -> list[Sentence]:
    sentences: list[Sentence] = []
    words: list[Token] = []
    for piece in pieces:
        if is_spoken(piece.text):
            words.append(piece)
        elif words and piece.text in _ENDS:
            sentences.append(_sentence(words, piece.text))
            words = []
    if words:
        sentences.append(_sentence(words, ""))
    return sentences


def _sentence(words: Sequence[Token], punctuation: str) -> Sentence:
    times = [_milliseconds(word) for word in words]
    texts = [word.text for word in words]
    return Sentence(texts, punctuation, times[0][0], times[-1][1], times)


def _milliseconds(piece: Token) -> tuple[int, int]:
    return round(piece.start * 1000), round(piece.end * 1000)
