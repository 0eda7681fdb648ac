"""A file decoded piece by piece in a thread, as fast as somebody takes the pieces."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import numpy as np
from anyio import to_thread

from capswriter.audio import SAMPLE_RATE, Samples
from capswriter.audio.decode import AudioFile, DecodeFailed

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


class Recording:
    """The audio of a file, as a stream in constant memory.

    Args:
        file: opened; decoded no further than what has been taken.
    """

    def __init__(self, file: AudioFile) -> None:
        self._blocks = file.blocks()
        self._held: list[Samples] = []
        self._held_samples = 0
        self._decoded = 0
        self.promised = file.duration
        """Seconds by the file's own header, or None."""
        self.ended = False
        """Whether everything has been decoded."""
        self.damage: DecodeFailed | None = None
        """What kept the rest of the file from being decoded."""

    @property
    def seconds(self) -> float:
        """Seconds of audio decoded so far."""
        return self._decoded / SAMPLE_RATE

    async def take(self, seconds: int) -> Samples:
        """Return the next ``seconds`` of audio; less at the end, and then nothing.

        Raises:
            DecodeFailed: nothing at all can be decoded. Where only the rest of a file cannot,
                it ends there, and ``damage`` says so.
        """
        wanted = seconds * SAMPLE_RATE
        await self.hold(wanted)
        joined = np.concatenate([*self._held, np.empty(0, np.float32)])
        self._held = [joined[wanted:]]
        self._held_samples = len(self._held[0])
        return joined[:wanted]

    async def hold(self, samples: int) -> None:
        """Decode until ``samples`` are ready to be taken, or all there are; raises as ``take``."""
        while self._held_samples < samples and not self.ended:
            block = await to_thread.run_sync(self._next)
            if block is None:
                self.ended = True
            else:
                self._held.append(block)
                self._held_samples += len(block)

    def _next(self) -> Samples | None:
        try:
            block = next(self._blocks, None)
        except DecodeFailed as error:
            if not self._decoded:
                raise
            self.damage = error
            return None
        if block is not None:
            self._decoded += len(block)
        return block


@asynccontextmanager
async def opened(path: Path) -> AsyncIterator[Recording]:
    """Open a file for as long as the block runs.

    Args:
        path: of any format that FFmpeg reads; messages call it what it is called here.

    Raises:
        DecodeFailed: it cannot be opened, or nothing in it can be decoded.
    """
    file = await to_thread.run_sync(lambda: AudioFile(path, name=str(path)))
    try:
        recording = Recording(file)
        await recording.hold(1)
        yield recording
    finally:
        file.close()
