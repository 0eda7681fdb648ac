"""Servers as clients meet them: CapsWriter's versions, ours, and some that behave badly.

Each is a handler for ``serving`` on a real socket, and keeps what it saw.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import threading
import wave
from contextlib import asynccontextmanager, contextmanager, suppress
from http import HTTPStatus
from typing import TYPE_CHECKING

import av
import numpy as np
from websockets.asyncio.server import serve
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Response

if TYPE_CHECKING:
    from pathlib import Path
    from ssl import SSLContext

BYTES_PER_S = 64_000
OURS = {"name": "CapsWriter Server", "version": "0", "protocols": ["capswriter-v2"]}


def make_wav(path: Path, seconds: float) -> Path:
    """Write silence, 16 kHz; it takes next to no room on the disk."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16_000)
        file.setnframes(round(seconds * 16_000))
        file.writeframesraw(b"")
    header = bytearray(path.read_bytes())
    samples = round(seconds * 16_000) * 2
    whole = len(header) + samples
    header[4:8] = (whole - 8).to_bytes(4, "little")
    header[-4:] = samples.to_bytes(4, "little")
    path.write_bytes(header)
    os.truncate(path, whole)
    return path


def make_truncated(path: Path, seconds: float, *, kept: float) -> Path:
    """Write noise as FLAC, whose header promises ``seconds``; keep a share of its bytes."""
    noise = np.random.default_rng(1).normal(0, 3000, round(seconds * 16_000)).astype(np.int16)
    with av.open(str(path), "w", format="flac") as file:
        stream = file.add_stream("flac", rate=16_000, layout="mono")
        frame = av.AudioFrame.from_ndarray(noise[None], format="s16", layout="mono")
        frame.rate = 16_000
        for packet in [*stream.encode(frame), *stream.encode(None)]:
            file.mux(packet)
    os.truncate(path, round(path.stat().st_size * kept))
    return path


class Emulated:
    """What all have in common: the frames of every connection, and replies of the right shape."""

    page: dict | None = None
    """What ``GET /`` answers; None for the 426 of the old servers."""
    subprotocols: tuple[str, ...] | None = ("binary",)

    def __init__(self):
        self.refusals: list[HTTPStatus] = []
        """What the next handshakes get."""
        self.connections: list[list[dict]] = []
        self.replies = 0

    async def __call__(self, socket):
        frames: list[dict] = []
        self.connections.append(frames)
        with suppress(ConnectionClosed):
            await self.serve(socket, frames)

    async def serve(self, socket, frames):
        raise NotImplementedError

    async def frames_of(self, socket, frames):
        async for message in socket:
            frame = json.loads(message)
            audio = base64.b64decode(frame.pop("data"))
            frames.append({**frame, "seconds": len(audio) / BYTES_PER_S})
            yield frame, len(audio) / BYTES_PER_S

    async def reply(self, socket, frame, duration, words=("Hello", ",", " ", "world", "."), **keys):
        self.replies += 1
        starts = [0.125 * index for index in range(len(words))]
        result = {
            "task_id": frame["task_id"],
            "is_final": False,
            "duration": duration,
            "time_start": frame["time_start"],
            "time_submit": 0.0,
            "time_complete": 0.0,
            "text": "".join(words),
            "text_accu": "".join(words),
            "tokens": list(words),
            "timestamps": starts,
        }
        await socket.send(json.dumps({**result, **keys}))


class V2x(Emulated):
    """v2.1 to v2.6: a non-final result for each segment, cumulative, and one final."""

    async def serve(self, socket, frames):
        held = covered = 0.0
        async for frame, seconds in self.frames_of(socket, frames):
            assert type(frame["seg_duration"]) is int
            held += seconds
            while held >= frame["seg_duration"] + 2 * frame["seg_overlap"]:
                held -= frame["seg_duration"]
                covered += frame["seg_duration"]
                await self.segment_done(socket, frame, covered)
            if frame["is_final"]:
                await self.final(socket, frame, covered + held)
                held = covered = 0.0

    async def segment_done(self, socket, frame, covered):
        await self.reply(socket, frame, covered)

    async def final(self, socket, frame, covered):
        await self.reply(socket, frame, covered, is_final=True)


class V2_0(V2x):  # noqa: N801
    """v2.0: likewise, without ``text_accu``."""

    async def reply(self, socket, frame, duration, **keys):
        self.replies += 1
        result = dict.fromkeys(("time_start", "time_submit", "time_complete"), 0.0)
        words = {"text": "你好。", "tokens": ["你", "好"], "timestamps": [0.1, 0.4]}
        keys = {"task_id": frame["task_id"], "is_final": False, "duration": duration} | keys
        await socket.send(json.dumps({**result, **words, **keys}))


class V1_0(V2_0):  # noqa: N801
    """v1.0: every frame is a file, cut into segments; what it does not know closes the socket."""

    async def serve(self, socket, frames):
        async for frame, seconds in self.frames_of(socket, frames):
            if "time_frame" not in frame or type(frame["seg_duration"]) is not int:
                await socket.close(1011)
                return
            covered = 0.0
            while seconds - covered > frame["seg_duration"] + frame["seg_overlap"]:
                covered += frame["seg_duration"]
                await self.reply(socket, frame, covered)
            await self.reply(socket, frame, seconds, is_final=True)


class V2(V2x):
    """Ours: says what it is, and speaks v2."""

    page = OURS

    async def serve(self, socket, frames):
        covered = 0.0
        async for frame, seconds in self.frames_of(socket, frames):
            covered += seconds
            if frame["is_final"]:
                assert frame["samples_total"] == round(covered * 16_000)
                await self.final(socket, frame, covered)
                covered = 0.0
            elif len(frames) % 10 == 0:
                await self.segment_done(socket, frame, covered)


class Strict(V2):
    """Takes nobody who offers a subprotocol."""

    subprotocols = None


class Speechless(V2):
    async def reply(self, socket, frame, duration, **keys):
        await super().reply(socket, frame, duration, words=(), **keys)


class Short(V2):
    """Loses the end, and says that it succeeded."""

    async def final(self, socket, frame, covered):
        await super().final(socket, frame, covered - 10)


class Dropping(V2):
    """Hangs up in the middle, the first ``times``."""

    def __init__(self, times=1):
        super().__init__()
        self.times = times

    async def serve(self, socket, frames):
        if len(self.connections) <= self.times:
            await socket.recv()
            socket.transport.abort()
            return
        await super().serve(socket, frames)


class Silent(Emulated):
    page = OURS

    async def serve(self, socket, frames):
        async for _ in self.frames_of(socket, frames):
            pass


class Deaf(Emulated):
    """Takes no audio after the first frame, until ``hung_up`` is set."""

    page = OURS

    def __init__(self):
        super().__init__()
        self.hung_up = asyncio.Event()

    async def serve(self, socket, frames):
        await socket.recv()
        await self.hung_up.wait()
        socket.transport.abort()


class Failing(V2):
    """Answers the first ``times`` tasks with an error, and then hangs up."""

    def __init__(self, times=1, **error):
        super().__init__()
        self.times, self.error = times, error

    async def serve(self, socket, frames):
        if len(self.connections) > self.times:
            await super().serve(socket, frames)
            return
        async for frame, _ in self.frames_of(socket, frames):
            error = {"type": "error", "task_id": frame["task_id"], **self.error}
            await socket.send(json.dumps(error))
            return


class Insistent(V2):
    """Reads no further before its results are read: 600 kB of them after every frame of audio."""

    async def serve(self, socket, frames):
        covered = 0.0
        async for frame, seconds in self.frames_of(socket, frames):
            covered += seconds
            for _ in range(3):
                await self.reply(socket, frame, covered, ("x" * 100_000,))
            if frame["is_final"]:
                await self.final(socket, frame, covered)


class Closing(Emulated):
    page = OURS

    def __init__(self, code, reason):
        super().__init__()
        self.code, self.reason = code, reason

    async def serve(self, socket, frames):
        await socket.recv()
        await socket.close(self.code, self.reason)


class Strange(Emulated):
    page = OURS

    async def serve(self, socket, frames):
        await socket.recv()
        await socket.send("hello")
        await socket.wait_closed()


@asynccontextmanager
async def serving(server: Emulated, port: int = 0, *, ssl: SSLContext | None = None):
    """Serve on a free port, with TLS where there is a context; gives the URL."""

    def answer(connection, request):
        if "Upgrade" not in request.headers:
            if server.page is None:
                return None
            status = HTTPStatus.OK
            body = json.dumps(server.page).encode()
            headers = Headers({"Content-Type": "application/json", "Connection": "close"})
            headers["Content-Length"] = str(len(body))
            return Response(status.value, status.phrase, headers, body)
        if server.subprotocols is None and "Sec-WebSocket-Protocol" in request.headers:
            return connection.respond(HTTPStatus.BAD_REQUEST, "no subprotocols here")
        if server.refusals:
            response = connection.respond(server.refusals.pop(0), "no")
            response.headers["Retry-After"] = "0"
            return response
        return None

    async with serve(
        server,
        "127.0.0.1",
        port,
        subprotocols=server.subprotocols,
        process_request=answer,
        max_size=None,
        ssl=ssl,
        compression=None,
        close_timeout=0.2,
    ) as listening:
        scheme = "wss" if ssl else "ws"
        yield f"{scheme}://127.0.0.1:{listening.sockets[0].getsockname()[1]}"


@contextmanager
def serving_in_thread(server: Emulated, *, ssl: SSLContext | None = None):
    """Serve while a command of another process is tested; gives the URL."""
    ready, loops = threading.Event(), {}

    async def run():
        loops["stop"] = asyncio.Event()
        loops["loop"] = asyncio.get_running_loop()
        async with serving(server, ssl=ssl) as loops["url"]:
            ready.set()
            await loops["stop"].wait()

    thread = threading.Thread(target=lambda: asyncio.run(run()))
    thread.start()
    try:
        assert ready.wait(10)
        yield loops["url"]
    finally:
        loops["loop"].call_soon_threadsafe(loops["stop"].set)
        thread.join()
