"""An engine in a process of its own, with nothing around it.

``python -m capswriter.bench.engines.bare CONTENDER KIND MODEL CLIPS`` loads it and obeys the lines
of its standard input: ``once NAME`` recognises one of the clips in the ``.npz`` file, and ``loop
SECONDS START`` all of them in turns, from that one on. It answers each with a line.
"""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, TextIO, cast

import numpy as np

from capswriter.bench.engines.contenders import Kind, Recognise, contender

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import TracebackType

    from capswriter.audio import Samples

READY = "ready"


class Bare:
    """Such a process, from outside; a context that ends it.

    Args:
        name: of the contender.
        kind: of the model.
        directory: of the model.
        clips: see ``save_clips``.
    """

    def __init__(self, name: str, kind: Kind, directory: Path, clips: Path) -> None:
        self._process = subprocess.Popen(  # noqa: S603  # this module
            [sys.executable, "-m", __name__, name, kind, directory, clips],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self.pid = self._process.pid

    def __enter__(self) -> Bare:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.kill()
        self._process.communicate()

    def ready(self) -> None:
        """Wait until the model is loaded."""
        self._answer(READY)

    def tell(self, command: str) -> None:
        """Have it do something."""
        stdin = cast("TextIO", self._process.stdin)
        stdin.write(f"{command}\n")
        stdin.flush()

    def done(self) -> tuple[float, float]:
        """Wait until it is done; seconds of audio, and seconds it took."""
        audio, seconds = self._answer("done").split()
        return float(audio), float(seconds)

    def _answer(self, word: str) -> str:
        for line in cast("TextIO", self._process.stdout):  # others print as well
            if line.startswith(word):
                return line.removeprefix(word)
        raise RuntimeError(f"the process for a bare engine ended: {self._process.wait()}")


def save_clips(path: Path, clips: Sequence[Samples]) -> None:
    """Write clips for such processes; their names are their numbers."""
    named = {str(index): samples for index, samples in enumerate(clips)}
    np.savez(path, **named)  # type: ignore[arg-type]  # no name of a clip is an option of it


def obey(recognise: Recognise, clips: Mapping[str, Samples], command: str) -> tuple[float, float]:
    """Do what a line says.

    Args:
        recognise: what does it.
        clips: by their names.
        command: the line.

    Returns:
        Seconds of audio that were recognised, and seconds that it took.
    """
    word, first, *more = command.split()
    names = list(clips)
    # Let through the first alone, or those that begin before the time is up.
    limit = float(first) if word == "loop" else 0.0
    start = names.index(more[0] if more else first)
    audio, began = 0.0, time.perf_counter()
    for name in itertools.islice(itertools.cycle(names), start, None):
        recognise(clips[name])
        audio += len(clips[name]) / 16_000
        if time.perf_counter() - began >= limit:
            break
    return audio, time.perf_counter() - began


def main() -> None:
    """Obey until the standard input closes."""
    name, kind, directory, path = sys.argv[1:]
    with np.load(path) as arrays:
        clips = {each: arrays[each] for each in arrays.files}
    recognise = contender(name, cast("Kind", kind), Path(directory))
    sys.stdout.write(f"{READY}\n")
    sys.stdout.flush()
    for command in sys.stdin:
        audio, seconds = obey(recognise, clips, command)
        sys.stdout.write(f"done {audio} {seconds}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
    os._exit(0)  # libraries that are slow to end do not matter
