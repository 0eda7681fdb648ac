"""How English words sound, and which of them are ordinary."""

from __future__ import annotations

from functools import cache, lru_cache

from jellyfish import metaphone
from spellchecker import SpellChecker

GRAMMATICAL = 1_500_000
"""How often the words stand in the corpus (of subtitles) of which every sentence is made."""

FREQUENT = 50_000
"""How often those stand there that everybody says daily."""

ORDINARY = 2_300
"""How often those stand there that everybody knows: 12,000 words."""

_SAME_SOUND = str.maketrans({"B": "P", "0": "T", "J": "X", "V": "F", "D": "T", "G": "K"})
_VOWELS = "AEIOUY"


@lru_cache(maxsize=16_384)
def sound_of(letters: str) -> str:
    """The consonants of a word as they sound, those that are often confused being the same.

    It is Metaphone's key (Lawrence Philips, 1990); any vowel at the beginning is ``A``.
    """
    key = metaphone(letters).replace(" ", "").translate(_SAME_SOUND)
    head = "A" if key[:1] and key[0] in _VOWELS else key[:1]
    body = "".join(sound for sound in key[1:] if sound not in _VOWELS)
    sounds = ""
    for sound in head + body:
        if not sounds.endswith(sound):
            sounds += sound
    return sounds


@cache
def _counts() -> dict[str, int]:
    counts: dict[str, int] = SpellChecker(language="en", distance=1).word_frequency.dictionary
    return counts


def frequency(word: str) -> int:
    """How often an English word stands in the corpus; 0 of one that no dictionary knows."""
    return _counts().get(word, 0)
