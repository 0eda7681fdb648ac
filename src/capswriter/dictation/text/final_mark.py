"""The mark at the end of an utterance; a short one is mostly a piece of a sentence."""

from __future__ import annotations

import re

from capswriter.dictation.text.units import units_of

_FINAL = re.compile(r"(?<![.。．…,，、！？!?])[。．.，,]\s*$")  # noqa: RUF001
_LAST_CHUNK = re.compile(r"\S+$")


def without_final_mark(text: str) -> str:
    """Take off a single full stop or comma at the end; an ellipsis and "U.S." keep theirs."""
    chunk = _LAST_CHUNK.search(text.rstrip())
    if chunk and "." in chunk[0][:-1] and chunk[0].endswith("."):
        return text
    return _FINAL.sub("", text)


def words_in(text: str) -> int:
    """How many words a text has; a Chinese character counts as one."""
    return len(units_of(text))
