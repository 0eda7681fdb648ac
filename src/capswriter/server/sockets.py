"""A WebSocket from its handshake to the door that serves it, and to its end."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import anyio
from starlette.websockets import WebSocketDisconnect

from capswriter.protocols.capswriter import SUBPROTOCOL
from capswriter.server.capswriter_door import serve_capswriter
from capswriter.server.messages import close, content

if TYPE_CHECKING:
    from starlette.websockets import WebSocket

    from capswriter.server.front import Front

logger = logging.getLogger(__name__)

TOO_BIG = 1009
"""Code of a close frame, RFC 6455 section 7.4.1."""


async def serve_socket(websocket: WebSocket, front: Front) -> None:
    """Serve one connection from its handshake to its end.

    CapsWriter's clients may be set to any path, so that does not tell who they are.
    """
    offered = websocket.scope["subprotocols"]
    await websocket.accept(SUBPROTOCOL if SUBPROTOCOL in offered else None)
    address = websocket.client
    client = f"{address.host}:{address.port}" if address else "a client"
    try:
        # Many connect long before they say anything, and what serves tasks takes memory.
        first = await _first_message(websocket, front.config.first_message_timeout)
        if first is None:
            limit = front.config.first_message_timeout
            await close(websocket, client, f"no message came in the first {limit:g} s")
        else:
            await serve_capswriter(websocket, front, client, first)
    except WebSocketDisconnect as gone:
        if gone.code == TOO_BIG:
            limit = front.config.max_frame_mb
            logger.warning("%s: closed: it sent a frame of over %d MB", client, limit)


async def _first_message(websocket: WebSocket, limit: float) -> str | bytes | None:
    """Wait for a message, so many seconds or, where that is 0, for ever; None where none came."""
    if not limit:
        return content(await websocket.receive())
    with anyio.move_on_after(limit):
        return content(await websocket.receive())
    return None
