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


@dataclass(frozen=True, slots=True)
class Growth:
    """What may be appended to the open sentence.

    Args:
        text: of the increment.
        words: of the sentence with it.
    """

    text: str
    words: tuple[str, ...]


class Increments:
    """How the text of the open sentence grows for a client that appends what it is told.

    Guesses revise capitals and punctuation all the time. Words that are the same but for those are
    taken for told.

    Args:
        for_good: nothing will ever replace what was told, so that two guesses have to agree on it;
            otherwise the sentence replaces it, and the newest guess will do.
    """

    def __init__(self, *, for_good: bool) -> None:
        self._for_good = for_good
        self._guess: tuple[str, ...] = ()
        self._told: tuple[str, ...] = ()
        self._before = ""  # the last character of the sentences before

    def reached(self, tokens: Sequence[Token]) -> Growth | None:
        """Give what a new guess adds to what was told; None where it does not extend it.

        What it has after its last word is left out: an engine puts a full stop wherever it stops.
        """
        guess = _Words.of(tokens)
        agreed = _common(self._guess, guess.words) if self._for_good else guess.words
        self._guess = guess.words
        told = len(self._told)
        if len(agreed) <= told or agreed[:told] != self._told:
            return None
        text = guess.between(told, len(agreed))
        return Growth(text if told else self._joined(text.lstrip()), agreed)

    def tell(self, growth: Growth) -> str:
        """Take an increment for told, and give its text."""
        self._told = growth.words
        return growth.text

    def close(self, text: str) -> str:
        """End the sentence; give what is to be appended where nothing can be replaced."""
        rest = _rest(self._told, _Words.of([Token(text, 0, 0)]))
        self._told = self._guess = ()
        self._before = text[-1:] or self._before
        return rest

    def _joined(self, text: str) -> str:
        """Put the space before it that the sentence is going to have."""
        if not (self._before and text) or self._before.isspace():
            return text
        return text if width(self._before + text[0]) > 2 * LATIN_WIDTH else " " + text


@dataclass(frozen=True, slots=True)
class _Words:
    """A text and its words, without capitals and punctuation."""

    pieces: tuple[str, ...]
    places: tuple[int, ...]
    words: tuple[str, ...]

    @classmethod
    def of(cls, tokens: Sequence[Token]) -> _Words:
        pieces = tuple(piece.text for piece in display_pieces(tokens))
        places = tuple(place for place, piece in enumerate(pieces) if is_spoken(piece))
        return cls(pieces, places, tuple(pieces[place].casefold() for place in places))

    def between(self, told: int, until: int | None = None) -> str:
        """Give the text after so many words, up to another or to its end."""
        start = self.places[told - 1] + 1 if told else 0
        stop = None if until is None else self.places[until - 1] + 1
        return "".join(self.pieces[start:stop])


def _common(before: Sequence[str], now: Sequence[str]) -> tuple[str, ...]:
    same = takewhile(lambda pair: pair[0] == pair[1], zip(before, now, strict=False))
    return tuple(word for word, _ in same)


def _rest(told: Sequence[str], sentence: _Words) -> str:
    """Give what a sentence has after that which was told, though it may have read otherwise.

    The last words that both have in common tell where in the sentence the client is.
    """
    reached = len(told)
    if sentence.words[:reached] != told:
        matcher = SequenceMatcher(None, told, sentence.words, autojunk=False)
        *blocks, _ = matcher.get_matching_blocks()
        if blocks:
            reached = blocks[-1].b + len(told) - blocks[-1].a
    return sentence.between(reached) if reached <= len(sentence.words) else ""


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
