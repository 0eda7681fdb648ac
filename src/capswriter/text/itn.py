"""Inverse text normalisation: numbers that an engine wrote as they were spoken, in digits."""

from __future__ import annotations

from typing import TYPE_CHECKING

from capswriter.text.chinese_itn import chinese_edits
from capswriter.text.english_itn import english_edits

if TYPE_CHECKING:
    from capswriter.text.edits import Edit

LANGUAGES = frozenset({"zh", "yue", "en", ""})
"""Those whose numbers are known; the last is for text whose language nobody knows."""


def number_edits(sentence: str) -> list[Edit]:
    """Find what to write differently in a sentence of Chinese, English or both.

    Args:
        sentence: without kana: the same characters count otherwise in Japanese.
    """
    edits = [*chinese_edits(sentence), *english_edits(sentence)]
    return sorted(edits, key=lambda edit: edit.first)


def normalised(text: str) -> str:
    """Write the numbers of a text in digits."""
    pieces, place = [], 0
    for edit in number_edits(text):
        pieces += [text[place : edit.first], edit.text]
        place = edit.stop
    return "".join([*pieces, text[place:]])
