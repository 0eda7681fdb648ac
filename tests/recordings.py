"""Recordings as samples, each decoded once."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np

from capswriter.audio import Samples
from capswriter.audio.decode import AudioFile


@cache
def samples_of(path: Path) -> Samples:
    with AudioFile(path) as file:
        stream = np.concatenate(list(file.blocks()))
    stream.setflags(write=False)
    return stream
