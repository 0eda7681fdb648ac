"""How Chinese characters sound, and which of them stand in ordinary words.

What speakers and recognisers often confuse sounds the same here: zh/z, ch/c, sh/s, n/l, f/h, and
ng/n after a, e and i. Each such difference is counted, so that it weighs a little.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, cast

import rjieba
from pypinyin import Style, pinyin

if TYPE_CHECKING:
    from collections.abc import Callable

ORDINARY = 150
"""How often a word stands in the dictionary's corpus, from where on it is an ordinary one."""

STANDALONE = frozenset(
    "的了是我你他她它在有和不就都也很到说要去会着没看好这那哪些与及把被让给对为从向以用于而但又再还才更最"
    "太真只已吗呢吧啊呀嘛哦嗯一二三四五六七八九十百千万亿零半两几个位名次件条张种样多少大小上下里外前后来做想吃买"
    "打走听写等点年天号人家能可得过吧别跟比将请叫问见该每各此其之则若等即"
)
"""Characters that are words by themselves, any two of which may meet in a sentence."""

_AFTER_F = {"a": "ua", "an": "uan", "ang": "uang", "ei": "ui", "en": "un", "eng": "un"}
"""Finals behind f, as they sound when f is spoken as h."""


@dataclass(frozen=True, slots=True)
class Syllable:
    """One spoken character.

    Attributes:
        sound: its reading without tone, with what is confused taken for the same.
        merged: which confusable parts it has; what two readings do not share tells them apart.
        toned: its reading with the tone as a digit.
    """

    sound: str
    merged: frozenset[str]
    toned: str

    def near(self, other: Syllable) -> bool:
        """Whether the two begin the same, or end the same, and are more than one letter."""
        initial, final = _split(self.sound)
        other_initial, other_final = _split(other.sound)
        return bool(initial and initial == other_initial) or final == other_final


def syllables_of(run: str) -> list[Syllable]:
    """Read a run of Chinese characters, each as it is read in its context."""
    # A list keeps apart characters without a reading, each its own; the stubs know strings alone.
    apart = cast("Callable[[str], str]", list)
    readings = pinyin(run, style=Style.TONE3, errors=apart)
    return [_syllable(reading[0]) for reading in readings]


@lru_cache(maxsize=4096)
def _syllable(toned: str) -> Syllable:
    plain = toned.rstrip("1234567890")
    initial, final = _split(plain)
    merged = set()
    if initial in {"zh", "ch", "sh"}:
        merged.add(initial)
        initial = initial[0]
    elif initial == "n":
        merged.add(initial)
        initial = "l"
    if initial == "f":
        merged.add(initial)
        initial = "h"
        if final.endswith("ng"):
            merged.add("ng")
        final = _AFTER_F.get(final, final)
    if final.endswith(("ang", "eng", "ing")):
        merged.add("ng")
        final = final[:-1]
    return Syllable(initial + final, frozenset(merged), toned)


def _split(plain: str) -> tuple[str, str]:
    size = 2 if plain[1:2] == "h" else int(plain[:1] not in set("aeiouv"))
    return plain[:size], plain[size:]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a character stands: how far its word reaches, and whether that is an ordinary one.

    Attributes:
        before: characters of its word that stand before it.
        after: characters of its word that stand behind it.
        ordinary: whether its word is an ordinary one of several characters.
        standalone: whether it is an ordinary word by itself.
    """

    before: int
    after: int
    ordinary: bool
    standalone: bool


def places_of(run: str) -> list[Place]:
    """Cut a run of Chinese characters into words, and say of each character where it stands."""
    places = []
    for word in rjieba.cut(run, hmm=False):
        ordinary = len(word) > 1 and _is_ordinary(word)
        for index, char in enumerate(word):
            alone = len(word) == 1 and char in STANDALONE
            places.append(Place(index, len(word) - index - 1, ordinary, alone))
    return places


@lru_cache(maxsize=16_384)
def _is_ordinary(word: str) -> bool:
    return rjieba.has_word(word) and rjieba.suggest_freq(word) >= ORDINARY
