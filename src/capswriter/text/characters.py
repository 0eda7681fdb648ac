"""Kinds and widths of single characters, and where a line may break between two of them."""
# ruff: noqa: RUF001  # the characters that look alike are this module's subject

from __future__ import annotations

import unicodedata
from functools import lru_cache

LATIN_WIDTH = 10
"""Width of a narrow character; 42 of them fill a line of subtitles."""
WIDE_WIDTH = 21
"""Width of a CJK character; 20 of them fill the same line."""

SPACE, CJK, DIGIT, LOWER, LETTER, MARK = "s", "c", "d", "l", "w", "m"
JOINER, POINT, SEPARATOR, PERCENT, OTHER = "j", ".", ",", "%", "p"
SPOKEN = frozenset({CJK, DIGIT, LOWER, LETTER, PERCENT})
"""The kinds that take time to say."""

_FIRST_PLANE = 0xFFFF

_CJK_RANGES = (
    (0x2E80, 0x2FDF),  # radicals
    (0x3005, 0x312F),  # ideographic marks, kana, bopomofo
    (0x31A0, 0x31FF),  # bopomofo and kana extensions
    (0x3400, 0x4DBF),  # ideographs, extension A
    (0x4E00, 0x9FFF),  # ideographs
    (0xF900, 0xFAFF),  # compatibility ideographs
    (0xFF66, 0xFF9F),  # half-width katakana
    (0x1AFF0, 0x1B16F),  # kana supplement and extensions
    (0x20000, 0x3FFFF),  # ideographs, extensions B and on
)
_BY_CHARACTER = {
    **dict.fromkeys("'’‘-‐‑&", JOINER),
    **dict.fromkeys(".．", POINT),
    **dict.fromkeys(",:/", SEPARATOR),
    **dict.fromkeys("%‰°％", PERCENT),
    "_": LETTER,
}
_NEVER_FIRST = frozenset(
    "ーｰ々〻ゝゞヽヾ〜～ぁぃぅぇぉっゃゅょゎゕゖァィゥェォッャュョヮヵヶ%％‰°℃"
)
_NEVER_LAST = frozenset("\"'$£€¥￥#＃@＠")
_NEVER_FIRST_AFTER_SPACE = frozenset(",.!?;:)]}%，。、．！？；：）］】」』》〉…％")


@lru_cache(maxsize=16_384)
def kind(char: str) -> str:
    """The kind of a character, one letter: a text's kinds are a string to match patterns on."""
    if char.isspace():
        return SPACE
    if char in _BY_CHARACTER:
        return _BY_CHARACTER[char]
    category = unicodedata.category(char)
    if category[0] == "M" or category == "Cf":
        return MARK
    if category[0] not in "LN":
        return OTHER
    return _kind_of_letter(char, category)


class _Kinds(dict[int, str]):
    """The kinds of characters for ``str.translate``; those of the first plane are kept."""

    def __missing__(self, code: int) -> str:
        found = kind(chr(code))
        if code <= _FIRST_PLANE:
            self[code] = found
        return found


_KINDS = _Kinds()


def kinds(text: str) -> str:
    """The kind of each character."""
    return text.translate(_KINDS)


def _kind_of_letter(char: str, category: str) -> str:
    code = ord(char)
    if any(low <= code <= high for low, high in _CJK_RANGES):
        return CJK
    if category == "Nd":
        return DIGIT
    return LOWER if char.islower() else LETTER


@lru_cache(maxsize=16_384)
def _character_width(char: str) -> int:
    if kind(char) == MARK:
        return 0
    return WIDE_WIDTH if _is_wide(char) else LATIN_WIDTH


def width(text: str) -> int:
    """Width of ``text`` on the screen, in tenths of a Latin character."""
    return sum(map(_character_width, text))


def is_spoken(text: str) -> bool:
    """Whether anything in ``text`` takes time to say: not punctuation and space alone."""
    return any(kind(char) in SPOKEN for char in text)


def may_break(left: str, right: str, *, spaced: bool) -> bool:
    """Whether a line may end between two characters.

    White space is a border, except before a mark that closes something (French sets a space
    there). Without it, only CJK text breaks, by the common rules of its typesetting: no closing
    mark, small kana or lengthening mark begins a line, no opening mark ends one, and a word in
    katakana stays whole.

    Args:
        left: the last character before the border that is not white space.
        right: the first character after the border that is not white space.
        spaced: whether there is white space between them.
    """
    if spaced:
        return right not in _NEVER_FIRST_AFTER_SPACE
    if not (_is_wide(left) or _is_wide(right)):
        return False
    if right in _NEVER_FIRST or unicodedata.category(right) in {"Pe", "Pf", "Po"}:
        return False
    if left in _NEVER_LAST or unicodedata.category(left) in {"Ps", "Pi"}:
        return False
    return not (is_katakana(left) and is_katakana(right))


def is_katakana(char: str) -> bool:
    """Whether ``char`` is katakana, full or half width, or its lengthening mark."""
    return "\u30a1" <= char <= "\u30fa" or char in "ーヽヾ" or "\uff66" <= char <= "\uff9f"


def is_hiragana(char: str) -> bool:
    """Whether ``char`` is hiragana."""
    return "\u3041" <= char <= "\u309f"


def _is_wide(char: str) -> bool:
    return unicodedata.east_asian_width(char) in {"W", "F"}
