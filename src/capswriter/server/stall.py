"""Ends connections whose peer takes nothing of what is sent to it."""

from __future__ import annotations

import asyncio
import logging

logger = logging.getLogger(__name__)


class StallWatch:
    """Watches what waits to be sent on one connection, while there is too much of it.

    It ends the connection when nothing of that has gone for ``seconds``. The peer cannot be told:
    a close frame would wait behind all the rest.

    Args:
        transport: of the connection.
        seconds: that its peer may take nothing.
        client: what to call the peer.
    """

    def __init__(self, transport: asyncio.Transport, seconds: float, client: str) -> None:
        self._transport = transport
        self._seconds = seconds
        self._client = client
        self._left = 0
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Watch from now on."""
        self.stop()
        self._left = self._transport.get_write_buffer_size()
        self._timer = asyncio.get_running_loop().call_later(self._seconds, self._check)

    def stop(self) -> None:
        """Watch no more; stopping twice is harmless."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _check(self) -> None:
        if self._transport.get_write_buffer_size() < self._left:
            self.start()
            return
        self._timer = None
        logger.warning(
            "%s: closed: it has read nothing for %g s, and %d bytes wait for it",
            self._client,
            self._seconds,
            self._left,
        )
        self._transport.abort()


def name(client: tuple[str, int] | None) -> str:
    """What to call a peer in the log."""
    return f"{client[0]}:{client[1]}" if client else "a client"
