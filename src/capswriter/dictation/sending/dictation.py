"""What is being dictated, as one thing speaks it and another sends it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    import anyio

    from capswriter.audio import Samples
    from capswriter.dictation.journal import Entry

CHUNK = 2**14
"""Bytes that are sent in one piece at most: half a second."""


class Dictation:
    """One dictation on its way; ``Sender`` makes it.

    Args:
        entry: of the journal.
        is_stopped: whether it was spoken before.
        stopped: called when it was stopped.
        cancelled: called when it was cancelled; tells whether that was in time.
    """

    def __init__(
        self,
        entry: Entry,
        *,
        is_stopped: bool,
        stopped: Callable[[Dictation], None],
        cancelled: Callable[[Dictation], bool],
    ) -> None:
        self.entry = entry
        self.is_stopped = is_stopped
        self.is_settled = False
        """Whether nothing more has to be sent."""
        self.breaks = 0
        """How often a server took it and was lost."""
        self.attempt: anyio.CancelScope | None = None
        """The attempt to send it that runs."""
        self._stopped = stopped
        self._cancelled = cancelled
        self._audio: bytearray | None = None if is_stopped else bytearray()
        self._news = asyncio.Event()
        self._ended = asyncio.Event()
        if is_stopped:
            self._ended.set()

    def __repr__(self) -> str:
        return f"<Dictation {self.entry!r}>"

    @property
    def begun(self) -> float:
        """Unix seconds when it began."""
        return self.entry.record.begun

    def add(self, samples: Samples) -> None:
        """Add what was just said; this waits for nothing. After the end, it is not heard."""
        if self.is_stopped:
            return
        audio = (np.clip(np.round(samples * 32_768), -32_768, 32_767)).astype("<i2").tobytes()
        self.entry.add(audio)
        if self._audio is not None:
            self._audio += audio
        self._news.set()

    def stop(self) -> None:
        """End it: its text follows as an event."""
        if not self.is_stopped:
            self.is_stopped = True
            self.entry.close()
            self._news.set()
            self._ended.set()
            self._stopped(self)

    def cancel(self) -> bool:
        """Forget it; tells whether that was in time, so that no text follows."""
        self.is_stopped = True
        self._news.set()
        cancelled = self._cancelled(self)
        self._ended.set()
        return cancelled

    async def ended(self) -> None:
        """Wait until nothing more is said: what fails before that is recorded to its end."""
        await self._ended.wait()

    async def load(self) -> None:
        """Have the samples at hand.

        Raises:
            OSError: they cannot be read.
        """
        if self._audio is None:
            self._audio = bytearray(await self.entry.audio())

    def unload(self) -> None:
        """Leave the samples to the journal until they are wanted again."""
        if self.is_stopped:
            self._audio = None

    async def more(self, sent: int) -> bytes:
        """Wait for samples beyond ``sent`` bytes; none at the end."""
        while True:
            self._news.clear()
            assert self._audio is not None, "it has not been loaded"  # noqa: S101
            if sent < len(self._audio):
                return bytes(self._audio[sent : sent + CHUNK])
            if self.is_stopped:
                return b""
            await self._news.wait()
