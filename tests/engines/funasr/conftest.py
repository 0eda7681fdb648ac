"""Models for the tests of the FunASR engine."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from recordings import samples_of

from capswriter.audio import SAMPLE_RATE, Samples
from capswriter.audio.segment import Segmenter

SECONDS = 6.9
TEXT = "Dictation is an old idea. For most of history, one person spoke and another person wrote."
"""What is said in the first seconds of 01.mp3."""


@dataclass(frozen=True)
class Models:
    """Directories of models, and what FunASR itself gives for one segment of a recording."""

    directory: Path
    recording: Samples
    segment: Samples
    text: str
    expected: dict[str, Any]


@pytest.fixture(scope="session")
def models(samples: Path, tmp_path_factory: pytest.TempPathFactory) -> Models:
    if find_spec("funasr") is None:
        pytest.skip("FunASR is not installed; run scripts/test-funasr")
    directory = tmp_path_factory.mktemp("models")
    recording = samples_of(samples / "01.mp3")[: round(SECONDS * SAMPLE_RATE)]
    segmenter = Segmenter()
    cut = segmenter.push(recording) + segmenter.finish()
    (segment,) = (each.samples for each in cut if each.samples is not None)
    np.save(directory / "segment.npy", segment)
    script = Path(__file__).with_name("tiny_models.py")
    command = [sys.executable, script, directory / "segment.npy", TEXT, directory]
    made = subprocess.run(command, check=False, capture_output=True, text=True, timeout=110)
    assert made.returncode == 0, made.stderr[-2000:]
    expected = json.loads((directory / "expected.json").read_text())
    return Models(directory, recording, segment, TEXT, expected)
