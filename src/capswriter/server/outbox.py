"""What one socket is to be sent: in order, by one sender, with newer partials in place of older."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

from capswriter import trace

if TYPE_CHECKING:
    from collections.abc import Awaitable

Message: TypeAlias = Callable[[], str]
"""Writes the message when it is sent, so that one that is replaced costs nothing."""

MOMENT = 0.005
"""Seconds that a partial waits: what was said after it goes to a worker first."""


class Outbox:
    """Messages that wait for the socket; at most one partial for each task, and its end.

    Who reads frames waits for ``room`` before each, so a client that never reads stops being read:
    more than ``most`` messages wait only where so many tasks were under way already.

    Args:
        most: messages beyond which there is no room.
    """

    def __init__(self, most: int = 64) -> None:
        self._waiting: OrderedDict[object, Message] = OrderedDict()
        self._most = most
        self._room = asyncio.Event()
        self._filled = asyncio.Event()
        self._emptied = asyncio.Event()

    def put(self, message: Message) -> None:
        """Add a message that must arrive."""
        self._waiting[object()] = message
        self._filled.set()

    def put_partial(self, task: str, message: Message) -> None:
        """Add a message that the task's next one makes worthless, to be sent a moment later."""
        self._waiting[task] = message
        asyncio.get_running_loop().call_later(MOMENT, self._filled.set)

    def put_last(self, task: str, message: Message) -> None:
        """Add the task's last message, in place of a partial that still waits."""
        self.drop_partial(task)
        self.put(message)

    def drop_partial(self, task: str) -> None:
        """Forget the task's partial, if one waits."""
        self._waiting.pop(task, None)

    async def send_all(self, send: Callable[[str], Awaitable[None]]) -> None:
        """Send what comes, until cancelled."""
        while True:
            await self._filled.wait()
            while self._waiting:
                _, message = self._waiting.popitem(last=False)
                await send(message())
                self._room.set()
            self._filled.clear()
            self._emptied.set()

    async def room(self) -> None:
        """Wait until fewer than ``most`` messages wait."""
        while len(self._waiting) >= self._most:
            self._room.clear()
            await self._room.wait()

    async def emptied(self) -> None:
        """Wait until everything that is waiting now has been handed to the socket."""
        self._emptied.clear()
        self._filled.set()
        await self._emptied.wait()
        trace.note("sent", sent=time.monotonic())
