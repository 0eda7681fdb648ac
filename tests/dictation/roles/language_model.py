"""An OpenAI-compatible endpoint on a real socket, as good and as bad as a test wants it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
from contextlib import asynccontextmanager

import uvicorn
from starlette.applications import Starlette
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route


def event(text: str = "", *, ending: str | None = None) -> bytes:
    """A part of an answer, as an endpoint sends it."""
    choice = {"index": 0, "delta": {"content": text}, "finish_reason": ending}
    return b"data: " + json.dumps({"choices": [choice]}, ensure_ascii=False).encode() + b"\n\n"


DONE = b"data: [DONE]\n\n"
STALL = object()
"""Nothing comes any more, and the connection stays."""
CUT = object()
"""The connection breaks."""


class LanguageModel:
    """What it was asked, and what it does about it: ``parts`` are sent one after the other."""

    def __init__(self):
        self.asked: list[dict] = []
        self.headers: list[dict] = []
        self.parts: list = [event("Hello"), event(" there"), event(ending="stop"), DONE]
        self.pause = 0.0
        self.reply: Response | None = None
        self.hung_up = asyncio.Event()
        self.url = ""

    async def answer(self, request):
        self.asked.append(await request.json())
        self.headers.append(dict(request.headers))
        return self.reply or StreamingResponse(self.stream(), media_type="text/event-stream")

    async def stream(self):
        try:
            for part in self.parts:
                if part is STALL:
                    await asyncio.sleep(600)
                elif part is CUT:
                    raise ConnectionError("cut")
                else:
                    yield part
                    await asyncio.sleep(self.pause)
        except asyncio.CancelledError:
            self.hung_up.set()
            raise


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self):
        yield


@asynccontextmanager
async def running():
    """Serve on a free port of this computer."""
    model = LanguageModel()
    app = Starlette(routes=[Route("/v1/chat/completions", model.answer, methods=["POST"])])
    config = uvicorn.Config(
        app, log_config=None, lifespan="off", ws="none", timeout_graceful_shutdown=1
    )
    server = _Server(config)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        model.url = f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
        task = asyncio.create_task(server.serve(sockets=[listener]))
        while not server.started:
            await asyncio.sleep(0.01)
        try:
            yield model
        finally:
            server.should_exit = True
            await task
