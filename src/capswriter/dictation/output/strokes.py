"""From a text to what is typed for it."""

from __future__ import annotations

import unicodedata

from capswriter.dictation.output.base import SOFT_BREAK, Newlines
from capswriter.dictation.text.final_mark import without_final_mark


def shape(text: str, *, strip_final: bool) -> str:
    """A text with line feeds as its only line breaks, and without other control characters.

    A text from outside shall not press Escape or Ctrl+C by itself. A tab stays.
    """
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    text = text.replace("\u2028", "\n").replace("\u2029", "\n").replace("\x85", "\n")
    text = "".join(
        each for each in text if each in "\n\t" or unicodedata.category(each) not in {"Cc", "Cs"}
    )
    return without_final_mark(text) if strip_final else text


def to_strokes(text: str, newlines: Newlines, *, enter_after: bool) -> str:
    """What is typed for a text that ``shape`` gave, as ``Desktop.type`` takes it."""
    if newlines is Newlines.SPACE:
        text = text.replace("\n", " ")
    elif newlines is Newlines.SHIFT_ENTER:
        text = text.replace("\n", SOFT_BREAK)
    return text + "\n" * enter_after


def to_text(strokes: str) -> str:
    """What strokes look like as a text."""
    return strokes.replace(SOFT_BREAK, "\n")
