"""A WebSocket from its handshake to the door that serves it, and to its end."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, TypeAlias

from starlette.websockets import WebSocketDisconnect

from capswriter.protocols import capswriter, openai_realtime
from capswriter.protocols.funasr import is_funasr
from capswriter.server.capswriter_door import serve_capswriter
from capswriter.server.funasr_door import serve_funasr
from capswriter.server.live_door import serve_live
from capswriter.server.messages import first_message
from capswriter.server.openai_door import serve_openai
from capswriter.server.push_to_talk_door import serve_push_to_talk

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from starlette.websockets import WebSocket

    from capswriter.server.front import Front

Door: TypeAlias = "Callable[[WebSocket, Front, str], Awaitable[None]]"
"""Serves a connection that has been accepted to its end; the string names the client."""

DOORS: Mapping[str, Door] = {
    "/ws/asr": serve_push_to_talk,
    "/ws/transcribe": serve_live,
    "/v1/realtime": serve_openai,
}
"""By path; every other path is for clients that may be set to any."""

SUBPROTOCOLS = (capswriter.SUBPROTOCOL, openai_realtime.SUBPROTOCOL)
"""What clients may offer and are answered with."""

logger = logging.getLogger(__name__)

TOO_BIG = 1009
"""Code of a close frame, RFC 6455 section 7.4.1."""


async def serve_socket(websocket: WebSocket, front: Front) -> None:
    """Serve one connection from its handshake to its end.

    CapsWriter's clients may be set to any path, so that does not tell who they are.
    """
    door = DOORS.get(websocket.scope["path"].rstrip("/"))
    if door is serve_openai:
        _ = websocket.headers  # kept for it: the wire forgets them with the handshake
    offered = websocket.scope["subprotocols"]
    await websocket.accept(next((each for each in offered if each in SUBPROTOCOLS), None))
    address = websocket.client
    client = f"{address.host}:{address.port}" if address else "a client"
    try:
        if door is not None:
            await door(websocket, front, client)
        elif (first := await first_message(websocket, front.config, client)) is not None:
            # CapsWriter's clients that begin with bytes never send text.
            is_theirs = isinstance(first, str) and is_funasr(first)
            serve = serve_funasr if is_theirs else serve_capswriter
            await serve(websocket, front, client, first)
    except WebSocketDisconnect as gone:
        if gone.code == TOO_BIG:
            limit = front.config.max_frame_mb
            logger.warning("%s: closed: it sent a frame of over %d MB", client, limit)
