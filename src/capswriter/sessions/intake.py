"""The bytes of an utterance, as a client sends them, become samples."""

from __future__ import annotations

import math
import os
from enum import Enum
from typing import TYPE_CHECKING, BinaryIO, cast

import numpy as np

from capswriter.audio import SAMPLE_RATE, Samples
from capswriter.audio.decode import AudioFile
from capswriter.audio.g711 import decode_alaw, decode_ulaw
from capswriter.audio.resample import Resampler
from capswriter.errors import UserError
from capswriter.sessions.spool import Spool, SpoolReader

if TYPE_CHECKING:
    from collections.abc import Iterator

PIECE = 30 * SAMPLE_RATE
"""Samples taken at a time: what one visit to a thread deals with, about 15 ms of work."""


FULL_SCALE = np.float32(1 / 32_768)
"""16-bit integers to [-1, 1]."""

COMPRESSED = 16_000
"""Bytes in a second of compressed audio, at a guess: 128 kbit/s."""


class BadAudio(UserError):
    """Samples that are no sound."""


class AudioTooLong(UserError):
    """More audio than an utterance may have."""


class AudioFormat(Enum):
    """How the bytes hold sound; mono, but for containers, which tell that themselves."""

    F32LE = "f32le"
    S16LE = "s16le"
    ULAW = "ulaw"
    ALAW = "alaw"
    CONTAINER = "container"

    @property
    def width(self) -> int:
        """Bytes of a sample outside of containers."""
        return {AudioFormat.F32LE: 4, AudioFormat.S16LE: 2}.get(self, 1)


class Intake:
    """Takes the bytes of one utterance from a socket, gives samples to a thread.

    Args:
        audio_format: of the bytes.
        rate: samples in a second, outside of containers.
        longest: seconds of audio that are accepted.
    """

    def __init__(
        self, audio_format: AudioFormat, *, rate: int = SAMPLE_RATE, longest: float
    ) -> None:
        self.audio_format = audio_format
        self.received = 0  # bytes
        self.taken = 0  # samples
        self.is_drained = False
        """Whether the newest ``take`` left nothing that had come."""
        self._rate = rate
        self._resampler = Resampler(rate)
        self._longest = longest
        self._spool = Spool()
        self._rest = b""
        self._blocks: Iterator[Samples] | None = None

    @property
    def blocks_its_thread(self) -> bool:
        """Whether ``take`` may wait for bytes that are still to come."""
        return self.audio_format is AudioFormat.CONTAINER

    @property
    def seconds(self) -> float:
        """Seconds of audio received; of a container, at a guess."""
        rate = COMPRESSED if self.blocks_its_thread else self.audio_format.width * self._rate
        return self.received / rate

    @property
    def waiting(self) -> float:
        """Seconds of audio that wait to be taken; infinite for a container, where nobody knows."""
        if self.blocks_its_thread:
            return math.inf
        return self.seconds - self.taken / SAMPLE_RATE

    @property
    def ended(self) -> bool:
        """Whether nothing follows what has come."""
        return self._spool.ended

    def write(self, data: bytes) -> None:
        """Take bytes; they need not end between two samples.

        Raises:
            AudioTooLong: it is more than an utterance may have.
            BadAudio: the disk cannot hold it.
        """
        self.received += len(data)
        if not self.blocks_its_thread:
            self._limit(self.seconds)
        try:
            self._spool.write(data)
        except OSError as error:
            reason = os.strerror(error.errno) if error.errno else str(error)
            raise BadAudio(f"the server cannot store the audio: {reason}") from error

    def end(self) -> None:
        """Tell that nothing follows."""
        self._spool.end()

    def take(self) -> tuple[Samples, bool]:
        """Give the next samples, and whether they are the last; none where nothing has come.

        Raises:
            BadAudio: samples that are not numbers.
            DecodeFailed: a container that cannot be decoded.
            AudioTooLong: a container that holds more than an utterance may have.
        """
        samples, last = self._decode() if self.blocks_its_thread else self._convert()
        self.taken += len(samples)
        self._limit(self.taken / SAMPLE_RATE)
        return samples, last

    def close(self) -> None:
        """Free what was stored; a ``take`` that waits returns."""
        self._spool.close()

    def release(self) -> None:
        """Free the decoder, which has threads of its own; call it after the last ``take``.

        Python would find it late, as an utterance is in cycles with its tasks.
        """
        self._blocks = None

    def _limit(self, seconds: float) -> None:
        if seconds > self._longest:
            hours = self._longest / 3600
            raise AudioTooLong(f"the audio is longer than the {hours:g} h this server accepts")

    def _convert(self) -> tuple[Samples, bool]:
        ended = self._spool.ended  # before reading: what is written between the two is not lost
        width = self.audio_format.width
        data = self._spool.read(PIECE * width)
        self.is_drained = len(data) < PIECE * width
        last = ended and self.is_drained
        data = self._rest + data if self._rest else data
        whole = len(data) // width * width
        self._rest = data[whole:]
        samples = self._samples(data[:whole])
        return self._resampler.push(samples, last=last), last

    def _samples(self, data: bytes) -> Samples:
        if self.audio_format is AudioFormat.F32LE:
            numbers = np.frombuffer(data, "<f4").astype(np.float32, copy=False)
            if not np.isfinite(numbers).all():
                raise BadAudio("the audio has samples that are not numbers (NaN or infinite)")
            return numbers
        if self.audio_format is AudioFormat.ULAW:
            pcm = decode_ulaw(data)
        elif self.audio_format is AudioFormat.ALAW:
            pcm = decode_alaw(data)
        else:
            pcm = np.frombuffer(data, "<i2")
        samples: Samples = pcm * FULL_SCALE
        return samples

    def _decode(self) -> tuple[Samples, bool]:
        if self._blocks is None:
            self._blocks = AudioFile(cast("BinaryIO", SpoolReader(self._spool))).blocks()
        block = next(self._blocks, None)
        return (np.zeros(0, np.float32), True) if block is None else (block, False)
