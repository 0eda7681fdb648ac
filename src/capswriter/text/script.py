"""Chinese in simplified or in traditional characters, by OpenCC's dictionaries of phrases.

Traditional means the standard forms of Taiwan (裡, 麵), simplified those of the mainland. Only
characters change, not the words: 软件 becomes 軟件, not 軟體.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Literal

from capswriter.text.edits import Edit

if TYPE_CHECKING:
    from collections.abc import Callable

Script = Literal["keep", "simplified", "traditional"]

_TABLES = {"simplified": "tw2s", "traditional": "s2tw"}


def script_edits(sentence: str, script: Script) -> list[Edit]:
    """Find the characters of a sentence that differ in ``script``; the edits come in order.

    Args:
        sentence: without kana: Japanese writes some characters otherwise than either script.
        script: that is wanted; ``"keep"`` changes nothing.
    """
    if script == "keep":
        return []
    converted = _converter(script)(sentence)
    if len(converted) == len(sentence):
        pairs = enumerate(zip(sentence, converted, strict=True))
        return [Edit(place, place + 1, new) for place, (old, new) in pairs if old != new]
    return [Edit(0, len(sentence), converted)]


@lru_cache(maxsize=len(_TABLES))
def _converter(script: Script) -> Callable[[str], str]:
    from opencc import OpenCC  # noqa: PLC0415  # reads its tables when it is imported

    convert: Callable[[str], str] = OpenCC(_TABLES[script]).convert
    return convert
