"""Names of recordings that every file system takes."""

from __future__ import annotations

import re
import unicodedata
from datetime import datetime

MOST_CHARACTERS = 20
MOST_BYTES = 120
"""Of the words in UTF-8: with date, number and suffix it stays below the 143 of eCryptfs."""

_STEM = re.compile(r"\((\d{8}-\d{6})\).*")
_FORBIDDEN = re.compile(r'[\\/:*?"<>|]')
_MOMENT = "%Y%m%d-%H%M%S"


def local_time(moment: float) -> datetime:
    """Give the time of the clock on the wall, for Unix seconds."""
    return datetime.fromtimestamp(moment).astimezone()


def stem(text: str, begun: float) -> str:
    """Name a recording by its time and first words, as ``(20261122-083000)the first words``.

    The bracket in front also keeps it from being a name that Windows reserves, such as ``CON``.

    Args:
        text: what was dictated.
        begun: Unix seconds.
    """
    return f"({local_time(begun).strftime(_MOMENT)}){first_words(text)}"


def first_words(text: str) -> str:
    """Give the beginning of a text, without what a file system or a link may not take."""
    text = _FORBIDDEN.sub(" ", unicodedata.normalize("NFC", text))
    # Controls, invisible marks and halves of characters; spaces of all kinds become one.
    shown = "".join(
        " " if each.isspace() else each
        for each in text
        if each.isspace() or unicodedata.category(each)[0] != "C"
    )
    words = " ".join(shown.split())[:MOST_CHARACTERS]
    words = words.encode()[:MOST_BYTES].decode(errors="ignore")
    return words.rstrip(" .")  # which Windows would leave out


def moment_in(name: str) -> datetime | None:
    """Read the time out of a recording's name; None where it is not a name of ours."""
    found = _STEM.fullmatch(name)
    try:
        return datetime.strptime(found[1], _MOMENT).astimezone() if found else None
    except ValueError:
        return None
