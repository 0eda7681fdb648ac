"""A server with the real model, for all tests of this folder."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from servers import serving

from capswriter.audio import SAMPLE_RATE
from capswriter.audio.decode import AudioFile
from capswriter.errors import UserError
from capswriter.models.store import ModelStore

SAMPLES = Path(__file__).parents[2] / "ref_codes" / "samples"


@pytest.fixture(scope="session")
def server():
    try:
        ModelStore().path("whisper-base")
    except UserError as error:
        pytest.skip(str(error))
    with serving("--model", "whisper-base", "--workers", "2") as running:
        yield running


def recording(name: str):
    with AudioFile(SAMPLES / name) as file:
        return np.concatenate(list(file.blocks()))


@pytest.fixture(scope="session")
def first():
    """About 73 s of speech."""
    return recording("01.mp3")


@pytest.fixture(scope="session")
def second():
    """About 94 s of other speech."""
    return recording("02.mp3")


@pytest.fixture(scope="session")
def phrase(first):
    """8 s of speech that ends in a pause."""
    return first[: 8 * SAMPLE_RATE]
