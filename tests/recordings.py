"""Recordings as samples, each decoded once."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from capswriter.audio.decode import AudioFile

if TYPE_CHECKING:
    from pathlib import Path

    from capswriter.audio import Samples


@cache
def samples_of(path: Path) -> Samples:
    with AudioFile(path) as file:
        stream = np.concatenate(list(file.blocks()))
    stream.setflags(write=False)
    return stream
