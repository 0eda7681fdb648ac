"""Tokens with ends from the parallel lists of texts and starts that CapsWriter's servers send."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from capswriter.text.characters import DIGIT, LETTER, LOWER, is_spoken, kind
from capswriter.transcript import Token

if TYPE_CHECKING:
    from collections.abc import Sequence

LONGEST_PIECE_S = 1.0
"""No piece is taken to last longer: what follows it is silence."""

_FIRST_LETTER_S = 0.4  # a CJK character in slow speech
_LETTER_S = 0.06
_CONTINUED = "@@"
_WORD_KINDS = frozenset({DIGIT, LETTER, LOWER})


@dataclass(slots=True)
class _Word:
    text: str
    start: float
    last_text: str  # the part of the word that was heard last, and when
    last_start: float


def tokens_from_wire(
    texts: Sequence[str], starts: Sequence[float], duration: float
) -> tuple[Token, ...]:
    """Build tokens from a CapsWriter server's ``tokens`` and ``timestamps``, any version.

    Up to v2.5-alpha the pieces are those of a byte-pair vocabulary, ``@@`` at the end of one
    that the next continues, and no spaces; from v2.5 on they are words and CJK characters,
    with spaces and punctuation of their own. A list without any white space gets a space
    between two neighbouring Latin words, unless all its pieces are single characters (which
    is how v2.5 sends a text whose times it does not know).

    The wire has no ends. A piece is taken to end where the next one starts, at most
    ``LONGEST_PIECE_S`` after its own start and less for short ones, so that pauses stay
    visible; the last one ends within ``duration``. Punctuation has no length.

    Args:
        texts: ``tokens`` of the reply.
        starts: ``timestamps`` of the reply, in seconds; one that goes backwards is taken to be
            the one before it.
        duration: of the audio, in seconds. Old servers give less than the last start in a
            partial reply; the last token then has no length.

    Raises:
        ValueError: the lists differ in length.
    """
    words = _words(texts, starts)
    tokens: list[Token] = []
    following = latest = max(duration, words[-1].last_start) if words else duration
    for word in reversed(words):
        if word.start < following:
            # Pieces that share a start end together, where the time moves on.
            latest = following
        following = word.start
        end = word.start
        if is_spoken(word.text):
            heard = _FIRST_LETTER_S + _LETTER_S * (len(word.last_text) - 1)
            end = min(latest, word.last_start + min(heard, LONGEST_PIECE_S))
        tokens.append(Token(word.text, word.start, max(word.start, end)))
    return tuple(reversed(tokens))


def _words(texts: Sequence[str], starts: Sequence[float]) -> list[_Word]:
    if len(texts) != len(starts):
        raise ValueError(f"{len(texts)} tokens came with {len(starts)} timestamps")
    spaces_missing = (
        not any(char.isspace() for text in texts for char in text)
        and max(map(len, texts), default=0) > 1
    )
    words: list[_Word] = []
    space = ""
    continues = False
    now = 0.0
    for piece, start in zip(texts, starts, strict=True):
        now = max(now, start)
        text = piece
        continued = len(text) > len(_CONTINUED) and text.endswith(_CONTINUED)
        if continued:
            text = text[: -len(_CONTINUED)]
        if not text.strip():
            space += text
            continue
        text = (space + text) if words else text.lstrip()
        space = ""
        if continues and not text[0].isspace():
            words[-1].text += text
            words[-1].last_text, words[-1].last_start = text, now
        else:
            if spaces_missing and words and _are_words(words[-1].text[-1], text[0]):
                text = " " + text
            words.append(_Word(text, now, text.strip(), now))
        continues = continued
    if words:
        words[-1].text = words[-1].text.rstrip()
    return words


def _are_words(left: str, right: str) -> bool:
    return kind(left) in _WORD_KINDS and kind(right) in _WORD_KINDS
