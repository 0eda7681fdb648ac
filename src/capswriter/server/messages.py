"""What every door does with the messages of a WebSocket."""

from __future__ import annotations

import logging
import math
from typing import TYPE_CHECKING

import anyio
from starlette.websockets import WebSocketDisconnect

if TYPE_CHECKING:
    from starlette.types import Message
    from starlette.websockets import WebSocket

    from capswriter.settings import ServerConfig

logger = logging.getLogger(__name__)

INTERNAL_ERROR = 1011
"""Code of a close frame, RFC 6455 section 7.4.1."""

REASON_BYTES = 123
"""What the RFC leaves for a reason in a control frame of 125 bytes."""


def content(message: Message) -> str | bytes:
    """Take what a client has sent.

    Raises:
        WebSocketDisconnect: it has gone.
    """
    if message["type"] == "websocket.disconnect":
        raise WebSocketDisconnect(message.get("code", 1005), message.get("reason"))
    text: str | None = message.get("text")
    data: bytes | None = message.get("bytes")
    return text if text is not None else data or b""


async def first_message(
    websocket: WebSocket, config: ServerConfig, client: str
) -> str | bytes | None:
    """Wait for the first message; None where none came in time, and the connection is closed.

    Many connect long before they say anything, and what serves them then takes memory: a door
    calls this before it makes anything.

    Raises:
        WebSocketDisconnect: the client has gone.
    """
    limit = config.first_message_timeout
    with anyio.move_on_after(limit or math.inf):
        return content(await websocket.receive())
    await close(websocket, client, f"no message came in the first {limit:g} s")
    return None


async def close(websocket: WebSocket, client: str, reason: str) -> None:
    """End a connection for a reason, which the client and the log are told."""
    logger.warning("%s: closed: %s", client, reason)
    shown = reason.encode()[:REASON_BYTES].decode(errors="ignore")
    await websocket.close(INTERNAL_ERROR, shown)
