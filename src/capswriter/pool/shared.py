"""Memory that the front and one worker share, through which samples pass.

Ten seconds of audio take 1.3 ms through a pipe: the system copies some 200 kB at a time, and both
processes wake up for each. So it is one copy and 0.4 ms, and the pipe has but the number.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from capswriter.audio import SAMPLE_RATE

if TYPE_CHECKING:
    from multiprocessing.context import BaseContext

    from capswriter.audio import Samples

ROOM = 40 * SAMPLE_RATE
"""Samples that fit: more than engines take at once. Longer ones go through the pipe."""


class SharedSamples:
    """The samples of the one task that a worker has.

    The front may put others there when the worker has answered.

    Args:
        context: of the process that it is given to as an argument.
    """

    def __init__(self, context: BaseContext) -> None:
        # It writes zeros everywhere: what the system has no room for fails now, and not later.
        self._memory = context.RawArray("f", ROOM)

    def put(self, samples: Samples) -> Samples | int:
        """Give what to tell the worker: how many samples lie here, or those that do not fit."""
        if len(samples) > ROOM:
            return samples
        self._here()[: len(samples)] = samples
        return len(samples)

    def get(self, told: Samples | int) -> Samples:
        """Give the samples that the front has told of; they stay until it is answered."""
        return self._here()[:told] if isinstance(told, int) else told

    def _here(self) -> Samples:
        return np.frombuffer(self._memory, np.float32)
