"""FunASR's clients as they really behave, for tests against a real server.

The facts are those of its ``runtime/`` directory: what each offers at the handshake and says first,
how it cuts its audio, which keys it indexes without asking, and at which message it goes.
"""

from __future__ import annotations

import asyncio
import io
import json
import re
import wave
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from websockets.asyncio.client import ClientConnection, connect

from capswriter.audio import SAMPLE_RATE, Samples

FRAME = 1920
"""Bytes of 60 ms: ``60 * chunk_size[1] / chunk_interval`` for [5, 10, 5] and 10."""

START = {"chunk_size": [5, 10, 5], "chunk_interval": 10, "is_speaking": True, "itn": True}
LIMIT = 60


@dataclass
class Heard:
    """What a client shows, and all it was sent for it."""

    text: str = ""
    messages: list[dict[str, Any]] = field(default_factory=list)

    @property
    def finals(self) -> list[dict[str, Any]]:
        return [message for message in self.messages if message["is_final"]]


@dataclass
class Screen:
    """Appends increments, and puts a sentence in place of those before it, as all of them do."""

    sentences: str = ""
    increments: str = ""

    def show(self, message: dict[str, Any]) -> None:
        if message["mode"] in {"online", "2pass-online"}:
            self.increments += message["text"]
        else:
            self.sentences += message["text"]
            self.increments = ""

    @property
    def text(self) -> str:
        return self.sentences + self.increments


def pcm(samples: Samples) -> bytes:
    return np.round(samples * 32_768).astype("<i2").tobytes()


def riff(samples: Samples, rate: int = SAMPLE_RATE, *, channels: int = 1) -> bytes:
    """A WAV file; each channel has the same."""
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setnchannels(channels)
        writer.setsampwidth(2)
        writer.setframerate(rate)
        writer.writeframes(pcm(np.repeat(samples, channels)))
    return file.getvalue()


async def say(socket: ClientConnection, audio: bytes, *, frame: int, pause: float = 0.0) -> None:
    for start in range(0, len(audio), frame):
        await socket.send(audio[start : start + frame])
        if pause:
            await asyncio.sleep(pause)


async def read(socket: ClientConnection) -> dict[str, Any]:
    return json.loads(await asyncio.wait_for(socket.recv(), LIMIT))


async def read_to_final(socket: ClientConnection, *required: str) -> Heard:
    """Read to the first message that is final; each has to have the keys."""
    screen, messages = Screen(), []
    while not (messages and messages[-1]["is_final"]):
        message = await read(socket)
        for key in required:
            assert key in message, f"the client would fall over {message}"
        messages.append(message)
        screen.show(message)
    return Heard(screen.text, messages)


async def html5_file(
    url: str, wav: bytes, *, mode: str = "offline", pause: float = 0.0, **said: Any
) -> Heard:
    """The whole file in frames of 960 bytes, called PCM; goes at the first final message."""
    async with connect(url) as socket:
        common = {"chunk_size": [5, 10, 5], "wav_name": "h5", "chunk_interval": 10, "mode": mode}
        start = common | {"is_speaking": True, "itn": False, "wav_format": "PCM"}
        await socket.send(json.dumps(start | {"audio_fs": SAMPLE_RATE} | said))
        reading = asyncio.create_task(read_html5(socket))
        await say(socket, wav, frame=960, pause=pause)
        await socket.send(json.dumps(common | {"is_speaking": False}))
        return await reading


async def read_html5(socket: ClientConnection) -> Heard:
    """As ``getJsonMessage`` in its main.js."""
    done, shown, messages = "", "", []
    while True:
        message = await read(socket)
        messages.append(message)
        if message["mode"] in {"2pass-offline", "offline"}:
            done += html5_with_times(message["text"], message.get("timestamp"))
            shown = done
        else:
            shown += message["text"]
        if message["is_final"] is True:
            return Heard(shown, messages)


def html5_with_times(text: str, timestamp: Any) -> str:
    """As ``handleWithTimestamp``; raises where JavaScript would."""
    if not text or not timestamp:
        return text
    times, shown, index = json.loads(timestamp), "", 0
    for run in re.sub(r"。|？|，|、|\?|\.| ", ",", text).split(","):
        if run:
            shown += f"{times[index][0] / 1000}:{run}\n"
            index += 1 if re.fullmatch(r"[a-zA-Z]+", run) else len(run)
    return shown


async def python_file(
    url: str, audio: bytes, *, rate: int = SAMPLE_RATE, mode: str = "offline", **said: Any
) -> Heard:
    """Since #3440: asks for an acknowledgement, and waits for it."""
    async with connect(url, subprotocols=["binary"], ping_interval=None) as socket:
        assert socket.subprotocol == "binary"
        start = START | {"mode": mode, "audio_fs": rate, "wav_name": "demo", "wav_format": "pcm"}
        start |= {"encoder_chunk_look_back": 4, "decoder_chunk_look_back": 0}
        await socket.send(json.dumps(start | {"hotwords": "阿里巴巴,通义"} | said))
        await say(socket, audio, frame=int(60 * 10 / 10 / 1000 * rate * 2))
        await socket.send(json.dumps({"is_speaking": False, "is_end": True}))
        screen, messages = Screen(), []
        while not (messages and messages[-1].get("is_end")):
            messages.append(await read(socket))
            if "is_end" not in messages[-1]:
                screen.show(messages[-1])
        return Heard(screen.text, messages)


async def python_old(
    url: str, audio: bytes, *, mode: str = "offline", pause: float = 0.0, sleep: float = 2.0
) -> Heard:
    """Before: offline, the first message is the end; otherwise, it sleeps and goes."""
    async with connect(url, subprotocols=["binary"], ping_interval=None) as socket:
        start = START | {"mode": mode, "wav_name": "demo", "hotwords": ""}
        await socket.send(json.dumps(start | {"wav_format": "pcm", "audio_fs": SAMPLE_RATE}))
        screen, messages = Screen(), []

        async def listen() -> None:
            async for sent in socket:
                messages.append(json.loads(sent))
                screen.show(messages[-1])
                if mode == "offline":
                    return

        listening = asyncio.create_task(listen())
        await say(socket, audio, frame=FRAME, pause=pause)
        await socket.send(json.dumps({"is_speaking": False}))
        if mode == "offline":
            await asyncio.wait_for(listening, LIMIT)
        else:
            await asyncio.sleep(sleep)
            listening.cancel()
    return Heard(screen.text, messages)


async def cpp_offline(url: str, *files: tuple[str, bytes]) -> list[Heard]:
    """No mode; one file after the other on one connection, the next at the first message."""
    async with connect(url, ping_interval=None) as socket:
        heard = []
        for number, (wav_format, content) in enumerate(files):
            start = START | {"wav_name": f"wav{number}", "wav_format": wav_format}
            start |= {"audio_fs": SAMPLE_RATE, "svs_lang": "auto", "svs_itn": True}
            if not number:
                start["hotwords"] = json.dumps({"阿里巴巴": 20})
            await socket.send(json.dumps(start))
            await say(socket, content, frame=204_800)
            await socket.send(json.dumps({"is_speaking": False}))
            message = await read(socket)
            heard.append(Heard(message["text"], [message]))
        return heard


async def cpp_2pass(
    url: str, audio: bytes, *, mode: str = "2pass", rate: float = 16_000.0, pause: float = 0.0
) -> Heard:
    """Its microphone says its rate as a float; goes at the first final message."""
    async with connect(url, ping_interval=None) as socket:
        start = START | {"mode": mode, "wav_name": "microphone", "wav_format": "pcm"}
        await socket.send(json.dumps(start | {"audio_fs": rate, "hotwords": ""}))
        reading = asyncio.create_task(read_to_final(socket, "text"))
        await say(socket, audio, frame=FRAME, pause=pause)
        await socket.send(json.dumps({"is_speaking": False}))
        return await reading


async def java(url: str, audio: bytes, *, mode: str = "offline", pause: float = 0.0) -> Heard:
    """Weights are strings."""
    async with connect(url) as socket:
        start = {"mode": mode, "wav_name": "javatest", "is_speaking": True, "chunk_interval": 10}
        start |= {"chunk_size": [5, 10, 5], "audio_fs": SAMPLE_RATE, "wav_format": "pcm"}
        start["hotwords"] = json.dumps({"抢手": "100"})
        await socket.send(json.dumps(start))
        reading = asyncio.create_task(read_to_final(socket, "text", "mode"))
        await say(socket, audio, frame=FRAME, pause=pause)
        await socket.send(json.dumps({"is_speaking": False}))
        return await reading


async def golang(url: str, audio: bytes, *, mode: str = "offline", pause: float = 0.0) -> Heard:
    """Unmarshals each message into a struct: a value of another type is an error."""
    types = {"mode": str, "text": str, "wav_name": str, "is_final": bool, "timestamp": str}
    async with connect(url) as socket:
        start = START | {"mode": mode, "wav_name": "go", "wav_format": "pcm"}
        hotwords = json.dumps({"阿里巴巴": 20})
        await socket.send(json.dumps(start | {"audio_fs": SAMPLE_RATE, "hotwords": hotwords}))
        reading = asyncio.create_task(read_to_final(socket, "mode"))
        await say(socket, audio, frame=FRAME, pause=pause)
        await socket.send(json.dumps({"is_speaking": False}))
        heard = await reading
    for message in heard.messages:
        for key, kind in types.items():
            assert isinstance(message.get(key, kind()), kind), f"{key} in {message}"
    if mode == "offline":
        assert len(heard.messages) == 1, "it takes the first message for all there is"
    return heard


async def android(url: str, audio: bytes, *, pause: float = 0.0) -> Heard:
    """Asks each message for its mode, text and end, and falls over one that has them not."""
    async with connect(url) as socket:
        start = START | {"mode": "2pass", "wav_name": "default", "wav_format": "pcm"}
        await socket.send(json.dumps(start | {"hotwords": json.dumps({"阿里巴巴": 20})}))
        reading = asyncio.create_task(read_to_final(socket, "mode", "text", "is_final"))
        await say(socket, audio, frame=FRAME, pause=pause)
        await socket.send(json.dumps({"is_speaking": False}))
        return await reading


async def csharp(url: str, audio: bytes, *, mode: str = "office") -> Heard:
    """Misspells the mode; its chunk size is a string, its frames are of 1,024,000 bytes."""
    async with connect(url) as socket:
        start = {"mode": mode, "chunk_size": "5,10,5", "chunk_interval": 10, "hotwords": ""}
        start |= {"wav_name": "default", "wav_format": "pcm", "is_speaking": True}
        await socket.send(json.dumps(start))
        await say(socket, audio, frame=1_024_000)
        await socket.send(json.dumps({"is_speaking": False}))
        return await read_to_final(socket, "text", "is_final")
