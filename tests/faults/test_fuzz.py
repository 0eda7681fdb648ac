"""Messages that nobody should send: every parser understands or refuses them, and every one that
needs an answer gets it."""

from __future__ import annotations

import asyncio
import json
import time
from contextlib import suppress

import orjson
import pytest
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st
from servers import serving_fake
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from capswriter.protocols import funasr, live, ours, push_to_talk
from capswriter.protocols.capswriter import (
    AudioFrame,
    BadFrame,
    Failure,
    parse_reply,
    strip_v0_header,
)
from capswriter.protocols.reading import BadMessage
from capswriter.protocols.wave_header import WaveHeader, read_wave_header

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(900)]

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["mic", "file", "AAAA", "AAA", "f32le", "s16le", "flac", "auto", "error", ""])
)
VALUES = SCALARS | st.lists(SCALARS, max_size=3) | st.dictionaries(st.text(max_size=3), SCALARS)
FRAME = {
    "task_id": "t",
    "source": "mic",
    "data": "AAAAAAAAAAA=",
    "is_final": True,
    "time_start": 1.5,
    "encoding": "s16le",
}
REPLY = {
    "task_id": "t",
    "is_final": True,
    "text": "a",
    "tokens": ["a"],
    "timestamps": [0.1],
    "duration": 1,
    "time_start": 1,
    "time_submit": 1,
    "time_complete": 1,
}
FUNASR = {
    "mode": "2pass",
    "chunk_size": [5, 10, 5],
    "wav_name": "a",
    "wav_format": "pcm",
    "audio_fs": 16000,
    "is_speaking": True,
    "hotwords": '{"a":20}',
    "itn": True,
}
START = {"type": "start", "language": "zh", "format": "wav", "sample_rate": 8000, "hotwords": ["a"]}
START_LIVE = START | {"type": "start_transcription"}
OPTIONAL = ["seg_duration", "seg_overlap", "time_frame", "context", "language", "samples_total"]
BATCH = 50
"""Messages in an example of hypothesis."""


def changed(whole: dict, more: list[str]) -> st.SearchStrategy[str]:
    """Give a frame with some keys changed, some missing, and now and then some bytes cut off."""
    changes = st.dictionaries(st.sampled_from([*whole, *more]), VALUES, max_size=3)
    missing = st.sampled_from(["", "", "", *whole])
    ends = st.sampled_from([None, None, None, None, 0, 7, -1, -9])

    def build(change: dict, lost: str, end: int | None) -> str:
        fields = {key: value for key, value in (whole | change).items() if key != lost}
        return json.dumps(fields)[:end]

    return st.builds(build, changes, missing, ends)


FRAMES = changed(FRAME, [*OPTIONAL, "model", "other"])
REPLIES = changed(REPLY, ["type", "code", "message", "retryable", "retry_after", "text_accu"])
STARTS = (
    changed(FUNASR, ["chunk_interval", "is_finished", "is_end", "svs_lang", "svs_itn", "data"])
    | changed(START, ["action", "command", "partials"])
    | changed(START_LIVE, ["action", "command", "partials"])
)
ANYTHING = st.text(max_size=20) | st.binary(max_size=20) | VALUES.map(json.dumps)


def check_frame(message: str | bytes) -> None:
    try:
        frame = AudioFrame.parse(message)
    except BadFrame as error:
        told = Failure(error.task_id, error.code.value, str(error))
        orjson.loads(told.encode(error.dialect))
    else:
        assert frame.task_id  # only clients encode frames, and not with numbers like these


def check_reply(message: str | bytes) -> None:
    with suppress(BadFrame):
        reply = parse_reply(message)
        assert isinstance(reply.task_id, str)


def check_v0(message: str | bytes) -> None:
    data = message.encode(errors="replace") if isinstance(message, str) else message
    header = (16_000).to_bytes(4, "little") + len(data).to_bytes(4, "little")
    assert data.endswith(strip_v0_header(data))
    assert strip_v0_header(header + data) == data


def check_funasr(message: str | bytes) -> None:
    text = message.decode(errors="replace") if isinstance(message, bytes) else message
    assert isinstance(funasr.is_funasr(text), bool)
    try:
        parsed = funasr.parse(text)
    except BadMessage as error:
        told = funasr.Failure("offline", "a", str(error), error.code)
        orjson.loads(told.encode())
    else:
        start = parsed.start if isinstance(parsed, funasr.End) else parsed
        orjson.loads(funasr.Result(start.last, "a", start.wav_name).encode())


def check_ours(message: str | bytes) -> None:
    text = message.decode(errors="replace") if isinstance(message, bytes) else message
    for endpoint in (push_to_talk, live):
        try:
            endpoint.parse(text)
        except BadMessage as error:
            orjson.loads(ours.Failure(error.code, str(error)).encode())


def check_wave_header(message: str | bytes) -> None:
    data = message.encode(errors="replace") if isinstance(message, str) else message
    read_wave_header(data)
    header = read_wave_header(b"RIFF1234WAVE" + data)
    assert not isinstance(header, WaveHeader) or header.length <= 12 + len(data)


CHECKS = (check_frame, check_reply, check_v0, check_funasr, check_ours, check_wave_header)


def test_every_parser_understands_or_refuses_every_message(full):
    wanted = 200_000 if full else 4_000
    count, longest = 0, 0.0

    @seed(0)
    @settings(
        max_examples=wanted // BATCH,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(st.lists(FRAMES | REPLIES | STARTS | ANYTHING, min_size=BATCH, max_size=BATCH))
    def run(batch: list[str | bytes]) -> None:
        nonlocal count, longest
        for message in batch:
            for check in CHECKS:
                began = time.perf_counter()
                check(message)
                longest = max(longest, time.perf_counter() - began)
            count += 1

    run()
    print(f"\n{count} messages to each parser, none crashed; longest {longest * 1000:.1f} ms")
    assert count >= wanted
    assert longest < 1


def drawn(messages: st.SearchStrategy, count: int) -> list:
    """Draw messages outside of a test of hypothesis's own."""
    found: list = []

    @seed(1)
    @settings(max_examples=count // BATCH, database=None, suppress_health_check=list(HealthCheck))
    @given(st.lists(messages, min_size=BATCH, max_size=BATCH))
    def collect(batch: list) -> None:
        found.extend(batch)

    collect()
    return found


async def test_every_message_through_a_real_socket_is_answered(full):
    messages = drawn(FRAMES | ANYTHING, 5_000 if full else 1_000)
    answers, closed = 0, 0
    with serving_fake(ws_timeout=5) as server:
        left = iter(messages)

        async def send_all() -> None:
            nonlocal answers, closed
            socket = await connect(server.url)
            for message in left:
                await socket.send(message)
                try:
                    if not isinstance(message, bytes) and _goes_on(message):
                        await socket.send(json.dumps(FRAME | {"task_id": _task_id(message)}))
                    reply = json.loads(await asyncio.wait_for(socket.recv(), 10))
                    assert "task_id" in reply
                    answers += 1
                except ValueError:  # a v0 client gets plain text
                    answers += 1
                except ConnectionClosed:  # how v0 and v1 are told of a failure
                    closed += 1
                    socket = await connect(server.url)
            await socket.close()

        await asyncio.gather(*(send_all() for _ in range(8)))
        async with connect(server.url) as socket:
            await socket.send(json.dumps(FRAME))
            assert json.loads(await asyncio.wait_for(socket.recv(), 5))["is_final"]
    print(f"\n{len(messages)} messages: {answers} answers, {closed} connections closed")
    assert answers + closed == len(messages)
    assert not [line for line in server.log if "please report it" in line]


def _goes_on(message: str) -> bool:
    try:
        return not AudioFrame.parse(message).is_final
    except BadFrame:
        return False


def _task_id(message: str) -> str:
    return AudioFrame.parse(message).task_id
