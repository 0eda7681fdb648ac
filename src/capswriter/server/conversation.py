"""A socket that has spoken: what its client says is taken, and what waits for it is sent."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

import anyio
from starlette.websockets import WebSocketDisconnect

from capswriter.pool import Overloaded, RecogniserClosed
from capswriter.server.messages import close, content
from capswriter.server.outbox import Outbox
from capswriter.server.wire import PULSE, Pulse

if TYPE_CHECKING:
    from anyio.abc import TaskGroup
    from starlette.websockets import WebSocket

    from capswriter.server.front import Front

TASKS_AT_ONCE = 32
"""Unfinished tasks that one connection may have."""

RETRY_SOON = 2.0
"""Seconds after which a client that has too many may try again."""


class Conversation(ABC):
    """One connection from its first message to its end; a door says what the messages mean.

    Args:
        websocket: accepted; nothing else reads it or writes to it.
        front: what the server's doors share.
        client: what to call the client.
    """

    def __init__(self, websocket: WebSocket, front: Front, client: str) -> None:
        self.client = client
        self.front = front
        self.outbox = Outbox()
        self.group: TaskGroup  # whatever the conversation starts ends with it
        self._websocket = websocket
        self._farewell = ""  # why the socket has to be closed
        self._heard = anyio.current_time()
        self._pulse: Pulse = websocket.scope["state"][PULSE]

    @abstractmethod
    async def take(self, message: str | bytes) -> None:
        """Do what a message asks for."""

    @property
    @abstractmethod
    def is_expectant(self) -> bool:
        """Whether the client has begun what it has to go on with: only then is silence a fault."""

    def begin(self) -> None:  # noqa: B027  # most have nothing to do
        """Start in ``group`` what runs all the time."""

    async def serve(self, message: str | bytes) -> None:
        """Take this message, and more until the client goes or has to.

        Raises:
            WebSocketDisconnect: it has gone.
        """
        gone: WebSocketDisconnect | None = None
        async with anyio.create_task_group() as self.group:
            self.group.start_soon(self._send)
            self.begin()
            try:
                while True:
                    await self.take(message)
                    await self.outbox.room()
                    message = await self._receive()
            except WebSocketDisconnect as error:
                gone = error
            self.group.cancel_scope.cancel()
        if gone is not None:
            raise gone
        if self._farewell:
            await close(self._websocket, self.client, self._farewell)

    def hang_up(self, reason: str) -> None:
        """End the connection; the first reason counts."""
        self._farewell = self._farewell or reason
        self.group.cancel_scope.cancel()

    def refuse_if_full(self, unfinished: int) -> None:
        """Refuse one task more than the client has.

        Raises:
            Overloaded: it has too many that are not finished.
            RecogniserClosed: the server is stopping.
        """
        if self.front.draining:
            raise RecogniserClosed("the server is stopping")
        if unfinished >= TASKS_AT_ONCE:
            message = f"this connection has {TASKS_AT_ONCE} unfinished tasks"
            raise Overloaded(message, retry_after=RETRY_SOON)

    async def _send(self) -> None:
        try:
            await self.outbox.send_all(self._websocket.send_text)
        except WebSocketDisconnect:
            self.group.cancel_scope.cancel()

    async def _receive(self) -> str | bytes:
        self._heard = anyio.current_time()
        while True:
            with anyio.move_on_after(self._patience()):
                return content(await self._websocket.receive())
            if self._patience() <= 0:
                break
        limit = self.front.config.ws_timeout
        self.hang_up(f"nothing came for {limit:g} s in the middle of a task")
        await anyio.sleep_forever()  # until the cancellation arrives
        raise AssertionError

    def _patience(self) -> float:
        """Seconds that the client may still be silent."""
        limit = self.front.config.ws_timeout
        if not (self.is_expectant and limit):
            return math.inf
        # A large frame may take longer than that to arrive; who sends one is not silent.
        return max(self._heard, self._pulse.heard) + limit - anyio.current_time()
