"""Recordings as mp3."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import av
import numpy as np

from capswriter.audio import SAMPLE_RATE

if TYPE_CHECKING:
    from pathlib import Path

BIT_RATE = 64_000
"""Bits per second: 8 kB for a second of speech, which is recognised as well as the original."""

CHUNK = SAMPLE_RATE
PART = ".part"


def write_mp3(path: Path, audio: bytes) -> Path:
    """Encode 16-bit samples, mono, 16 kHz, into a new file that appears when it is whole.

    It takes about 5 ms for a second of sound, and lets other threads run.

    Args:
        path: without its suffix; where there is such a file, a number is added.
        audio: the samples.

    Returns:
        The path of the file.

    Raises:
        OSError: it cannot be written.
    """
    taken = _take_name(path)
    part = taken.with_name(taken.name + PART)
    try:
        _encode(part, audio)
        part.replace(taken)
    except BaseException:
        for left in (part, taken):
            with suppress(OSError):
                left.unlink(missing_ok=True)
        raise
    return taken


def _take_name(path: Path) -> Path:
    count = 1
    while True:
        taken = path.with_name(f"{path.name}{f' {count}' if count > 1 else ''}.mp3")
        try:
            taken.touch(exist_ok=False)
        except FileExistsError:
            count += 1
        else:
            return taken


def _encode(path: Path, audio: bytes) -> None:
    samples = np.frombuffer(audio[: len(audio) // 2 * 2], "<i2").astype(np.int16)[np.newaxis]
    # Without its prefix, "12:30.mp3" would be a file for FFmpeg's protocol "12".
    with av.open(f"file:{path}", "w", format="mp3") as container:
        stream = container.add_stream(
            "libmp3lame", rate=SAMPLE_RATE, layout="mono", bit_rate=BIT_RATE
        )
        for start in range(0, samples.shape[1], CHUNK):
            piece = np.ascontiguousarray(samples[:, start : start + CHUNK])
            frame = av.AudioFrame.from_ndarray(piece, format="s16", layout="mono")
            frame.sample_rate = SAMPLE_RATE
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
