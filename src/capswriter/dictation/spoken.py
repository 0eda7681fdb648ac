"""A dictation as the client meets it, and when each of its steps was done."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncio

    from capswriter.dictation.microphone import Recording
    from capswriter.dictation.output.base import Window
    from capswriter.dictation.sending import Dictation
    from capswriter.dictation.shortcuts import Stop


@dataclass(eq=False, slots=True)
class Spoken:
    """What is known of a dictation from its key on; times are of ``time.monotonic``.

    Args:
        dictation: as it is sent.
        key_down: when the key went down.
    """

    dictation: Dictation
    key_down: float
    stop: Stop | None = None
    is_cancelled: bool = False
    recording: Recording | None = None
    window: asyncio.Task[Window | None] | None = None
    """Finds the window that had the focus when the key came up."""
    steps: dict[str, float] = field(default_factory=dict)

    def note(self, step: str) -> None:
        """Note that a step is done."""
        self.steps[step] = time.monotonic()

    @property
    def key_up(self) -> float | None:
        """When the key came up."""
        return None if self.stop is None else self.stop.at

    @property
    def times(self) -> dict[str, float]:
        """Seconds of each step since the one before, from key-up on, and those of the whole."""
        if self.key_up is None:
            return {}
        before, parts = self.key_up, {}
        for step, at in self.steps.items():
            parts[step] = round(at - before, 4)
            before = at
        recording = self.recording
        return {
            "spoken": round(self.key_up - self.key_down, 3),
            "first sample": round((recording and recording.first_sample) or 0.0, 4),
            **parts,
            "key-up to end": round(before - self.key_up, 4),
        }
