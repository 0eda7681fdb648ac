"""WebSockets at the level of bytes: who has sent some lately, and who does not read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from capswriter.server.stall import StallWatch, name

if TYPE_CHECKING:
    from asyncio.transports import BaseTransport

    from websockets.frames import Frame

PULSE = "capswriter.pulse"
"""Key of the connection's ``Pulse`` in the state of its ASGI scope."""


class Pulse:
    """When bytes last arrived on a connection, by the event loop's clock.

    A large message takes its time; who is sending one is not silent.
    """

    def __init__(self, now: float) -> None:
        self.heard = now


class WireProtocol(WebSocketsSansIOProtocol):
    """uvicorn's WebSocket, which forgets who reads nothing, and keeps no more for him than it must.

    Args:
        stall: seconds that the peer may leave unread what is sent to it.
    """

    def __init__(self, *arguments: Any, stall: float, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.conn.debug = False  # it would log the request, token and all
        self._seconds = stall
        self._stall: StallWatch | None = None
        self._pulse = Pulse(self.loop.time())
        self.app_state = {**self.app_state, PULSE: self._pulse}

    def connection_made(self, transport: BaseTransport) -> None:
        """Begin."""
        super().connection_made(transport)
        client = name(self.client)
        self._stall = StallWatch(self.transport, self._seconds, client)

    def connection_lost(self, exc: Exception | None) -> None:
        """End."""
        if self._stall is not None:
            self._stall.stop()
        super().connection_lost(exc)

    def start_keepalive(self) -> None:
        """Let go of the handshake, which is over now: its headers take 4 kB."""
        super().start_keepalive()
        for each in (self.request, self.response):
            each.headers.clear()  # not ``del``: the parser holds the request, too
        self.scope["headers"] = []

    def data_received(self, data: bytes) -> None:
        """Take bytes."""
        self._pulse.heard = self.loop.time()
        super().data_received(data)

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

    async def run_asgi(self) -> None:
        """Serve the connection; what is left to send at its end gets the same time to go."""
        await super().run_asgi()
        if self._stall is not None and not self.disconnected:
            self._stall.start()

    def handle_ping(self) -> None:
        """Answer a ping, unless earlier answers lie unread: they would pile up without end."""
        if self.writable.is_set():
            super().handle_ping()
        else:
            self.conn.data_to_send()

    def send_keepalive_ping(self) -> None:
        """Ping, unless there is enough to read already."""
        if self.writable.is_set():
            super().send_keepalive_ping()
        elif not (self.close_sent or self.transport.is_closing()):
            self.schedule_ping()

    def handle_cont(self, event: Frame) -> None:
        """Join a message as its fragments come: a list of tiny ones takes fifty times the room."""
        if not (self.frames and isinstance(self.frames[0], bytearray)):
            self.frames = [bytearray(b"".join(self.frames))]  # type: ignore[list-item]
        self.frames[0] += event.data
        if event.fin:
            self.frames = [bytes(self.frames[0])]
            self.send_receive_event_to_app()
