"""A WebSocket from its handshake to the door that serves it, and to its end."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, TypeAlias

from starlette.websockets import WebSocketDisconnect

from capswriter.protocols.capswriter import SUBPROTOCOL
from capswriter.server.capswriter_door import serve_capswriter
from capswriter.server.messages import first_message

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from starlette.websockets import WebSocket

    from capswriter.server.front import Front

Door: TypeAlias = "Callable[[WebSocket, Front, str], Awaitable[None]]"
"""Serves a connection that has been accepted to its end; the string names the client."""

DOORS: Mapping[str, Door] = {}
"""By path; every other path is for clients that may be set to any."""

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
    door = DOORS.get(websocket.scope["path"].rstrip("/"))
    try:
        if door is not None:
            await door(websocket, front, client)
        elif (first := await first_message(websocket, front.config, client)) is not None:
            await serve_capswriter(websocket, front, client, first)
    except WebSocketDisconnect as gone:
        if gone.code == TOO_BIG:
            limit = front.config.max_frame_mb
            logger.warning("%s: closed: it sent a frame of over %d MB", client, limit)
