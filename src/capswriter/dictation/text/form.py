"""One way in which a hotword may be heard: the word itself, or one of its aliases."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from capswriter.dictation.text.units import HAN, Unit, units_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from capswriter.dictation.text.hot_file import Hotword

_SYMBOLS_AT_AN_EDGE = re.compile(r"^[^\w\s(（《“\"']|[^\w\s)）》”\"'!?.]$")  # noqa: RUF001


@dataclass(frozen=True, slots=True)
class Form:
    """A hotword as it may be heard.

    Attributes:
        hotword: what is written then.
        rank: the place of the hotword in its file.
        text: the form as it stands in the file.
        units: what of it can be heard.
        alias: whether the user gave it as an alias: wherever it stands, it is meant.
    """

    hotword: Hotword
    rank: int
    text: str
    units: tuple[Unit, ...]
    alias: bool

    @property
    def has_han(self) -> bool:
        """Whether any of it is Chinese."""
        return any(unit.kind == HAN for unit in self.units)

    @property
    def spelled(self) -> str:
        """Its letters and digits, in folded case."""
        return "".join(unit.text for unit in self.units)

    @property
    def lead(self) -> str:
        """The punctuation before its first unit, which an alias wants to see in the text."""
        return self.text[: self.units[0].start].strip() if self.alias else ""


def forms_of(hotwords: Sequence[Hotword]) -> Iterator[Form]:
    """Every form that can be told from other text.

    A single letter or character cannot. Nor can ``C++`` or ``.md``: without their signs, which
    nobody speaks, they are other words.
    """
    for rank, hotword in enumerate(hotwords):
        for text in (hotword.word, *hotword.aliases):
            units = tuple(units_of(text))
            form = Form(hotword, rank, text, units, alias=text != hotword.word)
            if len(form.spelled) < 2:  # noqa: PLR2004
                continue
            if form.has_han or form.alias or not _SYMBOLS_AT_AN_EDGE.search(text):
                yield form
