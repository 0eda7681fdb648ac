"""What a dictation asks of the recogniser."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Wish:
    """The same for all dictations.

    Args:
        language: ISO 639-1 code, or ``"auto"``.
        hotwords: words that are likely to occur.
        partials: whether to tell what is known before the end.
    """

    language: str = "auto"
    hotwords: tuple[str, ...] = ()
    partials: bool = True
