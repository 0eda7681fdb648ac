"""A server whose workers run the fake engine, for tests that do not harm it."""

from __future__ import annotations

import pytest
from servers import serving_fake


@pytest.fixture(scope="package")
def server():
    with serving_fake() as running:
        yield running
