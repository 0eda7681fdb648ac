"""A quiet sound when a dictation starts, and another when it stops."""

from __future__ import annotations

import logging
from functools import lru_cache, partial
from typing import TYPE_CHECKING

import numpy as np

from capswriter.dictation.aside import Aside
from capswriter.dictation.loudspeaker import RATE
from capswriter.dictation.loudspeaker import play as play_aloud

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

VOLUME = 0.1
"""Of the loudest there is: heard in a quiet room, and no matter to the recognition."""

START = ((660.0, 0.05), (880.0, 0.06))
STOP = ((880.0, 0.05), (587.0, 0.06))
"""Hertz and seconds of the tones, one after the other: up, and down."""

FADE_S = 0.008
"""Seconds in which a tone comes and goes, without which it would click."""

_log = logging.getLogger(__name__)


class Sounds:
    """Plays the two sounds aside: nobody waits for them, and they raise nothing.

    Where nothing can be played, a line in the log says so, once until something can.

    Args:
        volume: of 1; 0 is silence.
        is_on: whether to play them.
        play: plays float32[samples] of 48 kHz; None for the system's loudspeaker.
    """

    def __init__(
        self,
        *,
        volume: float = VOLUME,
        is_on: bool = True,
        play: Callable[[NDArray[np.float32]], None] | None = None,
    ) -> None:
        self.is_on = is_on
        self.volume = volume
        self._play = play_aloud if play is None else play
        self._aside = Aside("sounds")
        self._has_told = False

    def start(self) -> None:
        """Tell that a dictation has started, from any thread."""
        self._sound(START)

    def stop(self) -> None:
        """Tell that it has stopped."""
        self._sound(STOP)

    def wait(self, seconds: float) -> None:
        """Wait for the last sound, but no longer than this."""
        self._aside.wait(seconds)

    def _sound(self, notes: tuple[tuple[float, float], ...]) -> None:
        if self.is_on and self.volume > 0:
            self._aside.do(partial(self._try, notes, min(self.volume, 1.0)))

    def _try(self, notes: tuple[tuple[float, float], ...], volume: float) -> None:
        try:
            self._play(tones(notes, RATE) * np.float32(volume))
        except Exception as error:  # noqa: BLE001  # a dictation matters more than its sounds
            if not self._has_told:
                _log.info("there are no sounds, as none can be played: %s", error)
            self._has_told = True
        else:
            self._has_told = False


@lru_cache(maxsize=8)
def tones(notes: tuple[tuple[float, float], ...], rate: int) -> NDArray[np.float32]:
    """Make tones, as loud as can be.

    Args:
        notes: hertz and seconds of each.
        rate: samples per second.

    Returns:
        float32[samples].
    """
    made = []
    for hertz, seconds in notes:
        at = np.arange(round(seconds * rate)) / rate
        fade = np.clip(np.minimum(at, seconds - at) / FADE_S, 0, 1)
        made.append(np.sin(2 * np.pi * hertz * at) * (1 - np.cos(np.pi * fade)) / 2)
    return np.concatenate(made).astype(np.float32)
