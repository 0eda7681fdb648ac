"""Media files made for a test."""

from __future__ import annotations

from typing import TYPE_CHECKING

import av
import numpy as np

from capswriter.audio.decode import AudioFile, DecodeFailed

if TYPE_CHECKING:
    from pathlib import Path

    from av.container import OutputContainer
    from av.video.stream import VideoStream


def tone(hertz: float, seconds: float, rate: int, level: float = 0.5) -> np.ndarray:
    """A sine, float32[samples]."""
    return (level * np.sin(2 * np.pi * hertz * np.arange(round(seconds * rate)) / rate)).astype(
        np.float32
    )


def write(
    path: Path,
    signal: np.ndarray,
    rate: int,
    codec: str,
    *,
    layout: str = "mono",
    delay: float = 0.0,
    gap: tuple[float, float] | None = None,
    video: float = 0.0,
    options: dict[str, str] | None = None,
) -> Path:
    """Encode ``signal``, the same in each channel.

    Args:
        path: its suffix decides on the container.
        signal: float32[samples].
        rate: samples per second.
        codec: FFmpeg's name.
        layout: of the channels.
        delay: seconds by which the sound starts late.
        gap: a place in seconds, and for how many seconds there is nothing from there on.
        video: seconds of black beside it.
        options: of the container.
    """
    with av.open(str(path), "w", options=options or {}) as container:
        picture = _add_picture(container) if video else None
        stream = container.add_stream(codec, rate=rate)
        stream.layout = layout
        if picture is not None:
            _show_black(container, picture, video)
        channels = stream.layout.nb_channels
        chunk = stream.codec_context.frame_size or 1024
        convert = av.AudioResampler(format=stream.format.name, layout=layout, rate=rate)
        for start in range(0, len(signal), chunk):
            piece = np.tile(signal[start : start + chunk], (channels, 1))
            frame = av.AudioFrame.from_ndarray(piece, format="fltp", layout=layout)
            frame.rate = rate
            at = start / rate + delay + (gap[1] if gap and start / rate >= gap[0] else 0.0)
            for converted in convert.resample(frame):
                converted.pts = round(at * rate)
                container.mux(stream.encode(converted))
        container.mux(stream.encode(None))
    return path


def _add_picture(container: OutputContainer) -> VideoStream:
    stream = container.add_stream("libvpx" if container.format.name == "webm" else "mpeg4", rate=10)
    stream.width = stream.height = 64
    stream.pix_fmt = "yuv420p"
    return stream


def _show_black(container: OutputContainer, stream: VideoStream, seconds: float) -> None:
    for index in range(round(seconds * 10)):
        frame = av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8), format="rgb24")
        frame.pts = index
        container.mux(stream.encode(frame))
    container.mux(stream.encode(None))


def decoded(source: object) -> tuple[np.ndarray, str | None]:
    """What comes out, and the failure after or instead of it."""
    blocks, failure = [np.zeros(0, np.float32)], None
    try:
        with AudioFile(source) as file:
            blocks.extend(file.blocks())
    except DecodeFailed as error:
        failure = str(error)
    return np.concatenate(blocks), failure
