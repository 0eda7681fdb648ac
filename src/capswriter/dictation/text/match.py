"""Places in a text where a hotword was heard, and which of them are changed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from capswriter.dictation.text.hot_file import Hotword

DOUBT = 2.0
"""How many units of length one unit of cost outweighs when matches overlap."""


@dataclass(frozen=True, slots=True)
class Match:
    """A hotword found in a text.

    Attributes:
        first: the first unit it covers.
        stop: the unit behind the last.
        cost: how far it is from what stands there; 0 sounds the same.
        rank: the place of the hotword in its file; the first wins where all else is equal.
        lead: punctuation of the form that stands before the first unit, and is replaced too.
    """

    first: int
    stop: int
    cost: float
    hotword: Hotword
    rank: int
    lead: str = ""

    @property
    def order(self) -> tuple[float, int, int]:
        """Sorts the match that explains most, with least doubt, to the front."""
        return DOUBT * self.cost - (self.stop - self.first), -len(self.lead), self.rank


def without_overlaps(matches: Iterable[Match]) -> list[Match]:
    """The best matches that do not overlap, in the order of the text."""
    chosen: list[Match] = []
    taken: set[int] = set()
    for match in sorted(matches, key=lambda match: match.order):
        places = range(match.first, match.stop)
        if taken.isdisjoint(places):
            chosen.append(match)
            taken.update(places)
    return sorted(chosen, key=lambda match: match.first)
