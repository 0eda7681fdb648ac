"""Hotwords in Latin letters, found by their spelling and their sound.

Recognisers split names and write what they know instead of them: ``cloud code`` for Claude Code,
``py torch`` for PyTorch, ``cooper netties`` for Kubernetes. Every form is filed under its letters
and under its sound; a text is searched by looking up its own words, joined.
"""

from __future__ import annotations

import re
from collections import defaultdict
from typing import TYPE_CHECKING

from rapidfuzz.fuzz import ratio

from capswriter.dictation.text.english import (
    FREQUENT,
    GRAMMATICAL,
    ORDINARY,
    frequency,
    sound_of,
)
from capswriter.dictation.text.match import Match
from capswriter.dictation.text.units import DIGITS, LATIN, Unit

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from capswriter.dictation.text.form import Form

MOST_WORDS = 6
"""Words of a text that are joined at most."""

KNOWN = 500
"""How often a word stands in the corpus, from where on it has a meaning besides a name."""

LIKENESS_OF_NAMES = 0.85
"""How alike the letters have to be where a name was written, or a sound is missing."""

NEVER = 2.0
"""A likeness that nothing reaches."""

FULL_SOUND = 4
"""Sounds from which on everyday words that sound like a hotword, and look like it, are it."""

LONG_SOUND = 5
"""Sounds from which on one may be missing."""

LIKENESS_OF_WORDS = 0.75
"""The same where everyday words were written that sound like a hotword."""

_SAID_AS_A_LETTER = re.compile("[lmnr][bcdfgjkpqstvwxz]")  # en-vidia
_ARTICLES = frozenset({"a", "an", "the"})
_GAP = re.compile(r"\s*[-–]?\s*|['’._/]")  # noqa: RUF001
_CHUNK = re.compile(r"[!-~]+")
_IDENTIFIER = re.compile(r"[@_\\]|\w\.\w|/.*/|:/")
_SENTENCE_END = re.compile(r"(?:^|[.?!。？！\n])\s*$")


class EnglishForms:
    """The forms of all hotwords that are written in Latin letters and digits alone."""

    def __init__(self, forms: Iterable[Form]) -> None:
        self._spelled: dict[str, list[Form]] = defaultdict(list)
        self._sounding: dict[str, list[Form]] = defaultdict(list)
        self._nearly: dict[str, list[Form]] = defaultdict(list)
        words = 0
        for form in forms:
            self._spelled[form.spelled].append(form)
            words = max(words, len(form.units))
            sound = "" if _has_digits(form.units) else sound_of(form.spelled)
            if len(sound) > 1:
                self._sounding[sound].append(form)
                if _SAID_AS_A_LETTER.match(form.spelled):
                    self._sounding[f"A{sound}"].append(form)
            if len(sound) >= LONG_SOUND:
                for index in range(1, len(sound)):
                    self._nearly[sound[:index] + sound[index + 1 :]].append(form)
        self._most_words = min(words + 2, max(MOST_WORDS, words))

    def matches(self, text: str, units: Sequence[Unit]) -> Iterator[Match]:
        """Find where in a text a form was heard or is spelled in other ways."""
        if not self._spelled:
            return
        identifiers = _in_identifiers(text, units)
        for first, unit in enumerate(units):
            if unit.kind not in {LATIN, DIGITS}:
                continue
            for stop in range(first + 1, min(first + self._most_words, len(units)) + 1):
                if stop > first + 1 and not _joined(text, units[stop - 2], units[stop - 1]):
                    break
                identifier = any(identifiers[first:stop])
                yield from self._at(text, units, first, stop, identifier=identifier)

    def _at(
        self, text: str, units: Sequence[Unit], first: int, stop: int, *, identifier: bool
    ) -> Iterator[Match]:
        window = units[first:stop]
        letters = "".join(unit.text for unit in window)
        if len(letters) < 2:  # noqa: PLR2004
            return
        for form in self._spelled.get(letters, ()):
            own_signs = _IDENTIFIER.search(form.text) is not None
            if (own_signs or not identifier) and _is_meant(text, units, first, stop, form):
                yield Match(first, stop, 0.0, form.hotword, form.rank, form.lead)
        if identifier or _has_digits(window) or _is_glued(text, window):
            return
        sound = sound_of(letters)
        for form in self._sounding.get(sound, ()):
            cost = _cost(text, window, form, letters, len(sound))
            if cost is not None:
                yield Match(first, stop, cost, form.hotword, form.rank)
        for form in self._sounds_missing(sound):
            cost = _cost_of_nearly(window, form, letters)
            if cost is not None:
                yield Match(first, stop, cost, form.hotword, form.rank)

    def _sounds_missing(self, sound: str) -> Iterator[Form]:
        """Forms that have one sound more than the text, or one less."""
        yield from self._nearly.get(sound, ())
        if len(sound) > LONG_SOUND:
            for index in range(1, len(sound)):
                yield from self._sounding.get(sound[:index] + sound[index + 1 :], ())


def _has_digits(units: Sequence[Unit]) -> bool:
    return any(unit.kind == DIGITS for unit in units)


def _joined(text: str, left: Unit, right: Unit) -> bool:
    if right.kind not in {LATIN, DIGITS}:
        return False
    return _GAP.fullmatch(text, left.end, right.start) is not None


def _in_identifiers(text: str, units: Sequence[Unit]) -> list[bool]:
    """Which units stand in an address, a path, a file's name or a piece of a program."""
    inside = bytearray(len(text))
    for match in _CHUNK.finditer(text):
        if _IDENTIFIER.search(match[0].rstrip(".,:;!?")):
            inside[match.start() : match.end()] = b"\1" * len(match[0])
    return [bool(inside[unit.start]) for unit in units]


def _is_glued(text: str, window: Sequence[Unit]) -> bool:
    """Whether a digit or letter follows or precedes without a gap."""
    before = text[window[0].start - 1 : window[0].start]
    after = text[window[-1].end : window[-1].end + 1]
    return any(char.isascii() and char.isalnum() for char in (before, after) if char)


def _is_meant(text: str, units: Sequence[Unit], first: int, stop: int, form: Form) -> bool:
    """Whether words that spell a hotword, but for case and gaps, mean it.

    An alias is, as written, and what stands alone among Chinese. Among other English words, a
    word that everybody uses is not, nor are several of which sentences are made.
    """
    window = units[first:stop]
    written = text[window[0].start : window[-1].end]
    if written == form.hotword.word:
        return True
    words = [unit.text for unit in window]
    as_written = words == [unit.text for unit in form.units]
    if form.alias and as_written:
        return True
    if _is_common_noun(units, first, stop):
        return False
    if all(len(word) == 1 for word in words):
        return written.replace(" ", "").isupper() or len(words) > 2  # noqa: PLR2004
    around = [*units[max(0, first - 1) : first], *units[stop : stop + 1]]
    alone = all(unit.kind != LATIN for unit in around)
    if len(words) > 1:
        return (as_written and alone) or _are_meant(window, as_written=as_written)
    return alone or frequency(words[0]) < ORDINARY


def _are_meant(window: Sequence[Unit], *, as_written: bool) -> bool:
    if _has_digits(window):
        return as_written or sum(len(unit.text) for unit in window) > 2  # noqa: PLR2004
    counts = [frequency(unit.text) for unit in window]
    return max(counts) < GRAMMATICAL or not (as_written or all(counts))


def _is_common_noun(units: Sequence[Unit], first: int, stop: int) -> bool:
    """Whether words that a dictionary knows follow an article: a python is not Python."""
    if not first or units[first - 1].text not in _ARTICLES:
        return False
    return all(frequency(unit.text) >= KNOWN for unit in units[first:stop])


def _cost(text: str, window: Sequence[Unit], form: Form, letters: str, sounds: int) -> float | None:
    """How far words that sound like a form are from it, or None where they are not changed.

    One word has to be unknown to the dictionary, or a name. Of several, those that would change
    must not be frequent ones, unless they are spelled much like it.
    """
    likeness: float = ratio(letters, form.spelled) / 100
    if _is_more_than(window, letters, form):
        return None
    if len(window) == 1:
        if frequency(letters):
            least = LIKENESS_OF_NAMES if _is_name(text, window[0], form) else NEVER
        else:
            least = 0.6 if sounds > 2 else 0.75  # noqa: PLR2004
    else:
        changed = _changed(window, form)
        frequent = any(frequency(word) >= FREQUENT or len(word) == 1 for word in changed)
        least = 0.6 if sounds >= LONG_SOUND else 0.7
        if frequent and not _is_unknown(changed):
            everyday = any(frequency(word) >= GRAMMATICAL or len(word) == 1 for word in changed)
            least = NEVER if everyday or sounds < FULL_SOUND else LIKENESS_OF_WORDS
    return 1 - likeness if likeness >= least else None


def _cost_of_nearly(window: Sequence[Unit], form: Form, letters: str) -> float | None:
    likeness: float = ratio(letters, form.spelled) / 100
    if likeness < LIKENESS_OF_NAMES or _is_more_than(window, letters, form):
        return None
    return 1.5 * (1 - likeness) if _is_unknown(_changed(window, form)) else None


def _is_more_than(window: Sequence[Unit], letters: str, form: Form) -> bool:
    """Whether words are spelled as the form, or are it and something else (SenseVoice's)."""
    first, last = window[0].text, window[-1].text
    others = {letters, letters.removeprefix(first), letters.removesuffix(last)}
    return form.spelled in others or letters == f"{form.spelled}s"


def _changed(window: Sequence[Unit], form: Form) -> list[str]:
    """The words that would change; a first letter before an unknown word stays (i fone)."""
    kept = {unit.text for unit in form.units}
    changed = [unit.text for unit in window if unit.text not in kept]
    if changed[:1] == [form.spelled[0]] and not any(map(frequency, changed[1:])):
        return changed[1:]
    return changed


def _is_unknown(words: Sequence[str]) -> bool:
    """Whether there is a word among them that no dictionary knows, and none that all know."""
    return any(not frequency(word) and len(word) > 1 for word in words) and not any(
        frequency(word) >= GRAMMATICAL for word in words
    )


def _is_name(text: str, unit: Unit, form: Form) -> bool:
    """Whether a word was written as a name, and the form is one."""
    return (
        text[unit.start].isupper()
        and form.hotword.word[:1].isupper()
        and _SENTENCE_END.search(text, 0, unit.start) is None
    )
