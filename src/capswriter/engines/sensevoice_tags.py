"""What SenseVoice's tags tell: ``<|zh|><|HAPPY|><|Speech|><|withitn|>``."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

TAG = re.compile(r"<\|([^|<>]*)\|>")

LANGUAGES = frozenset({"zh", "en", "yue", "ja", "ko"})
"""``nospeech`` is one as well."""

EMOTIONS = frozenset({"happy", "sad", "angry", "neutral", "fearful", "disgusted", "surprised"})

EVENTS = {
    "speech": "speech",
    "bgm": "music",
    "applause": "applause",
    "laughter": "laughter",
    "cry": "crying",
    "sneeze": "sneeze",
    "breath": "breath",
    "cough": "cough",
    "sing": "singing",
}
"""What we call its events; it has others that say that it does not know."""


class Told(NamedTuple):
    """See ``Transcript``; each is empty where no tag tells it."""

    language: str
    emotion: str
    event: str


def told_by(tags: Sequence[str]) -> Told:
    """Read tags, of which the first of each sort counts.

    Args:
        tags: what stands between ``<|`` and ``|>``.
    """
    names = [tag.lower() for tag in tags]
    return Told(
        next((name for name in names if name in LANGUAGES), ""),
        next((name for name in names if name in EMOTIONS), ""),
        next((EVENTS[name] for name in names if name in EVENTS), ""),
    )
