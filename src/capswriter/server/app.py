"""The ASGI application: which path leads where."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.websockets import WebSocket

import capswriter
from capswriter.server.observing import observing_routes
from capswriter.server.page import page_routes
from capswriter.server.sockets import serve_socket

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.types import ASGIApp, Receive, Scope, Send

    from capswriter.server.front import Front

NAME = "CapsWriter Server"

PROTOCOLS = ("capswriter", "funasr", "push-to-talk", "live", "openai-realtime")
"""What clients may speak; docs/realtime.md says how."""

RETRY_AFTER = 5
"""Seconds after which one connection too many may try again."""


def build_app(front: Front) -> ASGIApp:
    """Make the application that serves ``front``."""

    async def about(_: Request) -> Response:
        return JSONResponse(
            {
                "name": NAME,
                "version": capswriter.__version__,
                "model": front.model,
                "protocols": list(PROTOCOLS),
            }
        )

    async def ready(_: Request) -> Response:
        is_ready = front.recogniser.ready and not front.draining
        trouble = "no worker can start" if front.recogniser.trouble else ""  # /stats says why
        reason = "stopping" if front.draining else trouble or "starting"
        body = {"ready": True} if is_ready else {"ready": False, "reason": reason}
        return JSONResponse(body, status_code=200 if is_ready else 503)

    own = [Route("/", about), Route("/ready", ready)]
    pages = Starlette(routes=[*own, *observing_routes(front), *page_routes()])

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            # Not a route: while a socket lasts, Starlette's layers would hold 4 kB for it.
            await _serve_socket(WebSocket(scope, receive, send), front)
        else:
            await pages(scope, receive, send)

    return app


async def _serve_socket(websocket: WebSocket, front: Front) -> None:
    if front.is_full:
        text = f"{front.config.max_connections} connections are open; try again later\n"
        headers = {"Retry-After": str(RETRY_AFTER)}
        await websocket.send_denial_response(Response(text, 503, headers))
        return
    with front.connection():
        await serve_socket(websocket, front)
