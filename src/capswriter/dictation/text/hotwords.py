"""All hotwords of a file, ready to be looked for in texts."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

from capswriter.dictation.text.chinese_forms import ChineseForms
from capswriter.dictation.text.english_forms import EnglishForms
from capswriter.dictation.text.form import forms_of
from capswriter.dictation.text.match import Match, without_overlaps
from capswriter.dictation.text.units import HAN, Unit, units_of
from capswriter.text.spacing import needs_space

if TYPE_CHECKING:
    from collections.abc import Sequence

    from capswriter.dictation.text.hot_file import HotFile

NEAR = 5
"""Units on both sides of a match in which an excluded word forbids it."""


class Hotwords:
    """Puts hotwords in the place of what was recognised instead of them."""

    def __init__(self, file: HotFile, *, spacing: bool) -> None:
        """Index the hotwords.

        Args:
            file: what ``hot.txt`` asks for.
            spacing: whether a word in Latin letters gets a space where it comes to stand beside
                Chinese characters, as in the texts of the server.
        """
        forms = list(forms_of(file.hotwords))
        self._chinese = ChineseForms(form for form in forms if form.has_han)
        self._english = EnglishForms(form for form in forms if not form.has_han)
        self._protected = file.protected
        self._spacing = spacing

    def apply(self, text: str) -> str:
        """Write the hotwords that are heard in a text."""
        units = units_of(text)
        folded = text.casefold() if len(text.casefold()) == len(text) else text.lower()
        found = chain(self._chinese.matches(text, units), self._english.matches(text, units))
        allowed = [match for match in found if not self._is_excluded(folded, units, match)]
        pieces, place = [], 0
        for match in without_overlaps(allowed):
            start, end = _span(text, units, match)
            written = match.hotword.word
            if start < place or text[start:end] == written:
                continue
            pieces += [text[place:start], self._spaced(text, start, end, written)]
            place = end
        return "".join([*pieces, text[place:]])

    def _is_excluded(self, folded: str, units: Sequence[Unit], match: Match) -> bool:
        near = folded[
            units[max(0, match.first - NEAR)].start : units[
                min(len(units), match.stop + NEAR) - 1
            ].end
        ]
        if any(word in near for word in match.hotword.excluded):
            return True
        start, end = units[match.first].start, units[match.stop - 1].end
        for phrase in self._protected:
            place = folded.find(phrase)
            while place >= 0:
                if place < end and start < place + len(phrase):
                    return True
                place = folded.find(phrase, place + 1)
        return False

    def _spaced(self, text: str, start: int, end: int, written: str) -> str:
        if not self._spacing:
            return written
        return (
            " " * (_was_han(text, start) and needs_space(text[:start], written))
            + written
            + " " * (_was_han(text, end - 1) and needs_space(written, text[end:]))
        )


def _was_han(text: str, place: int) -> bool:
    return any(unit.kind == HAN for unit in units_of(text[place : place + 1]))


def _span(text: str, units: Sequence[Unit], match: Match) -> tuple[int, int]:
    """What a match replaces: with the punctuation before it, if the alias begins with that."""
    start, end = units[match.first].start, units[match.stop - 1].end
    before = text[:start].rstrip()
    if match.lead and before.endswith(match.lead):
        start = len(before) - len(match.lead)
    return start, end
