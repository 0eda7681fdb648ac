"""Words from the pieces that Paraformer's vocabularies hold.

A vocabulary marks either a piece that goes on (``"he@@"``, ``"llo"``), or one that begins a word
(``"▁he"``, ``"llo"``). Words of letters are spaced; Han characters and digits are joined to what
stands beside them; letters that are spelled become an abbreviation (``"c t o"``: ``"CTO"``). So
does FunASR's ``sentence_postprocess``. Unlike there, a piece that nothing goes on is not lost, and
text in other scripts is no error.
"""

from __future__ import annotations

import json
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

GOES_ON, BEGINS = "@@", "▁"

SILENT = frozenset({"<blank>", "<s>", "</s>", "<unk>", "<OOV>", "<pad>"})
"""Tokens that stand for no text."""


def joined(pieces: Sequence[str], *, begins: bool = False) -> list[str]:
    """Write pieces as the text that they are.

    Args:
        pieces: of the vocabulary, in order.
        begins: whether the vocabulary marks the pieces that begin a word.

    Returns:
        The text of each piece, with the space that stands before it; ``""`` for the silent ones.
        Joined, they have no white space at either end.
    """
    bodies = [_body(piece) for piece in pieces]
    sounding = [index for index, body in enumerate(bodies) if body]
    spelled = set() if begins else _spelled(pieces, sounding)
    texts = [""] * len(pieces)
    before = -1
    for index in sounding:
        body = bodies[index]
        if begins:
            new = any(piece.startswith(BEGINS) for piece in pieces[before + 1 : index + 1])
        else:
            new = not _goes_on(pieces, before)
        apart = before in spelled and index in spelled
        spaced = before >= 0 and new and not apart
        if spaced and is_latin(body[0]) and is_latin(bodies[before][-1]):
            texts[index] = " "
        texts[index] += body.upper() if index in spelled else body
        before = index
    return texts


def language_of(text: str) -> str:
    """Tell Chinese from English: ``"zh"``, ``"en"``, or ``""`` where no letter of either is."""
    if any(is_han(character) for character in text):
        return "zh"
    return "en" if any(character.isalpha() for character in text) else ""


def is_han(character: str) -> bool:
    """Whether it is a Chinese character, as far as the models know any."""
    return "\u3400" <= character <= "\u9fff"


def is_latin(character: str) -> bool:
    """Whether it belongs into a word that spaces stand around."""
    return not (is_han(character) or character.isdigit())


def read_vocabulary(path: Path) -> list[str]:
    """Read the pieces by their ids.

    Args:
        path: of ``tokens.json``, a list, or ``tokens.txt``, a piece and its id on each line.

    Raises:
        OSError, ValueError: it cannot be read, or is no such file.
    """
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".json":
        pieces = json.loads(text)
        if not isinstance(pieces, list) or not all(isinstance(piece, str) for piece in pieces):
            raise ValueError("it is no list of pieces")
        return pieces
    rows = [line.rsplit(maxsplit=1) for line in text.splitlines() if line.strip()]
    if [row[-1] for row in rows] != [str(index) for index in range(len(rows))]:
        raise ValueError("its lines do not end in 0, 1, 2 and so on")
    return [row[0] if len(row) > 1 else " " for row in rows]


def _body(piece: str) -> str:
    return "" if piece in SILENT else piece.replace(GOES_ON, "").replace(BEGINS, "").strip()


def _goes_on(pieces: Sequence[str], index: int) -> bool:
    return index >= 0 and pieces[index].endswith(GOES_ON)


def _spelled(pieces: Sequence[str], sounding: Sequence[int]) -> set[int]:
    """Find the letters that stand next to one another as words of their own."""
    letters = {
        index
        for before, index in zip([-1, *sounding], sounding, strict=False)
        if len(pieces[index]) == 1
        and pieces[index].isascii()
        and pieces[index].isalpha()
        and not _goes_on(pieces, before)
    }
    pairs = [{before, index} for before, index in pairwise(sounding) if {before, index} <= letters]
    return set().union(*pairs)
