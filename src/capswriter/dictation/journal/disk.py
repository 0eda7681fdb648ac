"""The thread that does the journal's work with files, one thing after the other."""

from __future__ import annotations

import asyncio
import logging
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

_log = logging.getLogger(__name__)


class Disk:
    """Does what is asked for in order, without holding up the event loop.

    Args:
        on_trouble: gets one line when something cannot be written.
    """

    def __init__(self, on_trouble: Callable[[str], None] | None = None) -> None:
        self._loop = asyncio.get_running_loop()
        self._thread = ThreadPoolExecutor(1, "journal")
        self._on_trouble = on_trouble

    def do(self, job: Callable[[], T]) -> asyncio.Future[T]:
        """Have something done after all that was asked for before."""
        return asyncio.wrap_future(self._thread.submit(job), loop=self._loop)

    def tell(self, line: str) -> None:
        """Tell of trouble, from the thread."""
        _log.warning("%s", line)
        if self._on_trouble is not None:
            self._loop.call_soon_threadsafe(self._on_trouble, line)

    async def close(self) -> None:
        """Wait until everything is done, and end the thread."""
        await self.do(lambda: None)
        self._thread.shutdown()
