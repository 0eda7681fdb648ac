"""Decoding of any container or codec that FFmpeg reads, as a stream, in constant memory."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import av
import numpy as np
from av.error import FFmpegError

from capswriter.audio import SAMPLE_RATE, Samples
from capswriter.audio.resample import Resampler
from capswriter.audio.riff import promised_seconds
from capswriter.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

    from av.audio.frame import AudioFrame
    from av.audio.stream import AudioStream
    from av.container import InputContainer

FULL_SCALE = np.float32(2**-31)
"""The mixer's integers to [-1, 1]; into floats, it would add channels up to three times that."""

BLOCK = SAMPLE_RATE
"""Samples in a decoded block: one second."""

LARGEST_GAP = 60.0
"""Seconds. Longer jumps of the time stamps are taken for broken stamps, not for missing sound."""

SMALLEST_GAP = 0.1
"""Seconds. Shorter ones are encoder delay and rounding."""

TRUNCATED_BY = 1.0
"""Seconds that may be missing at the end before a file counts as truncated."""


class DecodeFailed(UserError):
    """The audio cannot be read, or not to its end; the message names the file and the reason."""


class AudioFile:
    """An audio or video file, opened; a context manager.

    Args:
        source: a path, or a binary file object that is read from where it stands.
        name: what messages call it; the path's last part by default.

    Raises:
        DecodeFailed: it is missing, empty, unreadable, no media file, or has no audio in it.
    """

    def __init__(self, source: Path | BinaryIO, *, name: str | None = None) -> None:
        self.name = name or (source.name if isinstance(source, Path) else "the audio")
        self._container = self._open(source)
        self._promised = _wav_promise(self._container, source)
        if not self._container.streams.audio:
            self._container.close()
            raise DecodeFailed(f"{self.name}: there is no audio in it")
        self._stream: AudioStream = self._container.streams.audio[0]

    def __enter__(self) -> AudioFile:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; closing twice is harmless."""
        self._container.close()

    @property
    def duration(self) -> float | None:
        """Seconds by the file's own header, or None where it says nothing."""
        if self._promised is not None:
            return self._promised
        if self._stream.duration is not None and self._stream.time_base is not None:
            return float(self._stream.duration * self._stream.time_base)
        if self._container.duration is not None:
            return self._container.duration / av.time_base
        return None

    def blocks(self) -> Iterator[Samples]:
        """Decode from start to end, in blocks of about a second.

        Sound that is missing at the start or in between by the time stamps comes as silence, so
        that a sample's place is its time in a player. Damaged packets are passed over.

        Raises:
            DecodeFailed: after the last block, where the file ends before its header says it
                should, or where nothing could be decoded at all.
        """
        decoded = 0
        for block in _gathered(self._resampled()):
            decoded += len(block)
            yield block
        if not decoded:
            raise DecodeFailed(
                f"{self.name}: no sound could be decoded from it; the file is damaged or empty"
            )
        seconds, promised = decoded / SAMPLE_RATE, self.duration
        if promised is not None and self._duration_is_exact() and promised - seconds > TRUNCATED_BY:
            raise DecodeFailed(
                f"{self.name}: the file is damaged or incomplete: "
                f"{seconds:.1f} s of {promised:.1f} s could be decoded"
            )

    def _open(self, source: Path | BinaryIO) -> InputContainer:
        if isinstance(source, Path):
            if not source.is_file():
                what = "this is a directory" if source.is_dir() else "there is no such file"
                raise DecodeFailed(f"{self.name}: {what}")
            if source.stat().st_size == 0:
                raise DecodeFailed(f"{self.name}: the file is empty")
        try:
            # Nothing but the file itself: a session description would open sockets and wait, and
            # without its prefix, "12:30.wav" is a file for FFmpeg's protocol "12".
            if isinstance(source, Path):
                return av.open(f"file:{source}", mode="r", options={"protocol_whitelist": "file"})
            return av.open(source, mode="r", options={"protocol_whitelist": ""})
        except (FFmpegError, OSError) as error:
            raise DecodeFailed(
                f"{self.name}: not an audio or video file ({_reason(error)})"
            ) from error

    def _duration_is_exact(self) -> bool:
        if self._stream.duration is None and len(self._container.streams) > 1:
            return False  # it is that of the longest stream, such as a video's
        # Others (mp3, aac) have theirs estimated from the bit rate.
        formats = set(self._container.format.name.split(","))
        return bool(formats & {"mp4", "mov", "matroska", "flac", "wav", "ogg"})

    def _frames(self) -> Iterator[AudioFrame]:
        try:
            for packet in self._container.demux(self._stream):
                try:
                    yield from packet.decode()
                except FFmpegError:
                    continue  # one damaged packet; the gap shows in the time stamps
        except FFmpegError:
            return  # the container breaks off here; ``blocks`` compares with the promised length

    def _resampled(self) -> Iterator[Samples]:
        resampler: Resampler | None = None
        shape: tuple[str, str, int] | None = None
        placed = 0.0
        for frame in self._frames():
            if shape != (frame.format.name, frame.layout.name, frame.rate):
                if resampler is not None:
                    yield resampler.finish()
                shape = (frame.format.name, frame.layout.name, frame.rate)
                mono = av.AudioResampler(format="s32", layout="mono", rate=frame.rate)
                resampler = Resampler(frame.rate)
            assert resampler is not None  # noqa: S101
            gap = self._time(frame, placed) - placed
            if SMALLEST_GAP < gap <= LARGEST_GAP:
                yield resampler.push(np.zeros(round(gap * frame.rate), np.float32))
                placed += gap
            frame.pts = None  # the mixer would fill gaps by rules of its own
            for mixed in mono.resample(frame):
                yield resampler.push(mixed.to_ndarray()[0].astype(np.float32) * FULL_SCALE)
            placed += frame.samples / frame.rate
        if resampler is not None:
            yield resampler.finish()

    def _time(self, frame: AudioFrame, otherwise: float) -> float:
        if frame.pts is None or frame.time_base is None:
            return otherwise
        start = (self._container.start_time or 0) / av.time_base
        return float(frame.pts * frame.time_base) - start


def _wav_promise(container: InputContainer, source: Path | BinaryIO) -> float | None:
    if container.format.name == "wav" and isinstance(source, Path):
        return promised_seconds(source)
    return None


def _gathered(pieces: Iterator[Samples]) -> Iterator[Samples]:
    """Join small pieces to blocks of at least ``BLOCK`` samples, but for the last."""
    held: list[Samples] = []
    length = 0
    for piece in pieces:
        held.append(piece)
        length += len(piece)
        if length >= BLOCK:
            yield np.concatenate(held)
            held, length = [], 0
    if length:
        yield np.concatenate(held)


def _reason(error: Exception) -> str:
    text = getattr(error, "strerror", None) or str(error)
    return text[0].lower() + text[1:] if text else type(error).__name__
