"""CapsWriter's clients as they really behave, version by version, for tests against a real server.

The facts are those of the public releases: what they offer at the handshake, how they cut what they
send, when they read, and which keys they index without asking.
"""

from __future__ import annotations

import asyncio
import base64
import json
import time
import uuid
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from websockets.asyncio.client import ClientConnection, connect

from capswriter.audio import SAMPLE_RATE, Samples

INDEXED = (
    "task_id",
    "is_final",
    "text",
    "duration",
    "time_start",
    "time_submit",
    "time_complete",
    "tokens",
    "timestamps",
)
"""Keys that every version takes from a reply with ``message[key]``."""

MIC_BLOCK = 800
"""Samples in a microphone frame: 50 ms."""


@dataclass
class Answer:
    """What a client has got when it stops reading."""

    final: dict[str, Any]
    partials: list[dict[str, Any]] = field(default_factory=list)

    @property
    def text(self) -> str:
        return self.final["text"]


def indexed(message: str) -> dict[str, Any]:
    """Take a reply apart as the clients do: every key must be there, the numbers numeric."""
    reply = json.loads(message)
    for key in INDEXED:
        assert key in reply, f"a client of any version would fail on the missing key {key}"
    for key in ("duration", "time_start", "time_submit", "time_complete"):
        assert isinstance(reply[key], int | float)
    assert len(reply["tokens"]) == len(reply["timestamps"])
    assert isinstance(reply["text"], str)
    return reply


async def read_to_final(socket: ClientConnection) -> Answer:
    partials = []
    async for message in socket:
        reply = indexed(message)
        if reply["is_final"]:
            return Answer(reply, partials)
        partials.append(reply)
    raise AssertionError("the server closed the connection without a final result")


def frame(task_id: str, source: str, data: bytes, **keys: Any) -> str:
    fields = {
        "task_id": task_id,
        "source": source,
        "data": base64.b64encode(data).decode(),
        "is_final": False,
        "time_start": time.time(),
    }
    return json.dumps(fields | keys)


async def v0_6(url: str, samples: Samples) -> str:
    """One binary message, one text message; no header."""
    async with connect(url, compression="deflate") as socket:
        await socket.send(samples.astype("<f4").tobytes())
        return await socket.recv()


async def v0_5(url: str, samples: Samples) -> str:
    """As v0.6, with sherpa's header."""
    async with connect(url) as socket:
        data = samples.astype("<f4").tobytes()
        header = (16_000).to_bytes(4, "little") + len(data).to_bytes(4, "little")
        await socket.send(header + data)
        return await socket.recv()


async def v1_0_file(url: str, samples: Samples) -> Answer:
    """The whole file in one frame that is final; no subprotocol."""
    async with connect(url, max_size=None) as socket:
        now = time.time()
        keys = {"is_final": True, "seg_duration": 25, "seg_overlap": 2, "time_frame": now}
        await socket.send(frame(str(uuid.uuid1()), "file", samples.tobytes(), **keys))
        return await read_to_final(socket)


async def v1_0_mic(url: str, samples: Samples) -> Answer:
    """50 ms frames; an empty final one whose segment lengths are always 15 and 2."""
    async with connect(url, max_size=None) as socket:
        task_id, began = str(uuid.uuid1()), time.time()
        keys = {"time_start": began, "time_frame": began, "seg_duration": 15, "seg_overlap": 2}
        for start in range(0, len(samples), MIC_BLOCK):
            block = samples[start : start + MIC_BLOCK].tobytes()
            await socket.send(frame(task_id, "mic", block, **keys))
        await socket.send(frame(task_id, "mic", b"", is_final=True, **keys))
        return await read_to_final(socket)


async def v2_0_file(url: str, samples: Samples) -> Answer:
    """60 s frames, the last with data and final; reads only then."""
    async with connect(url, subprotocols=["binary"], max_size=None) as socket:
        assert socket.subprotocol == "binary"
        task_id, minute = str(uuid.uuid1()), 60 * SAMPLE_RATE
        for start in range(0, max(1, len(samples)), minute):
            keys = {"is_final": start + minute >= len(samples), "time_frame": time.time()}
            keys |= {"seg_duration": 25, "seg_overlap": 2}
            block = samples[start : start + minute].tobytes()
            await socket.send(frame(task_id, "file", block, **keys))
        return await read_to_final(socket)


async def v2_4_file(url: str, samples: Samples, *, pause: float = 0.0) -> Answer:
    """FFmpeg's pipe in frames of 64 to 192 KiB, not ended on samples; reads when all is sent.

    Its library holds 16 messages and then stops reading the socket, so pings go unanswered.
    """
    subprotocols = ["binary"]
    async with connect(url, subprotocols=subprotocols, max_size=None, max_queue=16) as socket:
        task_id = str(uuid.uuid1())
        data = samples.tobytes()
        sizes = np.random.default_rng(0)
        start = 0
        keys = {"seg_duration": 60, "seg_overlap": 4, "time_frame": time.time(), "context": ""}
        while start < len(data):
            size = int(sizes.integers(65_536, 196_608))
            await socket.send(frame(task_id, "file", data[start : start + size], **keys))
            start += size
            if pause:
                await asyncio.sleep(pause)
        await socket.send(frame(task_id, "file", b"", is_final=True, **keys))
        return await read_to_final(socket)


async def v2_6_mic(url: str, samples: Samples, *, paced: bool = False, **keys: Any) -> Answer:
    """0.3 s in the first frame, then 50 ms each; an empty final one; reads all the while."""
    async with connect(url, subprotocols=["binary"], max_size=None, max_queue=None) as socket:
        reading = asyncio.create_task(read_to_final(socket))
        keys = {
            "time_start": time.time(),
            "seg_duration": 60,
            "seg_overlap": 4,
            "context": "",
            "language": "auto",
        } | keys
        task_id, head = str(uuid.uuid1()), 6 * MIC_BLOCK
        await socket.send(frame(task_id, "mic", samples[:head].tobytes(), **keys))
        for start in range(head, len(samples), MIC_BLOCK):
            block = samples[start : start + MIC_BLOCK].tobytes()
            await socket.send(frame(task_id, "mic", block, **keys))
            if paced:
                await asyncio.sleep(MIC_BLOCK / SAMPLE_RATE)
        await socket.send(frame(task_id, "mic", b"", is_final=True, **keys))
        return await reading


async def v2_6_file(url: str, samples: Samples, **keys: Any) -> Answer:
    """FFmpeg's pipe in frames, an empty final one; reads all the while."""
    async with connect(url, subprotocols=["binary"], max_size=None, max_queue=None) as socket:
        reading = asyncio.create_task(read_to_final(socket))
        task_id, data = str(uuid.uuid1()), samples.tobytes()
        keys = {"seg_duration": 60, "seg_overlap": 4, "context": "", "language": "auto"} | keys
        for start in range(0, len(data), 131_071):
            await socket.send(frame(task_id, "file", data[start : start + 131_071], **keys))
        await socket.send(frame(task_id, "file", b"", is_final=True, **keys))
        return await reading
