"""Spoken English numbers to written ones: twenty three percent is 23%.

A number below ten stays a word unless a percent sign, a currency, a decimal point, a magnitude or
the time of day comes with it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from capswriter.text.edits import Edit

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_ONE_TO_NINETEEN = (
    "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen "
    "sixteen seventeen eighteen nineteen"
)
_FIRST_TO_NINETEENTH = (
    "first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth "
    "fourteenth fifteenth sixteenth seventeenth eighteenth nineteenth"
)
_TWENTY_TO_NINETY = "twenty thirty forty fifty sixty seventy eighty ninety"

_ONES = {"zero": 0} | {word: n for n, word in enumerate(_ONE_TO_NINETEEN.split(), start=1)}
_TENS = {word: 10 * n for n, word in enumerate(_TWENTY_TO_NINETY.split(), start=2)}
_ORDINALS = {word: n for n, word in enumerate(_FIRST_TO_NINETEENTH.split(), start=1)} | {
    f"{word[:-1]}ieth": n for word, n in _TENS.items()
}
_SCALES = {"thousand": 10**3, "million": 10**6, "billion": 10**9, "trillion": 10**12}
_DIGITS = {word: str(number) for word, number in _ONES.items() if number < 10} | {"oh": "0"}  # noqa: PLR2004
_MONEY = {"dollar": "$", "dollars": "$", "euro": "€", "euros": "€"}
_CENTURIES = range(17, 21)
"""What the first half of a year is: seventeen ninety, twenty twenty four."""
_LEAST = 10
"""Smaller numbers stay words."""

_WORD = "|".join([*_ONES, *_TENS, *_ORDINALS, *_SCALES, "hundred", "point", "oh", "and"])
_RUN = re.compile(
    rf"(?<![A-Za-z0-9'-])(?:{_WORD})(?:[ -](?:{_WORD}))*"
    rf"(?![A-Za-z0-9]|'[A-Za-z]|[ -](?:{_WORD})(?![A-Za-z]))"
    r"(?: (?P<tail>per ?cent|dollars?|euros?|[ap]\.?m)(?![A-Za-z]))?",
    re.IGNORECASE,
)
_PIECE = re.compile("[A-Za-z]+")
_LAST_WORD = re.compile(r"([A-Za-z]+) $")


@dataclass(frozen=True, slots=True)
class _Number:
    """What was read: of how many words, how it is written, and whether it may also stay words."""

    words: int
    text: str
    is_small: bool = False


def english_edits(sentence: str) -> Iterator[Edit]:
    """Find the numbers of a sentence; the edits come in order."""
    for run in _RUN.finditer(sentence):
        stop = run.start("tail") if run["tail"] else run.end()
        words = list(_PIECE.finditer(sentence, run.start(), stop))
        names = [word[0].lower() for word in words]
        if names[0] == "hundred" or names[0] in _SCALES:
            continue  # a hundred and fifty
        place = 0
        while place < len(words):
            is_timed = run["tail"] and run["tail"].lower()[0] in "ap"
            number = (is_timed and _clock(names, place)) or _number(names, place)
            if number is None:
                place += 1
                continue
            first, last = words[place], words[place + number.words - 1]
            place += number.words
            tail = run["tail"] if place == len(words) else None
            before = _LAST_WORD.search(sentence, max(0, first.start() - 8), first.start())
            if last[0].lower() == "second" and before and before[1] in {"a", "an", "per"}:
                continue  # a thirty second video
            edit = _with_tail(number, tail, first.start(), last.end(), run.end())
            if edit is not None:
                yield edit


def _with_tail(number: _Number, tail: str | None, first: int, stop: int, end: int) -> Edit | None:
    known = (tail or "").lower()
    if known.startswith("per"):
        return Edit(first, end, f"{number.text}%")
    if known in _MONEY:
        return Edit(first, end, _MONEY[known] + number.text)
    return Edit(first, stop, number.text) if tail or not number.is_small else None


def _number(names: Sequence[str], place: int) -> _Number | None:
    """Read what starts at a word, in the way that takes most words."""
    ways = [way(names, place) for way in (_series, _year, _ordinal, _quantity)]
    found = [number for number in ways if number is not None]
    return max(found, key=lambda number: number.words) if found else None


def _series(names: Sequence[str], place: int) -> _Number | None:
    """Read single digits: five five five one two three four."""
    stop = place
    while stop < len(names) and names[stop] in _DIGITS:
        stop += 1
    text = "".join(_DIGITS[name] for name in names[place:stop])
    if len(text) < len("911") or names[place] == "oh" or text in {"123", "321"}:
        return None
    return _Number(stop - place, text)


def _year(names: Sequence[str], place: int) -> _Number | None:
    """Read a year said in halves: nineteen ninety eight, nineteen oh five."""
    century, middle = _below_hundred(names, place)
    if century not in _CENTURIES or middle == len(names) or middle - place != 1:
        return None
    rest, stop = _below_hundred(names, middle + (names[middle] == "oh"))
    if not rest or (rest < _LEAST) != (names[middle] == "oh"):
        return None
    return _Number(stop - place, f"{century}{rest:02}")


def _clock(names: Sequence[str], place: int) -> _Number | None:
    """Read all that is left as hours and minutes: three thirty."""
    hour, middle = _below_hundred(names, place)
    if not hour or middle >= len(names):
        return None
    minute, stop = _below_hundred(names, middle + (names[middle] == "oh"))
    return _Number(stop - place, f"{hour}:{minute:02}") if minute and stop == len(names) else None


def _ordinal(names: Sequence[str], place: int) -> _Number | None:
    """Read twenty third, one hundred and first; smaller than tenth stays a word."""
    total, stop = _whole(names, place)
    if total is None:
        number = _ORDINALS.get(names[place], 0)
        return _Number(1, _as_ordinal(number)) if number >= _LEAST else None
    stop += stop < len(names) and names[stop] == "and"
    last = _ORDINALS.get(names[stop], 0) if stop < len(names) else 0
    is_free = total % 100 == 0 or (total % 10 == 0 and last < _LEAST)
    if not last or not is_free:  # twenty first, one hundred and twelfth, but not ten first
        return None
    return _Number(stop + 1 - place, _as_ordinal(total + last))


def _as_ordinal(number: int) -> str:
    is_teen = number % 100 in range(11, 14)
    return f"{number}{'th' if is_teen else {1: 'st', 2: 'nd', 3: 'rd'}.get(number % 10, 'th')}"


def _quantity(names: Sequence[str], place: int) -> _Number | None:
    """Read a whole number or a decimal, with its magnitude: two point five million."""
    total, stop = _whole(names, place)
    if total is None:
        return None
    text = str(total) if total < 10 * 1000 else f"{total:,}"
    after = stop + 1
    while stop < len(names) and names[stop] == "point" and names[after : after + 1] in _DIGIT_WORDS:
        text += ("" if "." in text else ".") + _DIGITS[names[after]]
        after += 1
    if "." in text:
        stop = after
        if stop < len(names) and names[stop] in _SCALES:
            return _Number(stop + 1 - place, f"{text} {names[stop]}")
        return _Number(stop - place, text)
    scale = _SCALES.get(names[stop - 1], 0)
    if scale > 1000 and total % scale == 0 and total < 1000 * scale:  # noqa: PLR2004
        text = f"{total // scale} {names[stop - 1]}"
    return _Number(stop - place, text, is_small=total < _LEAST)


_DIGIT_WORDS = [[name] for name in _DIGITS]


def _whole(names: Sequence[str], place: int) -> tuple[int | None, int]:
    """Read a whole number; its value and the place of the word after it, or None."""
    total, scale = None, 10**15
    while True:
        part, stop = _below_thousand(names, place)
        if part is None:
            return total, place
        following = _SCALES.get(names[stop], 0) if stop < len(names) else 0
        if following >= scale:
            return total, place
        total = (total or 0) + part * (following or 1)
        if not following:
            return total, stop
        place, scale = stop + 1, following
        has_more = names[place : place + 1] == ["and"] and _below_hundred(names, place + 1)[0]
        place += bool(has_more)


def _below_thousand(names: Sequence[str], place: int) -> tuple[int | None, int]:
    number, stop = _below_hundred(names, place)
    if not number or names[stop : stop + 1] != ["hundred"]:
        return number, stop
    rest_at = stop + 1 + (names[stop + 1 : stop + 2] == ["and"])
    rest, end = _below_hundred(names, rest_at)
    return (100 * number + rest, end) if rest else (100 * number, stop + 1)


def _below_hundred(names: Sequence[str], place: int) -> tuple[int | None, int]:
    name = names[place] if place < len(names) else ""
    if name in _TENS:
        one = _ONES.get(names[place + 1], 0) if place + 1 < len(names) else 0
        is_one = 0 < one < 10  # noqa: PLR2004
        return _TENS[name] + one * is_one, place + 1 + is_one
    return _ONES.get(name), place + (name in _ONES)
