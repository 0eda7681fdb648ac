"""What tests of engines have in common."""

from __future__ import annotations

from pathlib import Path

import pytest

from capswriter.models.store import default_directory


@pytest.fixture(scope="session")
def engines_store(tmp_path_factory) -> Path:
    """A model store for prepared copies, as models of tests are none of the user's."""
    directory = tmp_path_factory.mktemp("models")
    real = default_directory() / "whisper-base"
    if real.is_dir():
        (directory / real.name).symlink_to(real)
    return directory


@pytest.fixture(scope="module", autouse=True)
def _own_store(engines_store):
    """Here, and in every process started from here."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CAPSWRITER_MODEL_DIR", str(engines_store))
        yield
