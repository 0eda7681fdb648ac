"""OpenAI's realtime transcription, by their own client and by raw sockets, on real servers."""

from __future__ import annotations

import asyncio
import base64
import json
import time
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import numpy as np
import psutil
import pytest
import soxr
from marked_speech import long_marked, marked, numbers, stats, write_words
from openai import AsyncOpenAI
from servers import serving_fake
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosedError, InvalidStatus

from capswriter.audio import SAMPLE_RATE
from capswriter.audio.g711 import decode_alaw, decode_ulaw

pytestmark = pytest.mark.anyio

PATH = "/v1/realtime?intent=transcription"
BUFFER = "input_audio_buffer."
TEXT = "conversation.item.input_audio_transcription."
COMMITTED = BUFFER + "committed"
PCM_16 = {"type": "audio/pcm", "rate": 16_000}
SILENCE = np.zeros(SAMPLE_RATE, np.float32)


def pcm(samples: np.ndarray) -> bytes:
    return np.round(samples * 32_768).clip(-32_768, 32_767).astype("<i2").tobytes()


def resampled(samples: np.ndarray, rate: int) -> np.ndarray:
    return soxr.resample(samples, SAMPLE_RATE, rate)


def g711(samples: np.ndarray, decode) -> bytes:
    """Encode by looking for the nearest of all values there are."""
    values = decode(bytes(range(256))).astype(np.int32)
    order = np.argsort(values)
    wanted = np.round(resampled(samples, 8000) * 32_768)
    ends = np.searchsorted((values[order][1:] + values[order][:-1]) / 2, wanted)
    return order[ends].astype(np.uint8).tobytes()


def pieces(data: bytes, size: int = 3201):
    """Cut into frames, most of which end in the middle of a sample."""
    return [data[start : start + size] for start in range(0, len(data), size)]


def session(audio_format=PCM_16, turns=None, **transcription) -> dict:
    heard = {"format": audio_format, "turn_detection": turns, "transcription": transcription}
    return {"type": "transcription", "audio": {"input": heard}}


def server_vad(**changes) -> dict:
    return {"type": "server_vad", "silence_duration_ms": 500, **changes}


class Raw:
    """A client that says JSON and notes all it is told."""

    def __init__(self, socket) -> None:
        self.socket = socket
        self.events: list[dict] = []

    async def say(self, kind: str, **keys) -> None:
        await self.socket.send(json.dumps({"type": kind, **keys}))

    async def append(self, data: bytes) -> None:
        for piece in pieces(data):
            await self.say(BUFFER + "append", audio=base64.b64encode(piece).decode())

    async def hear(self) -> dict:
        self.events.append(json.loads(await asyncio.wait_for(self.socket.recv(), 30)))
        return self.events[-1]

    async def until(self, kind: str) -> dict:
        while (event := await self.hear())["type"] != kind:
            pass
        return event

    async def configure(self, *arguments, **keys) -> dict:
        await self.say("session.update", session=session(*arguments, **keys))
        return await self.until("session.updated")

    def kinds(self) -> list[str]:
        return [event["type"] for event in self.events]

    def of(self, kind: str) -> list[dict]:
        return [event for event in self.events if event["type"] == kind]


@asynccontextmanager
async def raw(server, path: str = PATH, **options):
    async with connect(server.url + path, proxy=None, **options) as socket:
        yield Raw(socket)


@asynccontextmanager
async def official(server, api_key: str = "none", **query):
    """The official client, as its users call it."""
    url = {"base_url": server.http + "/v1", "websocket_base_url": server.url + "/v1"}
    async with AsyncOpenAI(api_key=api_key, **url) as client:
        query = {"intent": "transcription", **query}
        async with client.realtime.connect(extra_query=query) as connection:
            yield connection


async def official_append(connection, data: bytes) -> None:
    for piece in pieces(data):
        await connection.input_audio_buffer.append(audio=base64.b64encode(piece).decode())


async def official_until(connection, kind: str, count: int = 1) -> list:
    events = []
    while sum(event.type == kind for event in events) < count:
        events.append(await asyncio.wait_for(connection.recv(), 60))
        assert events[-1].type not in {"error", TEXT + "failed"}, events[-1]
    return events


@pytest.fixture(scope="module")
def directory(tmp_path_factory):
    folder = tmp_path_factory.mktemp("marked")
    write_words(folder)
    return folder


@pytest.fixture(scope="module")
def fake(directory):
    """A server that says which part of the marked whole it was given."""
    with serving_fake("marked_engine:load", directory) as server:
        yield server


@pytest.fixture(scope="module")
def two_turns(first, second):
    """Two turns: speech from 1.55 to 5.74 s, and from 7.45 to 11.90 s."""
    one, other = first[7 * SAMPLE_RATE : 83_200 + 7 * SAMPLE_RATE], second[104_000:184_000]
    return marked(SILENCE, one, SILENCE, other, SILENCE, SILENCE)


def check_two_turns(texts: list[str]) -> None:
    """Each turn's own words, named by the half second in which they were said."""
    one, other = (numbers(text) for text in texts)
    assert one == list(range(one[0], one[-1] + 1))
    assert other == list(range(other[0], other[-1] + 1))
    assert (2 <= one[0] <= 3, 11 <= one[-1] <= 12) == (True, True)
    assert (13 <= other[0] <= 15, 23 <= other[-1] <= 25) == (True, True)


def check_order(events: list[dict]) -> None:
    """Items follow each other, and each has one end."""
    committed = [event for event in events if event["type"] == BUFFER + "committed"]
    ids = [event["item_id"] for event in committed]
    assert [event["previous_item_id"] for event in committed] == [None, *ids[:-1]]
    ends = [event for event in events if event["type"] in {TEXT + "completed", TEXT + "failed"}]
    assert [event["item_id"] for event in ends] == ids
    assert len(set(ids)) == len(ids)
    assert len({event["event_id"] for event in events}) == len(events)


async def test_the_official_client_pushes_to_talk(fake, two_turns):
    async with official(fake, model="gpt-4o-transcribe", whatever="1") as connection:
        created = await connection.recv()
        assert created.type == "session.created"
        await connection.session.update(session=session(language="en", prompt="Anna"))
        updated = await connection.recv()
        assert updated.type == "session.updated"
        assert updated.session.audio.input.turn_detection is None
        texts, previous = [], None
        for part in (two_turns[: 7 * SAMPLE_RATE], two_turns[7 * SAMPLE_RATE :]):
            await official_append(connection, pcm(part))
            await connection.input_audio_buffer.commit()
            events = await official_until(connection, TEXT + "completed")
            assert [event.type for event in events] == [
                BUFFER + "committed",
                "conversation.item.added",
                "conversation.item.done",
                TEXT + "delta",
                TEXT + "completed",
            ]
            assert events[0].previous_item_id == previous
            previous = events[0].item_id
            assert events[1].item.id == events[4].item_id == previous
            assert events[3].delta == events[4].transcript
            assert events[4].usage.seconds == pytest.approx(len(part) / SAMPLE_RATE, abs=0.01)
            texts.append(events[4].transcript)
        check_two_turns(texts)


async def test_the_official_client_leaves_turns_to_the_server(fake, two_turns):
    async with official(fake) as connection:
        await connection.session.update(session=session(turns=server_vad(prefix_padding_ms=200)))
        await official_append(connection, pcm(two_turns))
        events = await official_until(connection, TEXT + "completed", 2)
    started = [event for event in events if event.type == BUFFER + "speech_started"]
    stopped = [event for event in events if event.type == BUFFER + "speech_stopped"]
    assert [event.audio_start_ms for event in started] == pytest.approx([1350, 7250], abs=70)
    assert [event.audio_end_ms for event in stopped] == pytest.approx([6240, 12400], abs=70)
    completed = [event for event in events if event.type == TEXT + "completed"]
    ids = [event.item_id for event in completed]
    assert [event.item_id for event in started] == [event.item_id for event in stopped] == ids
    lengths = [
        (end.audio_end_ms - begin.audio_start_ms) / 1000
        for begin, end in zip(started, stopped, strict=True)
    ]
    assert [event.usage.seconds for event in completed] == pytest.approx(lengths, abs=0.01)
    check_two_turns([event.transcript for event in completed])
    kinds = [event.type for event in events if getattr(event, "item_id", "") == ids[0]]
    assert kinds[:3] == [
        BUFFER + each for each in ("speech_started", "speech_stopped", "committed")
    ]


async def test_turns_do_not_depend_on_how_audio_is_cut(fake, two_turns):
    told = []
    for size in (640, 100_001, 2**21):
        async with raw(fake) as client:
            await client.configure(turns=server_vad())
            for piece in pieces(pcm(two_turns), size):
                await client.say(BUFFER + "append", audio=base64.b64encode(piece).decode())
            for _ in range(2):
                await client.until(TEXT + "completed")
            check_order(client.events)
            check_two_turns([event["transcript"] for event in client.of(TEXT + "completed")])
            starts = [each["audio_start_ms"] for each in client.of(BUFFER + "speech_started")]
            ends = [each["audio_end_ms"] for each in client.of(BUFFER + "speech_stopped")]
            told.append((starts, ends))
    assert told[0] == told[1] == told[2]


async def test_the_pause_that_ends_a_turn_and_the_threshold_are_heeded(fake, two_turns):
    async with raw(fake) as client:
        await client.configure(turns=server_vad(silence_duration_ms=1900))
        await client.append(pcm(two_turns))
        one = await client.until(TEXT + "completed")
        heard = numbers(one["transcript"])
        assert heard == sorted(set(heard))
        assert (heard[0] <= 3, heard[-1] >= 22) == (True, True)
        await client.configure(turns=server_vad(threshold=1.0))
        await client.append(pcm(two_turns))
        await client.say(BUFFER + "clear")
        await client.until(BUFFER + "cleared")
        assert len(client.of(BUFFER + "speech_started")) == 1


async def test_padding_reaches_back_to_the_turn_before_and_no_further(fake, two_turns):
    async with raw(fake) as client:
        await client.configure(turns=server_vad(prefix_padding_ms=3000))
        await client.append(pcm(two_turns))
        for _ in range(2):
            await client.until(TEXT + "completed")
        starts = [event["audio_start_ms"] for event in client.of(BUFFER + "speech_started")]
        ends = [event["audio_end_ms"] for event in client.of(BUFFER + "speech_stopped")]
        assert starts == [0, ends[0]]
        check_two_turns([event["transcript"] for event in client.of(TEXT + "completed")])


async def test_speech_is_recognised_while_it_is_spoken(tmp_path, second):
    write_words(tmp_path, speed=10)
    with serving_fake("marked_engine:load", tmp_path, workers=1) as server:
        async with raw(server) as client:
            await client.configure()
            await client.append(pcm(long_marked(second, 60)))
            for _ in range(200):  # 60 s take 6 s
                if (await stats(server))["completed"] and not (await stats(server))["active_tasks"]:
                    break
                await asyncio.sleep(0.1)
            began = time.monotonic()
            await client.say(BUFFER + "commit")
            completed = await client.until(TEXT + "completed")
            assert time.monotonic() - began < 3
            assert client.kinds()[:3] == ["session.created", "session.updated", COMMITTED]
            deltas = [event["delta"] for event in client.of(TEXT + "delta")]
            assert len(deltas) > 1
            assert "".join(deltas) == completed["transcript"]
            heard = numbers(completed["transcript"])
            assert heard == sorted(set(heard))
            assert len(heard) > 90


async def test_clear_drops_what_was_appended(fake, two_turns):
    data = pcm(two_turns)
    for turns in (None, server_vad()):
        async with raw(fake) as client:
            await client.configure(turns=turns)
            await client.append(data[: 4 * 2 * SAMPLE_RATE])  # in the middle of the first turn
            await client.say(BUFFER + "clear")
            await client.until(BUFFER + "cleared")
            await client.say(BUFFER + "commit")
            assert (await client.until("error"))["error"]["code"] == BUFFER[:-1] + "_commit_empty"
            await client.configure()
            await client.append(data[7 * 2 * SAMPLE_RATE :])
            await client.say(BUFFER + "commit")
            completed = await client.until(TEXT + "completed")
            assert numbers(completed["transcript"])[0] >= 13
            assert len(client.of(BUFFER + "committed")) == 1
            check_order(client.events)


async def test_a_client_may_commit_a_turn_before_its_end(fake, two_turns):
    async with raw(fake) as client:
        await client.configure(turns=server_vad())
        await client.append(pcm(two_turns)[: 4 * 2 * SAMPLE_RATE])
        await client.say(BUFFER + "commit")
        completed = await client.until(TEXT + "completed")
        heard = numbers(completed["transcript"])
        assert (heard[0] in {2, 3}, heard[-1]) == (True, 7)
        [stopped] = client.of(BUFFER + "speech_stopped")
        assert stopped["audio_end_ms"] == 4000
        # and the clock goes on
        await client.append(pcm(two_turns)[7 * 2 * SAMPLE_RATE :])
        await client.until(TEXT + "completed")
        started = client.of(BUFFER + "speech_started")
        assert started[-1]["audio_start_ms"] == pytest.approx(4000 + 150, abs=70)
        await client.configure(turns=server_vad(silence_duration_ms=600))
        await client.append(pcm(two_turns)[7 * 2 * SAMPLE_RATE :])
        await client.until(TEXT + "completed")
        started = client.of(BUFFER + "speech_started")
        assert started[-1]["audio_start_ms"] == pytest.approx(11_200 + 150, abs=70)
        check_order(client.events)


async def test_turn_detection_may_be_turned_on_and_off_in_the_middle_of_speech(fake, two_turns):
    data = pcm(two_turns)
    async with raw(fake) as client:
        await client.configure()
        await client.append(data[: 4 * 2 * SAMPLE_RATE])
        await client.configure(turns=server_vad())
        await client.append(data[4 * 2 * SAMPLE_RATE : 9 * 2 * SAMPLE_RATE])  # into the second
        await client.until(BUFFER + "speech_started")
        await client.configure()
        await client.append(data[9 * 2 * SAMPLE_RATE :])
        await client.say(BUFFER + "commit")
        texts = [(await client.until(TEXT + "completed"))["transcript"]]
        if len(client.of(TEXT + "completed")) < 2:
            await client.until(TEXT + "completed")
        texts = [event["transcript"] for event in client.of(TEXT + "completed")]
        check_two_turns(texts)
        check_order(client.events)


async def test_silence_is_an_item_without_text(fake):
    async with raw(fake) as client:
        await client.configure()
        await client.append(bytes(2 * SAMPLE_RATE))
        await client.say(BUFFER + "commit")
        completed = await client.until(TEXT + "completed")
        assert (completed["transcript"], completed["usage"]["seconds"]) == ("", 1.0)
        assert not client.of(TEXT + "delta")


@pytest.mark.parametrize("milliseconds", [0, 99])
async def test_next_to_nothing_cannot_be_committed(fake, milliseconds):
    for turns in (None, server_vad()):
        async with raw(fake) as client:
            await client.configure(turns=turns)
            await client.append(bytes(32 * milliseconds))
            await client.say(BUFFER + "commit", event_id="mine")
            error = (await client.until("error"))["error"]
            assert error["code"] == "input_audio_buffer_commit_empty"
            assert error["event_id"] == "mine"
            await client.append(bytes(32))
            if milliseconds:  # what was there still is
                await client.say(BUFFER + "commit")
                await client.until(BUFFER + "committed")


BAD = {
    "no JSON": ("{", "invalid_json", None),
    "binary": (b"\xff\x00", "invalid_json", None),
    "unknown type": ('{"type": "response.create"}', "invalid_value", "type"),
    "no base64": ('{"type": "input_audio_buffer.append", "audio": "%"}', "invalid_value", "audio"),
    "speech to speech": (
        '{"type": "session.update", "session": {"type": "realtime"}}',
        "invalid_value",
        "session.type",
    ),
    "unknown rate": (
        json.dumps({"type": "session.update", "session": session({**PCM_16, "rate": 44_100})}),
        "invalid_value",
        "session.audio.input.format.rate",
    ),
}


@pytest.mark.parametrize("fault", BAD)
async def test_what_cannot_be_obeyed_is_an_error_and_the_session_goes_on(fake, two_turns, fault):
    message, code, param = BAD[fault]
    async with raw(fake) as client:
        await client.configure()
        await client.append(pcm(two_turns)[: 5 * SAMPLE_RATE])
        await client.socket.send(message)
        error = (await client.until("error"))["error"]
        assert (error["type"], error["code"]) == ("invalid_request_error", code)
        assert error["param"] == param
        assert "\n" not in error["message"]
        await client.append(pcm(two_turns)[5 * SAMPLE_RATE : 12 * SAMPLE_RATE])
        await client.say(BUFFER + "commit")
        assert numbers((await client.until(TEXT + "completed"))["transcript"])[-1] in {10, 11}
        check_order(client.events)


async def test_the_format_may_change_only_between_items(fake, two_turns):
    async with raw(fake) as client:
        await client.configure()
        await client.append(pcm(two_turns)[: 12 * SAMPLE_RATE])
        await client.say("session.update", session=session({"type": "audio/pcmu"}))
        assert "cannot change" in (await client.until("error"))["error"]["message"]
        await client.say(BUFFER + "commit")
        assert numbers((await client.until(TEXT + "completed"))["transcript"])
        await client.configure({"type": "audio/pcmu"})
        await client.append(b"\xff" * 8000)
        await client.say(BUFFER + "commit")
        assert (await client.until(TEXT + "completed"))["usage"]["seconds"] == 1.0


async def test_other_intents_are_refused_with_one_error(fake):
    async with raw(fake, "/v1/realtime?intent=conversation&model=gpt-realtime") as client:
        event = await client.hear()
        assert (event["type"], event["error"]["param"]) == ("error", "intent")
        with pytest.raises(ConnectionClosedError, match="no spoken answers"):
            await client.hear()


async def test_a_session_without_an_intent_is_one_of_transcription(fake):
    async with raw(fake, "/v1/realtime?model=whisper-1") as client:
        assert (await client.hear())["session"]["type"] == "transcription"


@pytest.mark.parametrize("by_header", [True, False])
async def test_the_beta_is_answered_in_its_own_words(fake, two_turns, by_header):
    options = {"additional_headers": {"OpenAI-Beta": "realtime=v1"}} if by_header else {
        "subprotocols": ["realtime", "openai-insecure-api-key.x", "openai-beta.realtime-v1"]
    }  # fmt: skip
    async with raw(fake, **options) as client:
        created = await client.hear()
        assert created["type"] == "transcription_session.created"
        assert created["session"]["input_audio_format"] == "pcm16"
        told = {"input_audio_format": "pcm16", "turn_detection": None}
        await client.say("transcription_session.update", session=told)
        updated = await client.hear()
        assert updated["type"] == "transcription_session.updated"
        assert updated["session"]["turn_detection"] is None
        # 24 kHz: the marks are lost in resampling, so silence has to do
        await client.append(bytes(48_000))
        await client.say(BUFFER + "commit")
        completed = await client.until(TEXT + "completed")
        assert completed["usage"]["seconds"] == 1.0
        assert client.kinds()[2:] == [
            BUFFER + "committed",
            "conversation.item.created",
            TEXT + "completed",
        ]


FORMATS = {
    "16 kHz": (PCM_16, pcm),
    "24 kHz": ({"type": "audio/pcm", "rate": 24_000}, lambda each: pcm(resampled(each, 24_000))),
    "µ-law": ({"type": "audio/pcmu"}, lambda each: g711(each, decode_ulaw)),
    "A-law": ({"type": "audio/pcma"}, lambda each: g711(each, decode_alaw)),
}


@pytest.mark.parametrize("name", FORMATS)
async def test_every_format_is_understood_in_either_mode(tmp_path, two_turns, name):
    (tmp_path / "phrases.json").write_text(json.dumps([["en", "Somebody speaks."]]))
    audio_format, encode = FORMATS[name]
    data = encode(two_turns)
    with serving_fake("phrase_engine:load", tmp_path, workers=1) as server:
        async with raw(server) as client:
            await client.configure(audio_format, turns=server_vad())
            await client.append(data)
            for _ in range(2):
                completed = await client.until(TEXT + "completed")
                assert completed["transcript"] == "Somebody speaks."
            starts = [event["audio_start_ms"] for event in client.of(BUFFER + "speech_started")]
            assert starts == pytest.approx([1250, 7150], abs=100)
            await client.configure(audio_format)
            await client.append(data[: len(data) // 2])
            await client.say(BUFFER + "commit")
            completed = await client.until(TEXT + "completed")
            assert completed["transcript"] == "Somebody speaks."
            length = len(two_turns) / 2 / SAMPLE_RATE
            assert completed["usage"]["seconds"] == pytest.approx(length, abs=0.01)


async def test_the_finished_text_is_told_and_deltas_are_what_it_is_made_of(tmp_path, phrase):
    (tmp_path / "phrases.json").write_text(json.dumps([["zh", "我今年二十三岁在北京住了十五年"]]))
    with serving_fake("phrase_engine:load", tmp_path, workers=1) as server:
        async with raw(server) as client:
            await client.configure()
            await client.append(pcm(phrase[: 5 * SAMPLE_RATE]))
            await client.say(BUFFER + "commit")
            completed = await client.until(TEXT + "completed")
            assert "23" in completed["transcript"]
            deltas = [event["delta"] for event in client.of(TEXT + "delta")]
            assert "".join(deltas) == completed["transcript"]


async def test_a_failed_item_is_told_in_its_place_and_the_others_have_their_text(tmp_path, second):
    write_words(tmp_path, speed=20, fail=[10, 14])
    spoken = pcm(long_marked(second, 21))
    with serving_fake("faulty_engine:load", tmp_path) as server:
        async with raw(server) as client:
            await client.configure()
            for part in pieces(spoken, 7 * 2 * SAMPLE_RATE):
                await client.append(part)
                await client.say(BUFFER + "commit")
            last = await client.until(TEXT + "completed")
            while len(client.of(TEXT + "completed")) < 2:
                last = await client.until(TEXT + "completed")
            [failed] = client.of(TEXT + "failed")
            assert failed["error"]["code"] == "inference_failed"
            assert failed["error"]["type"] == "server_error"
            assert numbers(last["transcript"])[0] >= 27
            check_order(client.events)


async def test_an_item_that_is_too_long_fails_once_it_is_committed(fake, directory, two_turns):
    with serving_fake("marked_engine:load", directory, max_audio_hours=0.001) as server:
        async with raw(server) as client:
            await client.configure()
            await client.append(pcm(two_turns))
            await client.say(BUFFER + "commit")
            failed = await client.until(TEXT + "failed")
            assert failed["error"]["code"] == "audio_too_long"
            assert failed["error"]["type"] == "invalid_request_error"
            await client.append(pcm(two_turns)[: 7 * SAMPLE_RATE])
            await client.say(BUFFER + "commit")
            assert numbers((await client.until(TEXT + "completed"))["transcript"])
            check_order(client.events)


async def test_unfinished_items_are_bounded_and_told_in_order(tmp_path, second):
    write_words(tmp_path, speed=2)
    with serving_fake("marked_engine:load", tmp_path, workers=1) as server:
        async with raw(server) as client:
            await client.configure()
            await client.append(pcm(long_marked(second, 10)))
            await client.say(BUFFER + "commit")
            for _ in range(40):
                await client.append(bytes(6400))
                await client.say(BUFFER + "commit")
            while len(client.of(TEXT + "completed") + client.of(TEXT + "failed")) < 41:
                await client.hear()
            check_order(client.events)
            failed = client.of(TEXT + "failed")
            assert len(failed) == 41 - 32
            assert {event["error"]["code"] for event in failed} == {"overloaded"}


async def until_logged(server, text: str) -> None:
    for _ in range(100):
        if text in "".join(server.log):
            return
        await asyncio.sleep(0.05)
    pytest.fail(f"the log has no {text!r}")


STATES = ("created", "appended", "committed", "in a turn", "after turns", "dropped")


@pytest.mark.parametrize("state", STATES)
async def test_who_leaves_in_any_state_leaves_nothing_behind(tmp_path, two_turns, second, state):
    write_words(tmp_path, speed=2)
    spoken = pcm(long_marked(second, 160))  # more than is kept in memory
    with serving_fake("marked_engine:load", tmp_path, workers=1) as server:
        before = psutil.Process(server.pid).num_fds()
        async with raw(server) as client:
            await client.hear()
            if state in {"appended", "committed", "dropped"}:
                await client.configure()
                await client.append(spoken)
            if state == "committed":
                await client.say(BUFFER + "commit")
                await client.until(BUFFER + "committed")
            elif state == "dropped":
                await client.say(BUFFER + "clear")
                await client.until(BUFFER + "cleared")
                await until_logged(server, "end live stopped")
            elif state in {"in a turn", "after turns"}:
                await client.configure(turns=server_vad())
                await client.append(pcm(two_turns)[: (4 if state == "in a turn" else 13) * 32_000])
                await client.until(BUFFER + "speech_started")
            client.socket.transport.abort()
        for _ in range(200):
            now = await stats(server)
            if not (now["active_connections"] or now["active_tasks"] or now["queued_tasks"]):
                break
            await asyncio.sleep(0.05)
        else:
            pytest.fail(f"{now}")
        async with raw(server) as client:  # and others are served
            await client.configure()
            await client.append(pcm(two_turns)[: 4 * 32_000])
            await client.say(BUFFER + "commit")
            assert numbers((await client.until(TEXT + "completed"))["transcript"])
        for _ in range(100):
            if psutil.Process(server.pid).num_fds() <= before + 3:  # pages keep theirs a while
                break
            await asyncio.sleep(0.05)
        assert psutil.Process(server.pid).num_fds() <= before + 3
        began = time.monotonic()
        assert server.stop() == 0
        assert time.monotonic() - began < 8  # it waits for no utterance
        assert "Traceback" not in "".join(server.log)


async def test_silence_in_the_middle_of_an_utterance_ends_the_connection(fake, directory):
    with serving_fake("marked_engine:load", directory, ws_timeout=1) as server:
        async with raw(server) as idle, raw(server) as stuck:
            await idle.configure()
            await stuck.configure()
            await stuck.append(bytes(32_000))
            with pytest.raises(ConnectionClosedError, match="middle of a task"):
                await asyncio.wait_for(stuck.hear(), 10)
            await idle.append(bytes(32_000))
            await idle.say(BUFFER + "commit")
            await idle.until(TEXT + "completed")


async def test_what_is_committed_is_told_before_the_server_stops(tmp_path, second):
    write_words(tmp_path, speed=5)
    with serving_fake("marked_engine:load", tmp_path, workers=1) as server:
        async with raw(server) as client:
            await client.configure()
            await client.append(pcm(long_marked(second, 10)))
            await client.say(BUFFER + "commit")
            await client.until(BUFFER + "committed")
            stopping = asyncio.create_task(asyncio.to_thread(server.stop))
            assert numbers((await client.until(TEXT + "completed"))["transcript"])
            assert await stopping == 0


async def test_the_token_is_taken_from_the_header_and_from_the_subprotocol(directory, two_turns):
    token, key = "s3cr3t-token", "openai-insecure-api-key."
    config = {"token": token, "log_level": "debug"}
    with serving_fake("marked_engine:load", directory, **config) as server:
        async with official(server, api_key=token) as connection:
            assert (await connection.recv()).type == "session.created"
        async with raw(server, subprotocols=["realtime", key + token]) as client:
            assert client.socket.subprotocol == "realtime"
            assert (await client.hear())["type"] == "session.created"
        wrong = [key, key + token[:-1], key + token + "x", key.upper() + token, token]
        for each in wrong:
            with pytest.raises(InvalidStatus) as refused:
                async with raw(server, subprotocols=["realtime", each]):
                    pass
            assert refused.value.response.status_code == 401
        with pytest.raises(InvalidStatus):  # two are a guess
            async with raw(server, subprotocols=[key + "a", key + token]):
                pass
        async with httpx.AsyncClient() as http:
            shown = {"Sec-WebSocket-Protocol": key + token}
            assert (await http.get(server.http + "/stats", headers=shown)).status_code == 200
        server.stop()
        assert token not in "".join(server.log)


async def test_thirty_clients_at_once_each_get_their_own_text(fake, second):
    whole = long_marked(second, 90)

    async def one(number: int) -> None:
        begin = 3 * number
        part = whole[begin * SAMPLE_RATE : (begin + 3) * SAMPLE_RATE]
        async with raw(fake) as client:
            await client.configure(turns=server_vad() if number % 2 else None)
            for piece in pieces(pcm(part), 6400):
                await client.say(BUFFER + "append", audio=base64.b64encode(piece).decode())
                await asyncio.sleep(0.02)
            await client.say(BUFFER + "commit")
            committed = await client.until(BUFFER + "committed")
            heard = []
            for count in range(len(client.of(BUFFER + "committed")) + 20):
                if count and client.events[-1]["type"] == TEXT + "completed":
                    newest = client.of(BUFFER + "committed")[-1]["item_id"]
                    if client.events[-1]["item_id"] == newest and newest == committed["item_id"]:
                        break
                event = await client.hear()
                if event["type"] == BUFFER + "committed":
                    committed = event
            for event in client.of(TEXT + "completed"):
                heard += numbers(event["transcript"])
            check_order(client.events)
            assert heard, client.events
            assert heard == sorted(set(heard))
            assert heard[0] >= 2 * begin
            assert heard[-1] < 2 * begin + 6

    await asyncio.gather(*(one(number) for number in range(30)))


def words(text: str) -> list[str]:
    return "".join(char if char.isalnum() else " " for char in text.lower()).split()


@pytest.mark.model
async def test_the_official_client_dictates_to_whisper(server, first, samples: Path):
    expected = words((samples / "01.txt").read_text(encoding="utf-8"))
    async with official(server) as connection:
        heard = session({"type": "audio/pcm", "rate": 24_000}, language="en")
        await connection.session.update(session=heard)
        await official_append(connection, pcm(resampled(first[: 30 * SAMPLE_RATE], 24_000)))
        await connection.input_audio_buffer.commit()
        events = await official_until(connection, TEXT + "completed")
    text = events[-1].transcript
    assert text.startswith("Dictation is an old idea.")
    assert "".join(each.delta for each in events if each.type == TEXT + "delta") == text
    assert len(set(words(text)) - set(expected)) <= 3
    assert 70 < len(words(text)) < 90


@pytest.mark.model
async def test_whisper_hears_turns_over_the_telephone(server, first, samples: Path):
    expected = words((samples / "01.txt").read_text(encoding="utf-8"))
    async with official(server) as connection:
        heard = session({"type": "audio/pcmu"}, turns=server_vad(), language="en")
        await connection.session.update(session=heard)
        sound = np.concatenate([first[: 30 * SAMPLE_RATE], SILENCE])
        await official_append(connection, g711(sound, decode_ulaw))
        stopped = []
        texts = []
        while len(words(" ".join(texts))) < 45:
            event = await asyncio.wait_for(connection.recv(), 60)
            assert event.type not in {"error", TEXT + "failed"}, event
            stopped += [event] if event.type == BUFFER + "speech_stopped" else []
            texts += [event.transcript] if event.type == TEXT + "completed" else []
    assert len(stopped) > 3
    assert words(texts[0]) == words("Dictation is an old idea")
    assert len(set(words(" ".join(texts))) - set(expected)) <= 5
