"""How far a recognised text is from what was said: word and character error rates."""

from __future__ import annotations

import jiwer

SPACELESS = frozenset({"zh", "yue", "ja"})
"""Languages written without spaces, whose errors are counted by characters."""


def plain(text: str) -> str:
    """Reduce a text to what is spoken: lower case, letters and digits, single spaces."""
    kept = "".join(char if char.isalnum() or char == "'" else " " for char in text.lower())
    return " ".join(kept.split())


def word_error_rate(reference: str, text: str) -> float:
    """Count substituted, missing and superfluous words, divided by the words of the reference."""
    return float(jiwer.wer(plain(reference), plain(text)))


def character_error_rate(reference: str, text: str) -> float:
    """Count the same by characters, without spaces, after conversion to simplified script.

    The conversion is OpenCC's (https://github.com/BYVoid/OpenCC), configuration ``t2s``.
    """
    from opencc import OpenCC  # noqa: PLC0415  # reads its tables when it is imported

    simplified = OpenCC("t2s").convert
    return float(jiwer.cer(_spaceless(simplified(reference)), _spaceless(simplified(text))))


def characters_apart(one: str, other: str) -> tuple[int, int]:
    """Count the characters by which two texts differ, spaces aside, and those of the first."""
    if not _spaceless(one):
        return len(_spaceless(other)), 0
    measure = jiwer.process_characters(_spaceless(one), _spaceless(other))
    wrong = measure.substitutions + measure.insertions + measure.deletions
    return wrong, len(_spaceless(one))


def error_rate(reference: str, text: str, *, language: str) -> float:
    """Give the rate that is usual for the language: by words, or by characters."""
    if language in SPACELESS:
        return character_error_rate(reference, text)
    return word_error_rate(reference, text)


def _spaceless(text: str) -> str:
    return plain(text).replace(" ", "")
