"""FunASR's clients, each as it behaves, against real servers; alone, and beside CapsWriter's."""

from __future__ import annotations

import asyncio
import json
import re
import signal
import time
from contextlib import suppress
from itertools import count

import capswriter_clients
import funasr_clients as clients
import httpx
import numpy as np
import pytest
from fake_engine import REFUSE
from funasr_clients import FRAME, START, pcm, read, read_to_final, riff, say
from marked_speech import marked, numbers, write_words
from media import write
from servers import serving_fake
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosedError

from capswriter.audio import SAMPLE_RATE, Samples

pytestmark = pytest.mark.anyio

PACE = FRAME / 2 / SAMPLE_RATE / 4
"""Seconds between two frames of who speaks, at four times the speed of speech."""


@pytest.fixture(scope="module")
def whole(first, second) -> Samples:
    return marked(first, second)


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """A server that hears a word every half second, named by when."""
    directory = tmp_path_factory.mktemp("marked")
    write_words(directory)
    with serving_fake("marked_engine:load", directory, max_connections=100) as running:
        yield running


@pytest.fixture(scope="module")
def fake():
    with serving_fake() as running:
        yield running


@pytest.fixture(scope="module")
def told():
    """A server that says what its engine was asked for."""
    with serving_fake("told_engine:load") as running:
        yield running


def part(whole: Samples, begin: float, seconds: float) -> Samples:
    return whole[round(begin * SAMPLE_RATE) : round((begin + seconds) * SAMPLE_RATE)]


async def reference(server, samples: Samples) -> list[int]:
    return numbers((await capswriter_clients.v2_6_file(server.url, samples)).text)


def is_right(text: str, expected: list[int]) -> bool:
    """Tell whether these are the words, each once; silences may be cut a little differently."""
    heard = numbers(text)
    differing = set(heard) ^ set(expected)
    assert heard == sorted(set(heard)), heard
    return len(expected) > 10 and len(differing) <= 2


def final_and_nothing_after(heard: clients.Heard) -> bool:
    return [message["is_final"] for message in heard.messages].index(True) + 1 == len(
        heard.messages
    )


async def stats(server) -> dict:
    async with httpx.AsyncClient() as http:
        return (await http.get(server.http + "/stats")).json()


async def until_idle(server) -> dict:
    """Wait until nothing is left of anybody."""
    for _ in range(200):
        now = await stats(server)
        busy = now["active_tasks"], now["queued_tasks"], now["backlog_seconds"]
        if not any(busy) and not now["active_connections"]:
            return now
        await asyncio.sleep(0.05)
    pytest.fail(f"after 10 s there is still {now}")


# Each client, in each of its modes


OFFLINE = {
    "html5": clients.html5_file,
    "python": clients.python_file,
    "old python": clients.python_old,
    "java": clients.java,
    "go": clients.golang,
    "c#": clients.csharp,
    "c++": lambda url, audio: clients.cpp_2pass(url, audio, mode="offline"),
}


@pytest.mark.parametrize("client", OFFLINE)
async def test_an_offline_client_gets_the_text_of_its_file_in_one_result(server, whole, client):
    samples = part(whole, 10, 40)
    audio = riff(samples) if client == "html5" else pcm(samples)
    heard = await OFFLINE[client](server.url + "/funasr", audio)
    results = [message for message in heard.messages if "is_end" not in message]
    assert [message["mode"] for message in results] == ["offline"]
    assert results[0]["is_final"] is True
    assert numbers(results[0]["text"]) == await reference(server, samples)


async def test_html5_shows_each_word_with_its_time(tmp_path, whole):
    """It knows words of Latin letters, and takes everything else for Chinese characters."""
    names = [chr(97 + n // 26) + chr(97 + n % 26) for n in range(300)]
    words = [[name, n / 2 + 0.1, n / 2 + 0.3] for n, name in enumerate(names)]
    (tmp_path / "words.json").write_text(json.dumps({"period": 180, "words": words}))
    with serving_fake("marked_engine:load", tmp_path, workers=1) as server:
        heard = await clients.html5_file(server.url, riff(part(whole, 0, 20)), audio_fs=44_100)
    shown = [line.split(":") for line in heard.text.split()]
    assert len(shown) > 30
    for seconds, word in shown:
        assert float(seconds) == pytest.approx(names.index(word) / 2 + 0.1, abs=0.05)


async def test_each_chinese_character_has_its_time(tmp_path, phrase):
    text = "今天天气很好，我们去公园。"
    (tmp_path / "phrases.json").write_text(json.dumps([["zh", text]]))
    with serving_fake("phrase_engine:load", tmp_path, workers=1) as server:
        heard = await clients.golang(server.url, pcm(phrase[: 3 * SAMPLE_RATE]))
    [message] = heard.messages
    assert message["text"] == text
    assert len(json.loads(message["timestamp"])) == len(text) - 2
    first, second = message["stamp_sents"]
    assert (first["text_seg"], first["punc"]) == ("今 天 天 气 很 好", "，")
    assert (second["text_seg"], second["punc"]) == ("我 们 去 公 园", "。")


async def test_sentences_have_their_times(server, whole):
    heard = await clients.golang(server.url, pcm(part(whole, 0, 8)))
    [sentence] = heard.messages[0]["stamp_sents"]
    words = sentence["text_seg"].split()
    assert words == heard.text.split()
    assert len(sentence["ts_list"]) == len(words)
    assert sentence["ts_list"][0][0] == sentence["start"] < sentence["end"]
    first = int(words[0][1:])
    assert sentence["ts_list"][0] == [500 * first + 100, 500 * first + 300]


async def test_python_s_client_is_acknowledged_after_its_result(server, whole):
    heard = await clients.python_file(server.url, pcm(part(whole, 0, 8)))
    result, acknowledgement = heard.messages
    assert result["text"]
    assert acknowledgement == {
        "mode": "offline",
        "text": "",
        "wav_name": "demo",
        "is_final": True,
        "is_end": True,
    }


async def test_who_asks_for_no_acknowledgement_gets_none(server, whole):
    async with connect(server.url) as socket:
        await socket.send(json.dumps(START | {"mode": "offline"}))
        await say(socket, pcm(part(whole, 0, 4)), frame=FRAME)
        await socket.send(json.dumps({"is_speaking": False}))
        assert "is_end" not in await read(socket)
        await no_more(socket)


async def no_more(socket, seconds: float = 0.5) -> None:
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(socket.recv(), seconds)


async def test_c_plus_plus_sends_many_files_on_one_connection(server, whole, tmp_path):
    parts = [part(whole, begin, 20) for begin in (0, 30, 60, 90, 120)]
    files = [("pcm", pcm(samples)) for samples in parts[:3]]
    files += [("wav", riff(parts[3])), ("others", riff(parts[4]))]
    heard = await clients.cpp_offline(server.url + "/", *files)
    for number, (one, samples) in enumerate(zip(heard, parts, strict=True)):
        assert numbers(one.text) == await reference(server, samples)
        assert one.messages[0]["wav_name"] == f"wav{number}"


BOTH = {
    "c++": clients.cpp_2pass,
    "android": clients.android,
    "java": lambda *given, **more: clients.java(*given, mode="2pass", **more),
    "go": lambda *given, **more: clients.golang(*given, mode="2pass", **more),
    "old python": lambda *given, **more: clients.python_old(*given, mode="2pass", **more),
    "html5": lambda *given, **more: clients.html5_file(*given, mode="2pass", **more),
}


@pytest.mark.parametrize("client", BOTH)
async def test_a_client_of_both_passes_gets_increments_then_sentences(server, whole, client):
    samples = part(whole, 0, 12)
    audio = riff(samples) if client == "html5" else pcm(samples)
    pace = PACE / 2 if client == "html5" else PACE  # its frames are half as long
    heard = await BOTH[client](server.url, audio, pause=pace)
    kinds = [message["mode"] for message in heard.messages]
    assert set(kinds) == {"2pass-online", "2pass-offline"}
    assert kinds[0] == "2pass-online"
    assert kinds[-1] == "2pass-offline"
    assert len(heard.finals) == 1
    assert final_and_nothing_after(heard)
    told = "".join(one["text"] for one in heard.messages if one["mode"] == "2pass-offline")
    assert is_right(told, await reference(server, samples))
    if client != "html5":  # which shows times
        assert heard.text == told


ONLINE = {
    "c++": lambda *given, **more: clients.cpp_2pass(*given, mode="online", **more),
    "java": lambda *given, **more: clients.java(*given, mode="online", **more),
    "old python": lambda *given, **more: clients.python_old(*given, mode="online", **more),
    "go": lambda *given, **more: clients.golang(*given, mode="online", **more),
}


@pytest.mark.parametrize("client", ONLINE)
async def test_an_online_client_gets_nothing_but_increments(server, whole, client):
    samples = part(whole, 0, 12)
    heard = await ONLINE[client](server.url, pcm(samples), pause=PACE)
    assert {message["mode"] for message in heard.messages} == {"online"}
    assert len([message for message in heard.messages if message["text"]]) > 2
    assert len(heard.finals) == 1
    assert final_and_nothing_after(heard)
    assert is_right(heard.text, await reference(server, samples))


async def test_a_sentence_is_told_while_the_next_is_spoken(server, whole):
    """In the recording, somebody draws breath now and then."""
    heard = await clients.cpp_2pass(server.url, pcm(part(whole, 0, 60)))
    sentences = [one for one in heard.messages if one["mode"] == "2pass-offline" and one["text"]]
    assert len(sentences) > 1
    assert [one["is_final"] for one in sentences] == [False] * (len(sentences) - 1) + [True]
    starts = [one["stamp_sents"][0]["start"] for one in sentences]
    assert starts == sorted(starts)


async def test_c_sharp_s_frames_of_a_megabyte_are_taken(server, whole):
    samples = part(whole, 0, 160)
    assert len(pcm(samples)) > 5 * 1_000_000
    heard = await clients.csharp(server.url, pcm(samples))
    assert numbers(heard.text) == await reference(server, samples)


@pytest.mark.parametrize("offered", [None, ["binary"], ["other"], ["other", "binary"]])
@pytest.mark.parametrize("path", ["", "/", "/funasr", "/any/path"])
async def test_any_path_and_subprotocol_will_do(fake, path, offered):
    async with connect(fake.url + path, subprotocols=offered) as socket:
        assert socket.subprotocol == ("binary" if offered and "binary" in offered else None)
        await socket.send(json.dumps(START | {"mode": "offline", "wav_name": path}))
        await socket.send(json.dumps({"is_speaking": False}))
        assert (await read(socket))["wav_name"] == path


# Ends


@pytest.mark.parametrize("mode", ["offline", "online", "2pass"])
@pytest.mark.parametrize("end", [{"is_speaking": False}, {"is_finished": True}], ids=str)
@pytest.mark.parametrize("seconds", [0, 0.01, 3])
async def test_each_end_gets_one_final_even_if_nothing_was_said(fake, mode, end, seconds):
    async with connect(fake.url) as socket:
        await socket.send(json.dumps(START | {"mode": mode, "wav_name": "a"}))
        for _ in range(3):
            await say(socket, bytes(round(seconds * SAMPLE_RATE) * 2), frame=FRAME)
            await socket.send(json.dumps(end))
            message = await read(socket)
            assert message["mode"] == {"2pass": "2pass-offline"}.get(mode, mode)
            assert (message["text"], message["is_final"], message["wav_name"]) == ("", True, "a")
        await no_more(socket)


@pytest.mark.parametrize("mode", ["offline", "online", "2pass"])
async def test_utterances_that_do_not_wait_for_each_other_are_answered_in_turn(server, whole, mode):
    async with connect(server.url) as socket:
        begins = [60, 0, 100, 30]
        for number, begin in enumerate(begins):
            await socket.send(json.dumps(START | {"mode": mode, "wav_name": f"{number}"}))
            length = 20 if number == 0 else 8  # the first takes longest
            await say(socket, pcm(part(whole, begin, length)), frame=64_000)
            await socket.send(json.dumps({"is_speaking": False, "is_end": number == 2}))
        for number, begin in enumerate(begins):
            heard = await read_to_final(socket, "mode", "text", "wav_name")
            assert {message["wav_name"] for message in heard.messages} == {f"{number}"}
            if number == 2:
                assert (await read(socket))["is_end"] is True
            assert 2 * begin - 1 <= numbers(heard.text)[0] <= 2 * begin + 8
        await no_more(socket)


async def test_what_is_said_while_somebody_speaks_holds_for_the_next_utterance(told, phrase):
    async with connect(told.url) as socket:
        await socket.send(json.dumps(START | {"mode": "offline", "hotwords": "one"}))
        await say(socket, pcm(phrase), frame=64_000)
        await socket.send(json.dumps({"hotwords": "two"}))
        await socket.send(json.dumps({"is_speaking": False}))
        assert "prompt=one " in (await read(socket))["text"]
        await say(socket, pcm(phrase), frame=64_000)
        await socket.send(json.dumps({"is_speaking": False}))
        assert "prompt=two " in (await read(socket))["text"]


# Audio


def resampled(samples: Samples, rate: int) -> Samples:
    import soxr

    return soxr.resample(samples, SAMPLE_RATE, rate)


async def tenths(server, audio: bytes, **said) -> int:
    heard = await clients.python_file(server.url, audio, **said)
    return int(re.search(r"tenths=(\d+)", heard.text)[1])


async def test_samples_of_any_rate_and_any_wav_file_are_heard_as_long_as_they_are(
    told, phrase, tmp_path
):
    plain = await tenths(told, pcm(phrase))
    assert plain > 60
    slow, fast = resampled(phrase, 8000), resampled(phrase, 44_100)
    write(tmp_path / "a.flac", phrase, SAMPLE_RATE, "flac")
    header, rest = riff(phrase)[:44], riff(phrase)[44:]
    longer = header + rest + b"LIST" + (64_000).to_bytes(4, "little") + b"\x11\x22" * 32_000
    for name, audio, said in [
        ("8 kHz", pcm(slow), {"rate": 8000}),
        ("44.1 kHz", pcm(fast), {"rate": 44_100}),
        ("float", pcm(fast), {"rate": 44_100, "audio_fs": 44_100.0}),
        ("header", riff(phrase), {}),
        ("header knows better", riff(slow, 8000), {"audio_fs": 16_000}),
        ("upper case", riff(fast, 44_100), {"wav_format": "PCM", "audio_fs": 8000}),
        ("stereo", riff(phrase, channels=2), {"wav_format": "wav"}),
        ("float samples", float_wav(phrase), {}),
        ("what follows is no sound", longer, {}),
        ("no length", header[:40] + b"\xff" * 4 + rest, {}),
        ("flac", (tmp_path / "a.flac").read_bytes(), {"wav_format": "flac"}),
        ("others", (tmp_path / "a.flac").read_bytes(), {"wav_format": "others"}),
    ]:
        assert abs(await tenths(told, audio, **said) - plain) <= 1, name


def float_wav(samples: Samples) -> bytes:
    data = samples.astype("<f4").tobytes()
    form = b"\x03\x00\x01\x00" + SAMPLE_RATE.to_bytes(4, "little")
    form += (SAMPLE_RATE * 4).to_bytes(4, "little") + b"\x04\x00\x20\x00"
    chunks = b"WAVEfmt " + (16).to_bytes(4, "little") + form
    chunks += b"data" + len(data).to_bytes(4, "little") + data
    return b"RIFF" + len(chunks).to_bytes(4, "little") + chunks


async def test_a_header_is_no_sound_however_it_is_cut(server, whole):
    samples = part(whole, 0, 8)
    expected = await reference(server, samples)
    for size in (1, 7, 44, 45):
        async with connect(server.url) as socket:
            await socket.send(json.dumps(START | {"mode": "offline"}))
            wav = riff(samples)
            await say(socket, wav[:200], frame=size)
            await socket.send(wav[200:])
            await socket.send(json.dumps({"is_speaking": False}))
            message = await read(socket)
        assert numbers(message["text"]) == expected
        assert message["stamp_sents"][0]["start"] == 500 * expected[0] + 100


async def test_a_header_that_never_ends_is_sound(fake):
    async with connect(fake.url) as socket:
        await socket.send(json.dumps(START | {"mode": "offline"}))
        await socket.send(b"RIFF")
        await socket.send(json.dumps({"is_speaking": False}))
        assert (await read(socket))["text"] == ""


# Wishes


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({}, "language=auto prompt= itn"),
        ({"hotwords": '{"阿里巴巴":20,"New York":"30"}'}, "prompt=阿里巴巴,NewYork "),
        ({"hotwords": "阿里巴巴,通义"}, "prompt=阿里巴巴,通义 "),
        ({"hotwords": "阿里巴巴 通义"}, "prompt=阿里巴巴,通义 "),
        ({"hotwords": "阿里巴巴 20\n通义 30"}, "prompt=阿里巴巴,通义 "),
        ({"hotwords": "{broken"}, "prompt= "),
        ({"svs_lang": "yue"}, "language=yue "),
        ({"svs_lang": "ko"}, "language=auto "),  # none of the engine's
        ({"svs_lang": "klingon"}, "language=auto "),
        ({"itn": False}, " spoken "),
        ({"svs_itn": False}, " spoken "),
    ],
    ids=str,
)
@pytest.mark.parametrize("mode", ["offline", "2pass"])
async def test_wishes_reach_the_engine(told, phrase, mode, said, expected):
    async with connect(told.url) as socket:
        await socket.send(json.dumps(START | {"mode": mode} | said))
        await say(socket, pcm(phrase), frame=64_000)
        await socket.send(json.dumps({"is_speaking": False}))
        assert expected in (await read_to_final(socket)).text + " "


async def test_spoken_numbers_are_written_unless_the_client_wants_them_spoken(tmp_path, phrase):
    phrases = [["en", "it costs twenty five dollars"]]
    (tmp_path / "phrases.json").write_text(json.dumps(phrases))
    with serving_fake("phrase_engine:load", tmp_path, workers=1) as server:
        for mode in ("offline", "2pass", "online"):
            texts = {}
            for itn in (True, False):
                async with connect(server.url) as socket:
                    await socket.send(json.dumps(START | {"mode": mode, "itn": itn}))
                    await say(socket, pcm(phrase[: 3 * SAMPLE_RATE]), frame=64_000)
                    await socket.send(json.dumps({"is_speaking": False}))
                    texts[itn] = (await read_to_final(socket)).text
            assert "twenty five" in texts[False]
            assert ("25" in texts[True]) == (mode != "online")


# Failures


async def fail(socket, **said) -> dict:
    message = await read(socket)
    assert set(message) >= {"mode", "text", "wav_name", "error", "code", "retryable"}
    assert message["text"] == ""
    assert "\n" not in message["error"]
    for key, value in said.items():
        assert message[key] == value, message
    return message


@pytest.mark.parametrize("acknowledged", [False, True])
@pytest.mark.parametrize("mode", ["offline", "online", "2pass"])
async def test_a_refusal_of_the_engine_is_told_once_and_the_next_utterance_is_heard(
    fake, phrase, mode, acknowledged
):
    refused = spoiled(phrase)
    async with connect(fake.url) as socket:
        await socket.send(json.dumps(START | {"mode": mode, "wav_name": "bad"}))
        await say(socket, pcm(refused), frame=64_000)
        end = {"is_speaking": False} | ({"is_end": True} if acknowledged else {})
        await socket.send(json.dumps(end))
        message = await fail(socket, code="inference_failed", wav_name="bad")
        # who waits for an acknowledgement takes a final one for success
        assert message["is_final"] is not acknowledged
        assert ("is_end" in message) is acknowledged
        await socket.send(json.dumps(START | {"mode": "offline", "wav_name": "good"}))
        await say(socket, pcm(phrase), frame=64_000)
        await socket.send(json.dumps({"is_speaking": False}))
        message = await read(socket)
        assert (message["wav_name"], message["is_final"]) == ("good", True)
        assert message["text"]


def spoiled(phrase: Samples) -> Samples:
    """Speech that the fake engine refuses: its first sample says so, wherever it is cut."""
    loud = phrase.copy()
    loud[:] = np.clip(loud, -0.69, 0.69)
    loud[:SAMPLE_RATE] = loud[SAMPLE_RATE : 2 * SAMPLE_RATE]  # no silence at its start
    loud[0] = REFUSE
    return loud


async def test_a_failure_is_told_before_the_end_and_not_again(fake):
    async with connect(fake.url) as socket:
        await socket.send(json.dumps(START | {"mode": "offline", "wav_format": "flac"}))
        await socket.send(b"no flac at all" * 1000)
        for _ in range(20):
            await socket.send(bytes(64_000))
        await fail(socket, code="decode_failed", is_final=True)
        await socket.send(bytes(1000))
        await socket.send(json.dumps({"is_speaking": False}))
        await no_more(socket)
        await socket.send(json.dumps({"wav_format": "pcm", "is_speaking": True}))
        await socket.send(json.dumps({"is_speaking": False, "is_end": True}))
        assert [(await read(socket)).get("is_end") for _ in range(2)] == [None, True]


async def test_who_waits_for_an_acknowledgement_gets_it_though_the_failure_was_told(fake):
    async with connect(fake.url) as socket:
        await socket.send(json.dumps(START | {"mode": "offline", "wav_format": "flac"}))
        await socket.send(b"no flac at all" * 100_000)
        await fail(socket, code="decode_failed", is_final=True)
        await socket.send(json.dumps({"is_speaking": False, "is_end": True}))
        await fail(socket, code="decode_failed", is_final=False, is_end=True)
        await no_more(socket)


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        ('{"mode": "3pass"}', "mode is '3pass', not offline, online or 2pass"),
        ('{"is_speaking": "yes"}', "is_speaking is 'yes'"),
        ('{"mode": "offline", "audio_fs": -5}', "audio_fs is -5"),
    ],
)
async def test_what_cannot_be_understood_is_answered_with_the_reason(fake, message, reason):
    async with connect(fake.url) as socket:
        await socket.send(message)
        told = await fail(socket, code="bad_request", is_final=True, retryable=False)
        assert reason in told["error"]
        await socket.send(bytes(64_000))
        await socket.send(json.dumps({"is_speaking": False}))
        await no_more(socket)
        await socket.send(json.dumps(START | {"mode": "offline"}))
        await socket.send("nonsense")
        assert "not JSON" in (await fail(socket, code="bad_request"))["error"]
        await socket.send(json.dumps(START | {"mode": "offline"}))
        await socket.send(json.dumps({"is_speaking": False}))
        assert "error" not in await read(socket)


async def test_audio_that_is_too_long_is_refused_and_the_rest_passed_over():
    with serving_fake(max_audio_hours=0.001) as server:
        async with connect(server.url) as socket:
            await socket.send(json.dumps(START | {"mode": "2pass"}))
            for _ in range(10):
                await socket.send(bytes(SAMPLE_RATE * 2))
            await fail(socket, code="audio_too_long", is_final=True)
            await socket.send(json.dumps({"is_speaking": False}))
            await no_more(socket)
            await socket.send(json.dumps({"is_speaking": False}))
            assert "error" not in await read(socket)


async def test_an_overloaded_server_says_when_to_come_again(tmp_path, phrase):
    (tmp_path / "speed").write_text("1")
    limits = {"queue_hours": 0.01, "workers": 1, "share_per_client": 0.9}
    with serving_fake("fake_engine:load", tmp_path, **limits) as server:
        async with connect(server.url) as first, connect(server.url) as second:
            for socket in (first, second):
                await socket.send(json.dumps(START | {"mode": "offline"}))
                await say(socket, pcm(np.tile(phrase, 6)), frame=64_000)
                if socket is first:
                    await asyncio.sleep(0.3)
            told = await fail(second, code="overloaded", is_final=True, retryable=True)
            assert told["retry_after"] > 0


async def test_too_many_utterances_at_once_are_refused_in_their_turn(tmp_path, phrase):
    (tmp_path / "speed").write_text("4")
    with serving_fake("fake_engine:load", tmp_path, workers=1) as server:
        async with connect(server.url) as socket:
            await socket.send(json.dumps(START | {"mode": "offline"}))
            await say(socket, pcm(phrase), frame=64_000)
            for number in range(40):
                await socket.send(json.dumps({"is_speaking": False, "wav_name": f"{number}"}))
            messages = [await read(socket) for _ in range(40)]
            assert "error" not in messages[0]
            assert sum("error" in message for message in messages) == 8
            assert all("error" in message for message in messages[32:])
        async with connect(server.url) as socket:
            await socket.send(json.dumps(START | {"mode": "offline"}))
            await say(socket, pcm(phrase), frame=64_000)
            with suppress(ConnectionClosedError):
                for _ in range(10_000):
                    await socket.send(json.dumps({"is_speaking": False}))
            await asyncio.wait_for(socket.wait_closed(), 5)
            assert "unfinished" in socket.close_reason


async def test_a_server_that_stops_finishes_what_it_has_and_refuses_what_is_new(tmp_path, phrase):
    (tmp_path / "speed").write_text("4")
    with serving_fake("fake_engine:load", tmp_path, workers=1) as server:
        async with connect(server.url) as busy, connect(server.url) as late:
            for socket in (busy, late):
                await socket.send(json.dumps(START | {"mode": "offline"}))
            await say(busy, pcm(phrase), frame=64_000)
            await busy.send(json.dumps({"is_speaking": False}))
            await asyncio.sleep(0.3)
            server.process.send_signal(signal.SIGTERM)
            await asyncio.sleep(0.3)
            await late.send(bytes(FRAME))
            await fail(late, code="overloaded", retryable=True)
            assert (await read(busy))["text"]


async def test_silence_in_the_middle_of_an_utterance_ends_the_connection_and_else_does_not():
    with serving_fake(ws_timeout=1) as server:
        async with connect(server.url) as patient, connect(server.url) as silent:
            for socket in (patient, silent):
                await socket.send(json.dumps(START | {"mode": "2pass"}))
            await silent.send(bytes(FRAME))
            with pytest.raises(ConnectionClosedError) as closed:
                await asyncio.wait_for(silent.recv(), 4)
            assert "nothing came for 1 s" in closed.value.rcvd.reason
            await patient.send(bytes(FRAME))
            await patient.send(json.dumps({"is_speaking": False}))
            assert (await read(patient))["is_final"]
            await asyncio.sleep(1.5)
            await patient.send(json.dumps({"is_speaking": False}))
            assert (await read(patient))["is_final"]


# Those who leave


@pytest.mark.parametrize("mode", ["offline", "online", "2pass"])
async def test_whoever_leaves_in_whatever_state_leaves_nothing_behind(tmp_path, phrase, mode):
    (tmp_path / "speed").write_text("4")
    start = START | {"mode": mode}
    end = json.dumps({"is_speaking": False, "is_end": True})
    audio = [pcm(phrase)[at : at + 64_000] for at in range(0, len(pcm(phrase)), 64_000)]
    states = {
        "started": [json.dumps(start)],
        "a header, perhaps": [json.dumps(start), b"RIF"],
        "speaking": [json.dumps(start), *audio],
        "a container": [json.dumps(start | {"wav_format": "mp3"}), b"ID3" + bytes(100)],
        "ended": [json.dumps(start), *audio, end],
        "three ended": [json.dumps(start), *([*audio, end] * 3)],
        "failed": [json.dumps(start | {"wav_format": "flac"}), b"no flac" * 10_000],
        "misunderstood": ['{"mode": 7}', *audio],
        "ended twice": [json.dumps(start), end, end],
    }
    with serving_fake("fake_engine:load", tmp_path) as server:
        async with connect(server.url):  # what is loaded at the first
            await asyncio.sleep(0.2)
        before = (await stats(server))["front"]["open_files"]
        for state, messages in states.items():
            for abruptly, wait in ((True, 0.0), (True, 0.3), (False, 0.1)):
                async with connect(server.url, close_timeout=1) as socket:
                    for message in messages:
                        await socket.send(message)
                    await asyncio.sleep(wait)
                    if abruptly:
                        socket.transport.abort()
            now = await until_idle(server)
            assert now["front"]["open_files"] <= before + 1, state
        assert now["workers"][0]["state"] == "idle"
        assert not [line for line in server.log if "ERROR" in line or "Traceback" in line]


# Beside others


async def test_twenty_clients_of_either_kind_get_their_own_text_and_no_other(server, whole):
    places = count(0, 8)

    def own() -> tuple[int, Samples]:
        begin = next(places)
        return begin, part(whole, begin, 8)

    async def ask(client, begin: int, samples: Samples, *, as_bytes) -> None:
        heard = await client(server.url, as_bytes(samples))
        text = "".join(line.split(":")[-1] + " " for line in heard.text.split())
        said = numbers(text)
        assert len(said) > 8
        assert all(2 * begin - 1 <= number <= 2 * begin + 16 for number in said), (begin, said)

    async def capswriters(url: str, samples: Samples) -> clients.Heard:
        return clients.Heard(await capswriter_clients.v0_6(url, samples))

    async def paced(url: str, audio: bytes) -> clients.Heard:
        return await clients.cpp_2pass(url, audio, pause=PACE)

    async def speaking(url: str, audio: bytes) -> clients.Heard:
        return await clients.java(url, audio, mode="online", pause=PACE)

    theirs = [
        (clients.html5_file, riff),
        (clients.python_file, pcm),
        (clients.python_old, pcm),
        (clients.java, pcm),
        (clients.golang, pcm),
        (clients.csharp, pcm),
        (paced, pcm),
        (speaking, pcm),
        (clients.android, pcm),
        (clients.cpp_2pass, pcm),
    ]
    ours = [
        capswriters,
        *[capswriter_clients.v1_0_file, capswriter_clients.v1_0_mic] * 2,
        *[capswriter_clients.v2_4_file, capswriter_clients.v2_6_mic] * 2,
        capswriter_clients.v2_6_file,
    ]
    began = time.monotonic()
    asking = [ask(client, *own(), as_bytes=form) for client, form in theirs]
    asking += [ask(client, *own(), as_bytes=lambda samples: samples) for client in ours]
    assert len(asking) == 20
    await asyncio.gather(*asking)
    print(f"20 clients: {time.monotonic() - began:.1f} s")
    await until_idle(server)
