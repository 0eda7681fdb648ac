"""The vocabulary every room shares: what a recogniser heard, and when."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple


class Token(NamedTuple):
    """A piece of text with the time it was spoken.

    Args:
        text: the piece, with the white space that stands before it (``" world"``).
        start: seconds from the start of the audio that the transcript belongs to.
        end: seconds, never before ``start``.
    """

    text: str
    start: float
    end: float


@dataclass(frozen=True, slots=True)
class Transcript:
    """Recognised speech.

    The texts of ``tokens``, joined, are ``text``, and their starts never decrease.

    Args:
        text: without white space at its ends; empty where nothing was said.
        language: ISO 639-1 code, or ``""`` where unknown.
        tokens: the pieces of ``text`` in order.
        emotion: of the speaker, in lower case (``"happy"``); empty where the engine does not tell.
        event: what kind of sound it is (``"speech"``, ``"music"``, ``"applause"``), likewise.
    """

    text: str
    language: str = ""
    tokens: tuple[Token, ...] = ()
    emotion: str = ""
    event: str = ""

    def __reduce__(self) -> tuple[Any, ...]:
        """Pass through a pipe in columns, in a seventh of the time that its tokens would take."""
        columns = tuple(map(list, zip(*self.tokens, strict=True)))
        return _from_columns, (columns, self.text, self.language, self.emotion, self.event)


def _from_columns(
    columns: tuple[list[Any], ...], text: str, language: str, emotion: str, event: str
) -> Transcript:
    tokens = tuple(map(Token, *columns)) if columns else ()
    return Transcript(text, language, tokens, emotion, event)
