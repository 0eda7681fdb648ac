"""A text as what is heard: Chinese characters, words in Latin letters and numbers, with places."""

from __future__ import annotations

import re
from dataclasses import dataclass

HAN, LATIN, DIGITS = "han", "latin", "digits"

_UNIT = re.compile(
    r"(?P<han>[\u3007\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff])"
    r"|(?P<latin>[A-Za-z\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u024f]+)|(?P<digits>[0-9]+)"
)


@dataclass(frozen=True, slots=True)
class Unit:
    """One character of Chinese, one word, or one number.

    Attributes:
        kind: ``HAN``, ``LATIN`` or ``DIGITS``.
        text: in folded case.
        start: where it begins in the text.
        end: where it ends.
    """

    kind: str
    text: str
    start: int
    end: int


def units_of(text: str) -> list[Unit]:
    """Split a text; punctuation and spaces belong to no unit."""
    return [
        Unit(match.lastgroup or HAN, match[0].casefold(), *match.span())
        for match in _UNIT.finditer(text)
    ]
