"""Speech that says where it is, for tests of faults."""

from __future__ import annotations

import marked_speech
import pytest


@pytest.fixture(scope="session")
def marked(first, second):
    """167 s of marked speech."""
    return marked_speech.marked(first, second)
