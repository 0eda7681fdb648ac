"""Edits of a text that is made of tokens: what is replaced keeps the time at which it was said."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING

from capswriter.text.pieces import character_times
from capswriter.transcript import Token

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence


@dataclass(frozen=True, slots=True)
class Edit:
    """Put ``text`` where the characters ``first`` to ``stop`` (not included) are.

    Args:
        first: of the characters that go.
        stop: after the last of them; equal to ``first`` where something is only put in.
        text: what comes.
    """

    first: int
    stop: int
    text: str

    def moved(self, by: int) -> Edit:
        """The same edit in a text that has ``by`` more characters before it."""
        return Edit(self.first + by, self.stop + by, self.text)


def apply(tokens: Sequence[Token], edits: Sequence[Edit]) -> tuple[Token, ...]:
    """Edit the text that the tokens make when they are joined.

    A token without a changed character stays as it is. A replacement of the same length goes
    character by character into the tokens that are there. Any other becomes a token of its own,
    with the time from the first to the last of the characters it replaces, and cuts the tokens it
    reaches into, each character with its share of the time; white space before it goes with it.
    What is put in belongs to the token of the character after it. Starts never decrease.

    Args:
        tokens: in order; times in seconds.
        edits: in order, within the text, without overlap; nothing is put in at its end.
    """
    if not edits:
        return tuple(tokens)
    text = "".join(token.text for token in tokens)
    owner = {
        start: token
        for start, token in zip(
            accumulate((len(token.text) for token in tokens), initial=0), tokens, strict=False
        )
        if token.text
    }
    written, borders, changed = _laid_out(text, owner, edits)
    begins, ends = character_times(tokens)
    result = []
    for first, stop in pairwise(sorted(borders | {len(text)})):
        token = owner.get(first)
        if token is not None and len(token.text) != stop - first:
            token = None
        if token is not None and changed.isdisjoint(range(first, stop)):
            result.append(token)
            continue
        piece = "".join(written[first:stop])
        if not piece:
            continue
        if token is not None:
            start, end = token.start, token.end
        else:
            start, end = float(begins[first]), float(ends[stop - 1])
        result.append(Token(piece, start, end))
    return tuple(result)


def _laid_out(
    text: str, owner: Mapping[int, Token], edits: Iterable[Edit]
) -> tuple[list[str], set[int], set[int]]:
    """Say what comes at each character's place, where tokens start, and which places changed."""
    written = list(text)
    borders = set(owner)
    changed: set[int] = set()
    for edit in edits:
        first, stop = edit.first, edit.stop
        if first == stop:
            written[first] = edit.text + written[first]
            changed.add(first)
            continue
        changed.update(range(first, stop))
        if len(edit.text) == stop - first:
            written[first:stop] = edit.text
            continue
        written[first:stop] = [edit.text] + [""] * (stop - first - 1)
        borders.difference_update(range(first + 1, stop))
        borders.add(stop)
        if first not in owner and not _is_after_space(text, first, borders):
            borders.add(first)
    return written, borders, changed


def _is_after_space(text: str, first: int, borders: set[int]) -> bool:
    """Whether nothing but white space stands between the border before ``first`` and it."""
    before = first - 1
    while text[before].isspace() and before not in borders:
        before -= 1
    return text[before].isspace()
