"""Hotwords with Chinese characters, found by their sound.

Every form is filed under the sounds of its characters, so that a text is searched by looking up
its own runs of sounds: the time does not depend on how many hotwords there are.

What sounds alike is not changed at once: most homophones are ordinary words. The shorter a
hotword, the more has to speak for it. ``_cost`` holds the rules.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from capswriter.dictation.text.mandarin import Place, Syllable, places_of, syllables_of
from capswriter.dictation.text.match import Match
from capswriter.dictation.text.units import HAN, Unit

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from capswriter.dictation.text.form import Form

HOMOPHONE = 0.05
"""The cost of other characters that sound the same: what stands there already comes before."""

CONFUSED = 0.15
"""The cost of one confusable sound."""

OTHER = 0.5
"""The cost of a character that only begins or ends the same."""

MOST_CONFUSED = {2: 1, 3: 2, 4: 3}
"""How many confusable sounds may differ, by the units of a hotword; 4 in longer ones."""

LONG = 5
"""Units from which on one character may be another that begins or ends the same."""

_ANY = "*"


@dataclass(frozen=True, slots=True)
class Heard:
    """A unit with what is known of it; only Chinese characters have a syllable and a place."""

    unit: Unit
    syllable: Syllable | None
    place: Place | None

    @property
    def key(self) -> str:
        """What it is filed under."""
        return self.syllable.sound if self.syllable else f"={self.unit.text}"


def heard(units: Sequence[Unit]) -> list[Heard]:
    """Read the characters among the units, run by run."""
    result: list[Heard] = []
    run: list[Unit] = []
    for unit in units:
        if run and (unit.kind != HAN or unit.start != run[-1].end):
            result += _read(run)
            run = []
        if unit.kind == HAN:
            run.append(unit)
        else:
            result.append(Heard(unit, None, None))
    return result + _read(run)


def _read(run: Sequence[Unit]) -> list[Heard]:
    if not run:
        return []
    text = "".join(unit.text for unit in run)
    return [Heard(*one) for one in zip(run, syllables_of(text), places_of(text), strict=True)]


class ChineseForms:
    """The forms of all hotwords that have Chinese characters."""

    def __init__(self, forms: Iterable[Form]) -> None:
        self._exact: dict[tuple[str, ...], list[_Filed]] = defaultdict(list)
        self._nearly: dict[tuple[str, ...], list[_Filed]] = defaultdict(list)
        for form in forms:
            filed = _Filed(form, _spoken(form))
            key = tuple(one.key for one in filed.heard)
            self._exact[key].append(filed)
            if len(key) >= LONG:
                for index, one in enumerate(filed.heard):
                    if one.syllable:
                        self._nearly[_with_any(key, index)].append(filed)
        self._lengths = sorted({len(key) for key in self._exact})
        self._near_lengths = {len(key) for key in self._nearly}

    def matches(self, text: str, units: Sequence[Unit]) -> Iterator[Match]:
        """Find where in a text a form was heard."""
        if not self._exact or not units:
            return
        spoken = heard(units)
        keys = [one.key for one in spoken]
        reach = _reaches(text, units)
        for first in range(len(spoken)):
            for length in self._lengths:
                if first + length > reach[first]:
                    break
                window = spoken[first : first + length]
                for filed in self._filed(tuple(keys[first : first + length])):
                    cost = _cost(filed, window)
                    if cost is not None:
                        form = filed.form
                        yield Match(first, first + length, cost, form.hotword, form.rank, form.lead)

    def _filed(self, key: tuple[str, ...]) -> Iterator[_Filed]:
        exact = self._exact.get(key, ())
        yield from exact
        if len(key) in self._near_lengths:
            for index in range(len(key)):
                for filed in self._nearly.get(_with_any(key, index), ()):
                    if filed not in exact:
                        yield filed


@dataclass(frozen=True, slots=True)
class _Filed:
    form: Form
    heard: tuple[Heard, ...]


def _spoken(form: Form) -> tuple[Heard, ...]:
    """A form's units, read as one run even where the file sets them apart (五 粮 液)."""
    closed, place = [], 0
    for unit in form.units:
        closed.append(Unit(unit.kind, unit.text, place, place + len(unit.text)))
        place += len(unit.text)
    return tuple(heard(closed))


def _with_any(key: tuple[str, ...], index: int) -> tuple[str, ...]:
    return (*key[:index], _ANY, *key[index + 1 :])


def _reaches(text: str, units: Sequence[Unit]) -> list[int]:
    """For each unit, how far a match may reach: to the next gap that is more than a space."""
    reaches = [len(units)] * len(units)
    for index in range(len(units) - 2, -1, -1):
        unit, following = units[index], units[index + 1]
        gap = text[unit.end : following.start]
        both_han = unit.kind == following.kind == HAN
        closed = not gap if both_han else gap in {"", " ", "-", ".", "_"}
        reaches[index] = reaches[index + 1] if closed else index + 1
    return reaches


def _cost(filed: _Filed, window: Sequence[Heard]) -> float | None:
    """How far the window is from the form, or None where it is not to be changed.

    A hotword that stands there already costs nothing; it keeps others away. Otherwise:

    - what begins or ends inside a word, as the text is cut into words, is accidental;
    - what is one word of the dictionary stays;
    - in two units, no changed character may be an ordinary word by itself;
    - in three, not all that would change may belong to ordinary words, nor the whole window, and
      if nothing stays, no character may be of an ordinary word;
    - in four and more, an ordinary word may change only if it sounds entirely the same, and
      something of the window stays.
    """
    size = len(window)
    changed = [
        index for index in range(size) if filed.heard[index].unit.text != window[index].unit.text
    ]
    crosses = _crosses(window)
    if not changed:
        return None if crosses and size == 2 and filed.form.alias else 0.0  # noqa: PLR2004
    confused, others = 0, 0
    for index in changed:
        mine, theirs = filed.heard[index].syllable, window[index].syllable
        if not (mine and theirs):
            return None
        if mine.sound == theirs.sound:
            confused += len(mine.merged ^ theirs.merged)
        elif mine.near(theirs):
            others += 1
        else:
            return None
    if crosses or _is_one_word(window) or confused > MOST_CONFUSED.get(size, 4) or others > 1:
        return None
    if not _may_change(window, changed, exact=not confused and not others):
        return None
    return HOMOPHONE + CONFUSED * confused + OTHER * others


def _may_change(window: Sequence[Heard], changed: Sequence[int], *, exact: bool) -> bool:
    ordinary = [one.place is not None and one.place.ordinary for one in window]
    usual = [
        ordinary[index] or (one.place is not None and one.place.standalone)
        for index, one in enumerate(window)
    ]
    if len(window) == 2:  # noqa: PLR2004
        return not any(usual[index] for index in changed)
    if len(window) == 3:  # noqa: PLR2004
        if len(changed) == len(window):
            return not any(usual)
        return not all(ordinary[index] for index in changed) and not all(usual)
    if not any(ordinary[index] for index in changed):
        return True
    return exact and len(changed) < len(window)


def _crosses(window: Sequence[Heard]) -> bool:
    first, last = window[0].place, window[-1].place
    return bool((first and first.before) or (last and last.after))


def _is_one_word(window: Sequence[Heard]) -> bool:
    place = window[0].place
    return place is not None and place.after == len(window) - 1
