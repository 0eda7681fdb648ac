"""CapsWriter's clients of every version against a real server with the real model."""

from __future__ import annotations

import asyncio
import base64
import json
from itertools import pairwise
from pathlib import Path

import capswriter_clients as clients
import httpx
import numpy as np
import pytest
from capswriter_clients import frame, read_to_final
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosedError

from capswriter.audio import SAMPLE_RATE

pytestmark = [pytest.mark.anyio, pytest.mark.model]

OPENING = "Dictation is an old idea."


def words(text: str) -> list[str]:
    return "".join(char if char.isalnum() else " " for char in text.lower()).split()


def expected(name: str) -> list[str]:
    samples = Path(__file__).parents[2] / "ref_codes" / "samples"
    return words((samples / name).read_text(encoding="utf-8"))


def is_close(text: str, reference: list[str]) -> bool:
    """Tell whether nearly all words of the reference are there, and nearly no others."""
    missing = set(reference) - set(words(text))
    return abs(len(words(text)) - len(reference)) <= 4 and len(missing) <= 4


@pytest.mark.parametrize("version", [clients.v0_5, clients.v0_6])
async def test_v0_clients_get_plain_text(server, phrase, version):
    assert (await version(server.url, phrase)).startswith(OPENING)


@pytest.mark.parametrize(
    "version",
    [
        clients.v1_0_file,
        clients.v1_0_mic,
        clients.v2_0_file,
        clients.v2_4_file,
        clients.v2_6_mic,
        clients.v2_6_file,
    ],
)
async def test_a_client_of_any_version_gets_the_whole_text(server, first, version):
    answer = await version(server.url, first)
    assert is_close(answer.text, expected("01.txt"))
    assert answer.final["duration"] == pytest.approx(len(first) / SAMPLE_RATE, abs=0.1)
    assert answer.final["text_accu"] == "".join(answer.final["tokens"]) == answer.text
    starts = answer.final["timestamps"]
    assert starts == sorted(starts)
    assert starts[-1] <= len(first) / SAMPLE_RATE


@pytest.mark.parametrize("offered", [None, ["binary"], ["binary", "other"], ["other"]])
async def test_any_subprotocol_or_none_connects_and_binary_is_chosen(server, offered):
    async with connect(server.url + "/any/path?x=1", subprotocols=offered) as socket:
        assert socket.subprotocol == ("binary" if offered and "binary" in offered else None)


async def test_partials_only_grow_and_are_beginnings_of_the_final_text(server, second):
    answer = await clients.v2_6_file(server.url, second)
    texts = [partial["text"] for partial in answer.partials] + [answer.text]
    assert len(texts) > 1
    assert all(after.startswith(before) for before, after in pairwise(texts))


async def test_two_tasks_interleaved_on_one_socket_are_kept_apart(server, first, second):
    one, other = first[: 20 * SAMPLE_RATE], second[: 19 * SAMPLE_RATE]
    alone = [
        (await clients.v2_6_file(server.url, one)).text,
        (await clients.v2_6_file(server.url, other)).text,
    ]
    async with connect(server.url, subprotocols=["binary"]) as socket:
        for start in range(0, 20 * SAMPLE_RATE, SAMPLE_RATE):
            for task_id, samples in (("one", one), ("other", other)):
                data = samples[start : start + SAMPLE_RATE].tobytes()
                await socket.send(frame(task_id, "file", data, seg_duration=60, seg_overlap=4))
        for task_id in ("one", "other"):
            await socket.send(frame(task_id, "file", b"", is_final=True))
        finals = {}
        while len(finals) < 2:
            answer = await read_to_final(socket)
            finals[answer.final["task_id"]] = answer.text
    assert [finals["one"], finals["other"]] == alone


async def test_one_socket_takes_one_task_after_the_other_under_the_same_name(server, phrase):
    async with connect(server.url) as socket:
        for _ in range(2):
            await socket.send(frame("same", "mic", phrase.tobytes(), is_final=True))
            assert (await read_to_final(socket)).text.startswith(OPENING)


async def test_v1_is_told_of_a_failed_dictation_by_a_final_without_text(server):
    nan = np.full(SAMPLE_RATE, np.nan, np.float32)
    answer = await clients.v2_6_mic(server.url, nan)
    assert answer.text == ""
    assert answer.final["type"] == "error"
    assert answer.final["code"] == "bad_request"
    assert "NaN" in answer.final["message"]


async def test_v1_is_told_of_a_failed_file_by_a_close_with_the_reason(server):
    nan = np.full(SAMPLE_RATE, np.nan, np.float32)
    with pytest.raises(ConnectionClosedError) as closed:
        await clients.v2_6_file(server.url, nan)
    assert closed.value.rcvd.code == 1011
    assert "NaN" in closed.value.rcvd.reason


async def v2(server, *messages: str) -> list[dict]:
    """Send messages and give what comes up to the first final or error."""
    async with connect(server.url) as socket:
        for message in messages:
            await socket.send(message)
        replies = []
        while not (replies and (replies[-1]["type"] == "error" or replies[-1]["is_final"])):
            replies.append(json.loads(await asyncio.wait_for(socket.recv(), 30)))
        return replies


@pytest.mark.parametrize("seconds", [0, 0.01])
async def test_next_to_no_audio_gets_an_empty_final(server, seconds):
    data = np.zeros(round(seconds * SAMPLE_RATE), np.float32).tobytes()
    [reply] = await v2(server, frame("t", "mic", data, is_final=True, encoding="f32le"))
    assert (reply["type"], reply["text"], reply["duration"]) == ("result", "", seconds)


async def test_silence_and_noise_give_no_text(server):
    noise = np.random.default_rng(0).normal(0, 0.003, 12 * SAMPLE_RATE).astype(np.float32)
    for samples in (np.zeros(12 * SAMPLE_RATE, np.float32), noise):
        answer = await clients.v2_6_file(server.url, samples)
        assert answer.text == ""
        assert answer.final["duration"] == 12


@pytest.mark.parametrize("seg_duration", [0, -1, 1e9])
@pytest.mark.parametrize("seg_overlap", [0, -1, 1e9])
async def test_impossible_segment_lengths_are_brought_into_range(
    server, phrase, seg_duration, seg_overlap
):
    keys = {"seg_duration": seg_duration, "seg_overlap": seg_overlap}
    answer = await clients.v2_6_mic(server.url, phrase, **keys)
    assert answer.text.startswith(OPENING)


BAD = {
    "malformed JSON": ('{"task_id": "t", ', "not JSON"),
    "no object": ("[1, 2]", "not a JSON object"),
    "bad base64": (frame("t", "mic", b"").replace('"data": ""', '"data": "a$b="'), "base64"),
    "unknown source": (frame("t", "radio", b""), "source is 'radio', not"),
    "no task": (frame("", "mic", b""), "task_id is '', not 1 to 200 characters"),
    **{
        f"no {key}": (
            json.dumps({k: v for k, v in json.loads(frame("t", "mic", b"")).items() if k != key}),
            f"the key {key} is missing",
        )
        for key in ("task_id", "source", "data", "is_final", "time_start")
    },
}


@pytest.mark.parametrize("fault", BAD)
async def test_a_frame_that_cannot_be_understood_is_answered_with_the_reason(server, phrase, fault):
    message, reason = BAD[fault]
    async with connect(server.url) as socket:
        await socket.send(message)
        reply = json.loads(await asyncio.wait_for(socket.recv(), 5))
        assert (reply["type"], reply["code"], reply["retryable"]) == ("error", "bad_request", False)
        assert reason in reply["message"]
        assert "\n" not in reply["message"]
        # and the socket, and the server, go on
        await socket.send(frame("next", "mic", phrase.tobytes(), is_final=True))
        assert (await read_to_final(socket)).text.startswith(OPENING)


async def test_a_bad_frame_of_a_v1_file_closes_the_connection_with_the_reason(server):
    async with connect(server.url) as socket:
        await socket.send(frame("t", "file", b"").replace('"data": ""', '"data": "%"'))
        with pytest.raises(ConnectionClosedError) as closed:
            await asyncio.wait_for(socket.recv(), 5)
    assert closed.value.rcvd.code == 1011
    assert "base64" in closed.value.rcvd.reason


async def test_v2_takes_16_bit_samples(server, phrase):
    pcm = (phrase * 32_767).astype("<i2").tobytes()
    keys = {"encoding": "s16le", "samples_total": len(phrase), "is_final": True}
    replies = await v2(server, frame("t", "file", pcm, **keys))
    assert replies[-1]["text"].startswith(OPENING)
    assert replies[-1]["type"] == "result"


@pytest.mark.parametrize(
    ("encoding", "container", "codec"), [("flac", "flac", "flac"), ("ogg_opus", "ogg", "libopus")]
)
async def test_v2_takes_containers_as_a_stream(
    server, phrase, tmp_path, encoding, container, codec
):
    data = encoded(phrase, tmp_path / f"x.{container}", codec)
    half = len(data) // 2
    replies = await v2(
        server,
        frame("t", "file", data[:half], encoding=encoding),
        frame("t", "file", data[half:], encoding=encoding, is_final=True),
    )
    assert replies[-1]["text"].startswith(OPENING)
    assert replies[-1]["duration"] == pytest.approx(8, abs=0.1)


def encoded(samples, path: Path, codec: str) -> bytes:
    import av

    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=16_000 if codec == "flac" else 48_000)
        stream.layout = "mono"
        sound = av.AudioFrame.from_ndarray(
            (samples * 32_767).astype("<i2")[None, :], format="s16", layout="mono"
        )
        sound.rate = SAMPLE_RATE
        resampler = av.AudioResampler(stream.format, "mono", stream.rate)
        for resampled in [*resampler.resample(sound), *resampler.resample(None)]:
            container.mux(stream.encode(resampled))
        container.mux(stream.encode(None))
    return path.read_bytes()


async def test_v2_is_told_when_a_container_cannot_be_decoded(server):
    message = frame("t", "file", b"no flac at all" * 1000, encoding="flac", is_final=True)
    [reply] = await v2(server, message)
    assert (reply["type"], reply["code"]) == ("error", "decode_failed")
    assert "\n" not in reply["message"]


async def test_v2_is_told_of_an_encoding_that_is_not_known(server):
    [reply] = await v2(server, frame("t", "file", b"", encoding="mp4", is_final=True))
    assert reply["code"] == "unsupported_encoding"
    assert "f32le, s16le, flac, ogg_opus" in reply["message"]


async def test_v2_is_told_when_samples_are_missing(server, phrase):
    keys = {"encoding": "f32le", "samples_total": len(phrase) + 1, "is_final": True}
    replies = await v2(server, frame("t", "file", phrase.tobytes(), **keys))
    assert replies[-1]["code"] == "bad_request"
    assert f"{len(phrase)} samples arrived, samples_total says" in replies[-1]["message"]


async def test_frames_of_a_failed_task_are_passed_over_until_its_last(server, phrase):
    async with connect(server.url) as socket:
        nan = np.full(800, np.nan, np.float32).tobytes()
        await socket.send(frame("t", "mic", nan, encoding="f32le"))
        reply = json.loads(await asyncio.wait_for(socket.recv(), 5))
        assert reply["type"] == "error"
        for _ in range(20):
            await socket.send(frame("t", "mic", bytes(3200), encoding="f32le"))
        await socket.send(frame("t", "mic", b"", encoding="f32le", is_final=True))
        await socket.send(frame("t", "mic", phrase.tobytes(), encoding="f32le", is_final=True))
        answer = await read_to_final(socket)
        assert answer.text.startswith(OPENING)


async def test_an_unknown_language_is_refused_with_those_that_are_known(server, phrase):
    keys = {"language": "klingon", "encoding": "f32le", "is_final": True}
    replies = await v2(server, frame("t", "mic", phrase.tobytes(), **keys))
    assert replies[-1]["code"] == "inference_failed"
    assert "klingon" in replies[-1]["message"]


async def test_language_names_of_the_clients_are_understood(server, phrase):
    answer = await clients.v2_6_mic(server.url, phrase, language="english")
    assert answer.text.startswith(OPENING)


async def test_ready_and_about_answer_over_http(server):
    async with httpx.AsyncClient() as http:
        assert (await http.get(server.http + "/ready")).status_code == 200
        about = (await http.get(server.http + "/")).json()
    assert about["name"] == "CapsWriter Server"
    assert about["model"] == "whisper-base"


def test_base64_of_the_clients_is_what_the_server_reads(phrase):
    assert json.loads(frame("t", "mic", b"ab"))["data"] == base64.b64encode(b"ab").decode()
