"""Clients of our own endpoints, ``/ws/asr`` and ``/ws/transcribe``, for tests."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager

import numpy as np
from websockets.asyncio.client import ClientConnection, connect

from capswriter.audio import SAMPLE_RATE

FRAME = SAMPLE_RATE // 10 * 2
"""Bytes of 16-bit samples in a tenth of a second."""


def pcm16(samples: np.ndarray) -> bytes:
    return np.round(samples * 32_767).astype("<i2").tobytes()


class Talker:
    """A connection, and what the server has said on it so far."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        self.heard: list[dict] = []

    async def say(self, kind: str, **fields) -> None:
        await self.socket.send(json.dumps({"type": kind, **fields}))

    async def send(self, audio: bytes, *, size: int = FRAME, pause: float = 0.0) -> None:
        for start in range(0, len(audio), size):
            await self.socket.send(audio[start : start + size])
            if pause:
                await asyncio.sleep(pause)

    async def until(self, *kinds: str, seconds: float = 30) -> dict:
        """Read up to the next message of one of these types."""
        while True:
            message = json.loads(await asyncio.wait_for(self.socket.recv(), seconds))
            self.heard.append(message)
            if message["type"] in kinds:
                return message

    async def settled(self) -> list[str]:
        """Give the types of all messages, once the server has dealt with what was sent."""
        await self.say("ping")
        await self.until("pong")
        return self.kinds()

    def kinds(self) -> list[str]:
        return [message["type"] for message in self.heard if message["type"] != "pong"]

    def of(self, kind: str) -> list[dict]:
        return [message for message in self.heard if message["type"] == kind]


@asynccontextmanager
async def talking(url: str, path: str = "/ws/asr"):
    async with connect(url + path, ping_interval=None, close_timeout=1) as socket:
        yield Talker(socket)


async def dictate(talker: Talker, audio: bytes, *, size: int = FRAME, **options) -> dict:
    """Say something in one round and give the final, or the error."""
    await talker.say("start", **options)
    await talker.send(audio, size=size)
    await talker.say("stop")
    return await talker.until("final", "error")
