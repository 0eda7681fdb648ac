"""A WebSocket to a server of any version, opened and closed."""

from __future__ import annotations

from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import TYPE_CHECKING

import anyio
from websockets.asyncio.client import ClientConnection
from websockets.asyncio.client import connect as open_socket
from websockets.exceptions import (
    ConnectionClosed,
    InvalidHandshake,
    InvalidMessage,
    InvalidStatus,
    InvalidURI,
)
from websockets.frames import CloseCode
from websockets.typing import Subprotocol

from capswriter.client.errors import Busy, Lost, Refused
from capswriter.protocols.capswriter import SUBPROTOCOL

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from websockets.datastructures import Headers

    from capswriter.client.server import Server
    from capswriter.errors import UserError

OPEN_S = 10.0
CLOSE_S = 1.0
"""Seconds for the closing handshake: the results are here by then, or will not come."""

PING_S = 20.0
QUEUED_REPLIES = 64

_FOR_GOOD = {
    CloseCode.UNSUPPORTED_DATA,
    CloseCode.INVALID_DATA,
    CloseCode.POLICY_VIOLATION,
    CloseCode.MESSAGE_TOO_BIG,
}
_LATER = {HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE}


@asynccontextmanager
async def connect(server: Server, *, timeout: float = OPEN_S) -> AsyncIterator[ClientConnection]:  # noqa: ASYNC109
    """Open a WebSocket for as long as the block runs.

    It keeps the connection alive with pings and does not insist on their answers: an old server
    that is at work on a long segment gives none.

    Args:
        server: where to; learns from a server that refuses the subprotocol.
        timeout: seconds for the opening handshake.

    Raises:
        NoServer: nobody answers.
        Busy: the server has too many connections.
        Lost: it hung up during the handshake.
        Refused: what answers is no such server, or does not let us in.
    """
    socket = await _opened(server, timeout)
    try:
        yield socket
    finally:
        # The library's own time-out does not count while the server takes nothing from us.
        with anyio.move_on_after(2 * CLOSE_S, shield=True):
            await socket.close()
        socket.transport.abort()


async def _opened(server: Server, seconds: float) -> ClientConnection:
    try:
        return await open_socket(
            server.url,
            additional_headers=server.headers,
            subprotocols=[Subprotocol(SUBPROTOCOL)] if server.offers_binary else None,
            compression=None,
            max_size=None,
            max_queue=QUEUED_REPLIES,
            proxy=None,
            open_timeout=seconds,
            close_timeout=CLOSE_S,
            ping_interval=PING_S,
            ping_timeout=None,
        )
    except (TimeoutError, OSError) as error:
        raise server.nobody() from error
    except InvalidStatus as error:
        if error.response.status_code == HTTPStatus.BAD_REQUEST and server.offers_binary:
            server.offers_binary = False
            return await _opened(server, seconds)
        raise _rejected(server, error.response.status_code, error.response.headers) from error
    except (InvalidMessage, ConnectionClosed, EOFError) as error:
        raise Lost("the server hung up before it said anything") from error
    except (InvalidHandshake, InvalidURI) as error:
        raise Refused(f"what answers at {server.name} is not a WebSocket server") from error


def _rejected(server: Server, status: int, headers: Headers) -> UserError:
    if status in _LATER:
        after = headers.get("Retry-After", "")
        return Busy(
            f"the server at {server.name} is busy (HTTP {status})",
            retry_after=float(after) if after.isdecimal() else None,
        )
    if status == HTTPStatus.UNAUTHORIZED:
        return server.locked()
    if status == HTTPStatus.FORBIDDEN:
        return Refused(f"the server at {server.name} does not let us in (HTTP {status})")
    return Refused(f"what answers at {server.name} is no CapsWriter server (HTTP {status})")


def ended(error: ConnectionClosed) -> UserError:
    """Say why a connection ended: ``Refused`` where coming again is no use, else ``Lost``."""
    close = error.rcvd
    if close is None:
        return Lost("the connection to the server was lost")
    reason = f"{close.reason}, {close.code}" if close.reason else str(close.code)
    if close.code in _FOR_GOOD:
        return Refused(f"the server refused the audio ({reason})")
    return Lost(f"the server closed the connection ({reason})")
