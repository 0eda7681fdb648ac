"""FunASR's hotwords: words with weights, in one string, in any of the forms its clients use.

- ``{"阿里巴巴": 20}``, JSON within the string: html5, C++, Go, Android, C#; Java, with ``"20"``
- ``阿里巴巴,通义``: Python's client for files
- ``阿里巴巴 通义``: whoever has nothing but an input line
- ``阿里巴巴 20``, line by line: a hotword file as it is
"""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any

import orjson

if TYPE_CHECKING:
    from collections.abc import Iterable

DEFAULT_WEIGHT = 20.0
"""What FunASR's own examples give."""

MOST = 2_000
"""Words that are taken; the first ones."""

LONGEST = 200
"""Characters of a word that is taken."""

Hotwords = tuple[tuple[str, float], ...]

_BETWEEN = re.compile(r"[\n\r,，、]+")


class BadHotwords(Exception):
    """Hotwords in no known form."""


def parse_hotwords(sent: Any) -> Hotwords:
    """Read hotwords; a word that occurs twice counts once, with its last weight.

    Args:
        sent: a string in any of the forms, or the object or list that others put into one.

    Raises:
        BadHotwords: it is none of that.
    """
    if isinstance(sent, str):
        sent = sent.strip()
        if sent.startswith(("{", "[")):
            try:
                sent = orjson.loads(sent)
            except orjson.JSONDecodeError as error:
                raise BadHotwords(f"hotwords are no JSON: {error}") from error
    if isinstance(sent, str):
        return _first(_from_text(sent))
    if isinstance(sent, dict):
        return _first((word, _weight(weight)) for word, weight in sent.items())
    if isinstance(sent, list) and all(isinstance(word, str) for word in sent):
        return _first((word, DEFAULT_WEIGHT) for word in sent)
    raise BadHotwords(f"hotwords are {repr(sent)[:40]}, not words")


def _first(words: Iterable[tuple[str, float]]) -> Hotwords:
    found: dict[str, float] = {}
    for sent, weight in words:
        word = sent.strip()
        if 0 < len(word) <= LONGEST:
            found[word] = weight
        if len(found) == MOST:
            break
    return tuple(found.items())


def _from_text(text: str) -> Iterable[tuple[str, float]]:
    """Split at commas and line ends; where there are none, at white space."""
    phrases = [phrase for phrase in _BETWEEN.split(text, 2 * MOST) if phrase.strip()]
    if len(phrases) == 1:
        words = phrases[0].split(None, 2 * MOST)
        is_one_with_weight = len(words) == 2 and _number(words[1]) is not None  # noqa: PLR2004
        if not is_one_with_weight:
            return ((word, DEFAULT_WEIGHT) for word in words)
    return map(_with_weight, phrases)


def _with_weight(phrase: str) -> tuple[str, float]:
    """Take the number at the end of a line for its weight; what stands before may have spaces."""
    *before, last = phrase.rsplit(None, 1)
    weight = _number(last)
    if before and weight is not None:
        return before[0], weight
    return phrase, DEFAULT_WEIGHT


def _weight(sent: Any) -> float:
    if isinstance(sent, str):
        number = _number(sent)
        return DEFAULT_WEIGHT if number is None else number
    if isinstance(sent, bool) or not isinstance(sent, int | float):
        return DEFAULT_WEIGHT
    return float(sent)


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None
