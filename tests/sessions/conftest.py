"""What the tests of sessions share."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@pytest.fixture
async def complaints() -> AsyncIterator[list[str]]:
    """What asyncio had to say of tasks that nobody looked after."""
    found: list[str] = []
    asyncio.get_running_loop().set_exception_handler(
        lambda loop, context: found.append(context["message"])
    )
    yield found
    asyncio.get_running_loop().set_exception_handler(None)
