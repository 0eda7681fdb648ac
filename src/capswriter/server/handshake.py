"""TCP connections until they are WebSockets: bounded in number, and each with a deadline."""

from __future__ import annotations

import socket
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from capswriter.server.stall import StallWatch, name

if TYPE_CHECKING:
    import asyncio

MARGIN = 128
"""Connections beyond the WebSockets: HTTP requests, and handshakes under way."""

SEND_BUFFER = 256 * 1024
"""Bytes the system may hold for a peer that does not read; by itself it takes megabytes."""

VANISHED = 300
"""Seconds after which a peer that is gone without a word, cable and all, is noticed."""

FULL = (
    b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 5\r\nConnection: close\r\n"
    b"Content-Length: 0\r\n\r\n"
)


@dataclass
class Handshakes:
    """The connections that have not said yet what they want, oldest first.

    Args:
        deadline: seconds until each has to have sent a whole request.
        connections: how many connections there may be, of all kinds.
        stall: seconds that a peer may leave unread what is sent to it.
    """

    deadline: float
    connections: int
    stall: float
    waiting: dict[HandshakeProtocol, asyncio.TimerHandle] = field(default_factory=dict)

    def begin(self, connection: HandshakeProtocol) -> None:
        """Start the deadline of one that waits; one that waits already keeps its own."""
        if connection not in self.waiting:
            timer = connection.loop.call_later(self.deadline, self._hang_up, connection)
            self.waiting[connection] = timer

    def end(self, connection: HandshakeProtocol) -> None:
        """Forget one that has sent its request, or has gone."""
        timer = self.waiting.pop(connection, None)
        if timer is not None:
            timer.cancel()

    def make_room(self) -> bool:
        """Hang up on whoever has kept us waiting longest; False where nobody waits.

        So a crowd that says nothing cannot keep out one that speaks.
        """
        longest = next(iter(self.waiting), None)
        if longest is None:
            return False
        self._hang_up(longest)
        return True

    def _hang_up(self, connection: HandshakeProtocol) -> None:
        self.end(connection)
        connection.connections.discard(connection)
        connection.transport.abort()


class HandshakeProtocol(H11Protocol):
    """uvicorn's HTTP, for connections that may say nothing, or say it slowly, or do not read."""

    def __init__(self, *arguments: Any, handshakes: Handshakes, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._handshakes = handshakes
        self._stall: StallWatch | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start the deadline, or refuse one connection too many."""
        super().connection_made(transport)
        _prepare(transport.get_extra_info("socket"))
        client = name(self.client)
        self._stall = StallWatch(transport, self._handshakes.stall, client)
        is_full = len(self.connections) > self._handshakes.connections
        if is_full and not self._handshakes.make_room():
            transport.write(FULL)
            transport.close()
        else:
            self._handshakes.begin(self)

    def data_received(self, data: bytes) -> None:
        """Take bytes; they stop the deadline only where they complete a request."""
        super().data_received(data)
        if self._is_owed_something():
            self._handshakes.begin(self)
        else:
            self._handshakes.end(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        self._handshakes.end(self)
        if self._stall is not None:
            self._stall.stop()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """Note that too much waits to be sent."""
        super().pause_writing()
        if self._stall is not None:
            self._stall.start()

    def resume_writing(self) -> None:
        """Note that the peer reads."""
        super().resume_writing()
        if self._stall is not None:
            self._stall.stop()

    def _is_owed_something(self) -> bool:
        """Whether a request has not come altogether and nobody else waits for its rest."""
        if self.transport.is_closing() or self.transport.get_protocol() is not self:
            return False
        if self.conn.their_state is h11.IDLE:
            return True
        answered = self.cycle is not None and self.cycle.response_complete
        return answered and self.conn.their_state is h11.SEND_BODY


def _prepare(connection: socket.socket | None) -> None:
    """Bound what the system buffers, and have it notice peers that have vanished."""
    if connection is None:
        return
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in (
        ("TCP_KEEPIDLE", 60),
        ("TCP_KEEPALIVE", 60),  # what macOS calls it
        ("TCP_KEEPINTVL", 30),
        ("TCP_KEEPCNT", (VANISHED - 60) // 30),
        # Keep-alive is silent while something unconfirmed is under way, as our pings are.
        ("TCP_USER_TIMEOUT", VANISHED * 1000),
    ):
        if hasattr(socket, option):
            connection.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)
