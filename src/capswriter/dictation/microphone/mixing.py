"""Several channels to one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from capswriter.audio import Samples

MEMORY = 50
"""How many blocks the loudness of a channel is judged by, about."""

SILENT = 0.01
"""Power of a channel, as a share of the loudest one's, below which nothing is connected to it."""

OPPOSED = -0.5
"""Correlation with the loudest channel below which a channel's wires are crossed."""


class Mixer:
    """Averages the channels that something is connected to.

    A plain average makes a microphone on one channel of two quieter by half, and a balanced one,
    whose channels are opposed, silent.

    Args:
        channels: how many.
    """

    def __init__(self, channels: int) -> None:
        self._channels = channels
        self._products: NDArray[np.float64] | None = None  # [channel, channel], running means
        self._gains = np.zeros(channels)

    def mix(self, block: NDArray[np.float32]) -> Samples:
        """Mix the next block, float32[frames, channels]; the result is not changed afterwards."""
        if self._channels == 1 or not len(block):
            return block[:, 0]
        products = (block.T @ block).astype(np.float64) / len(block)
        if self._products is None:
            self._products = products
            self._gains = self._wanted()
        self._products += (products - self._products) / MEMORY
        before, self._gains = self._gains, self._wanted()
        if np.array_equal(before, self._gains):
            mixed: Samples = block @ self._gains.astype(np.float32)
            return mixed
        ramp = np.linspace(before, self._gains, len(block), dtype=np.float32)
        faded: Samples = (block * ramp).sum(axis=1)
        return faded

    def _wanted(self) -> NDArray[np.float64]:
        assert self._products is not None  # noqa: S101
        powers = np.diag(self._products)
        loudest = int(powers.argmax())
        live = powers >= powers[loudest] * SILENT
        limits = OPPOSED * np.sqrt(powers * powers[loudest])
        signs = np.where(self._products[loudest] < limits, -1.0, 1.0)
        gains: NDArray[np.float64] = live * signs / live.sum()
        return gains
