"""Spaces between Chinese characters and Latin letters: 用Python写 is set as 用 Python 写.

Only letters get one, as CapsWriter's users know it: digits stay at the characters they count
(2024年, 3.5%的), punctuation has its own space, and a single capital that makes a word with the
character after it stays part of that word (A股, U盘, T恤).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from capswriter.text.edits import Edit

if TYPE_CHECKING:
    from collections.abc import Iterator

_HAN = "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_LETTER = "A-Za-z\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u024f"
_WORD_OF_BOTH = rf"(?<![{_LETTER}0-9])[A-Z](?=[股站恤线光盘币型区座级轮罩字])"
_BORDER = re.compile(
    rf"(?P<word>{_WORD_OF_BOTH})|(?<=[{_HAN}])(?!{_WORD_OF_BOTH})(?=[{_LETTER}])"
    rf"|(?<=[{_LETTER}])(?=[{_HAN}])"
)


def space_edits(sentence: str) -> Iterator[Edit]:
    """Find where a space is missing; the edits come in order."""
    word_end = -1
    for match in _BORDER.finditer(sentence):
        if match["word"]:
            word_end = match.end()
        elif match.start() != word_end:
            yield Edit(match.start(), match.start(), " ")


def needs_space(before: str, after: str) -> bool:
    """Whether a space is missing between two texts."""
    border = before[-1:] + after[:1]
    return any(edit.first == 1 for edit in space_edits(border))
