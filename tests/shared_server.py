"""Fixtures for tests against a real server: the server, and what is said to it."""

from __future__ import annotations

import socket

import pytest
from recordings import samples_of
from servers import serving

from capswriter.audio import SAMPLE_RATE


@pytest.fixture(scope="session")
def server(whisper_base):
    """A server with the real model and two workers, shared by all tests."""
    with serving("--model", "whisper-base", "--workers", "2") as running:
        yield running


@pytest.fixture(scope="session")
def first(samples):
    """About 73 s of speech."""
    return samples_of(samples / "01.mp3")


@pytest.fixture(scope="session")
def second(samples):
    """About 94 s of other speech."""
    return samples_of(samples / "02.mp3")


@pytest.fixture(scope="session")
def phrase(first):
    """8 s of speech that ends in a pause."""
    return first[: 8 * SAMPLE_RATE]


@pytest.fixture
def unused_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return listening.getsockname()[1]
