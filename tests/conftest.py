"""What every test may use."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from capswriter.errors import UserError
from capswriter.models.store import ModelStore

pytest_plugins = ["shared_server"]

# A busy machine is no fault of the code under test.
settings.register_profile("busy", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("busy")

PROJECT = Path(__file__).parents[1]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def samples() -> Path:
    """The folder of the recordings that come with the project."""
    return PROJECT / "ref_codes" / "samples"


@pytest.fixture(scope="session")
def speech() -> Path:
    """The folder of recordings beside the project; see its manifest.json."""
    folder = PROJECT.parent / "shared" / "speech"
    if not folder.is_dir():
        pytest.skip(f"there are no recordings in {folder}")
    return folder


@pytest.fixture(scope="session")
def whisper_base() -> Path:
    """The directory of the real whisper-base model."""
    try:
        return ModelStore().path("whisper-base")
    except UserError as error:
        pytest.skip(f"whisper-base is not installed: {error}")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--full", action="store_true", help="counts and durations of docs/reliability.md"
    )


@pytest.fixture(scope="session")
def full(pytestconfig: pytest.Config) -> bool:
    """Whether to take the time for the figures of docs/reliability.md."""
    return pytestconfig.getoption("full")
