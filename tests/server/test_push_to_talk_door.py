"""``/ws/asr`` on real servers: every event in every state, and what is left of those who leave."""

from __future__ import annotations

import asyncio
import json
import random
import signal
import time
from contextlib import suppress

import httpx
import numpy as np
import psutil
import pytest
from marked_speech import marked, write_words
from media import write
from servers import serving_fake
from talking import FRAME, Talker, dictate, pcm16, talking
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosedError

from capswriter.audio import SAMPLE_RATE
from capswriter.server.front import REST

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def fake():
    with serving_fake(log_level="warning") as running:
        yield running


@pytest.fixture(scope="module")
def speech(phrase) -> bytes:
    return pcm16(phrase)


@pytest.fixture(scope="module")
def slow(tmp_path_factory):
    """A server that takes two seconds for the phrase."""
    directory = tmp_path_factory.mktemp("slow")
    (directory / "speed").write_text("4")
    with serving_fake(directory=directory, log_level="warning") as running:
        yield running


def resampled(samples: np.ndarray, rate: int) -> np.ndarray:
    import soxr

    return soxr.resample(samples, SAMPLE_RATE, rate)


async def stats(server) -> dict:
    async with httpx.AsyncClient() as http:
        return (await http.get(server.http + "/stats")).json()


async def until(condition, seconds: float = 10.0) -> None:
    began = time.monotonic()
    while not await condition():
        assert time.monotonic() - began < seconds, "it did not come true"
        await asyncio.sleep(0.1)


async def test_a_round_gives_partials_while_somebody_speaks_and_one_final(fake, speech):
    async with talking(fake.url) as talker:
        await talker.say("start")
        await talker.send(speech, pause=0.02)
        await talker.say("stop")
        final = await talker.until("final")
        assert await talker.settled() == [
            "started",
            *["partial"] * len(talker.of("partial")),
            "final",
        ]
    partials = talker.of("partial")
    assert len(partials) >= 2
    assert {message["session_id"] for message in talker.heard if "session_id" in message} == {
        final["session_id"]
    }
    for partial in partials:
        # Later ones may be cut anew; to the engine of the tests they are then others.
        assert final["text"].split()[:3][: len(said := partial["text"].split())] == said[:3]
        assert 0 <= partial["start"] < partial["end"] <= 8
    assert final["duration"] == 8
    assert final["latency_ms"] >= 0
    assert " ".join(segment["text"] for segment in final["segments"]) == final["text"]
    assert len(final["text"].split()) >= 5


async def test_a_partial_has_all_the_text_since_the_start_of_the_round(fake, phrase):
    pause = np.zeros(2 * SAMPLE_RATE, np.float32)
    async with talking(fake.url) as talker:
        await talker.say("start")
        await talker.send(pcm16(np.concatenate([phrase, pause, phrase])), pause=0.015)
        await talker.say("stop")
        final = await talker.until("final")
    last = talker.of("partial")[-1]["text"]
    assert len(final["segments"]) >= 2
    assert final["text"].startswith(last)
    assert last.startswith(final["segments"][0]["text"] + " ")
    assert len(last) > len(final["segments"][0]["text"])


async def test_who_wants_no_partials_gets_none(fake, speech):
    async with talking(fake.url) as talker:
        await talker.say("start", partials=False)
        await talker.send(speech, pause=0.01)
        await talker.say("stop")
        await talker.until("final")
        assert await talker.settled() == ["started", "final"]


@pytest.mark.parametrize("key", ["type", "action", "command", None])
async def test_commands_are_understood_in_all_their_spellings(fake, key):
    async with talking(fake.url) as talker:
        for word in ("start", "reset", "start", "stop"):
            await talker.socket.send(word if key is None else json.dumps({key: word}))
        final = await talker.until("final")
        assert (final["text"], final["duration"]) == ("", 0)
        assert talker.kinds() == ["started", "reset", "started", "final"]


async def test_a_second_start_is_answered_with_the_same_session_and_gets_no_final_of_its_own(
    fake, speech
):
    async with talking(fake.url) as talker:
        await talker.say("start")
        await talker.send(speech[: len(speech) // 2])
        await talker.say("start")
        await talker.send(speech[len(speech) // 2 :])
        await talker.say("stop")
        final = await talker.until("final")
        assert await talker.settled() == [k for k in talker.kinds() if k != "error"]
    assert {each["session_id"] for each in talker.of("started")} == {final["session_id"]}
    assert len(talker.of("started")) == 2
    assert len(talker.of("final")) == 1
    assert final["duration"] == 8


async def test_audio_and_stop_before_a_start_are_told_once_and_the_connection_lives_on(
    fake, speech
):
    async with talking(fake.url) as talker:
        await talker.send(speech)
        assert await talker.settled() == ["error"]
        await talker.say("stop")
        await talker.say("stop")
        assert await talker.settled() == ["error"] * 3
        assert {each["code"] for each in talker.of("error")} == {"not_started"}
        assert (await dictate(talker, speech))["text"]


async def test_a_reset_drops_what_was_said_and_no_final_follows(fake, speech):
    async with talking(fake.url) as talker:
        await talker.say("start")
        started = await talker.until("started")
        await talker.send(speech)
        await talker.say("reset")
        reset = await talker.until("reset")
        assert reset["session_id"] == started["session_id"]
        final = await dictate(talker, speech[: 4 * FRAME])
        assert final["session_id"] != started["session_id"]
        assert final["duration"] == pytest.approx(0.4)
        await asyncio.sleep(0.3)
        kinds = await talker.settled()
    assert (kinds.count("final"), kinds.count("reset")) == (1, 1)


async def test_a_reset_after_the_stop_takes_back_texts_that_are_still_to_come(slow, speech):
    async with talking(slow.url) as talker:
        ids = []
        for _ in range(2):
            await talker.say("start")
            ids.append((await talker.until("started"))["session_id"])
            await talker.send(speech)
            await talker.say("stop")
        await talker.say("reset")
        for _ in ids:
            await talker.until("reset")
        assert [each["session_id"] for each in talker.of("reset")] == ids
        await asyncio.sleep(2.5)
        assert "final" not in await talker.settled()
        await until(lambda: idle(slow))


async def idle(server) -> bool:
    now = await stats(server)
    return now["active_tasks"] == now["queued_tasks"] == 0 and now["backlog_seconds"] == 0


async def test_a_reset_where_there_was_nothing_names_no_session(fake):
    async with talking(fake.url) as talker:
        await talker.say("reset")
        assert (await talker.until("reset"))["session_id"] is None


async def test_rounds_follow_each_other_and_each_has_its_own_text(fake, phrase):
    loudness = [0.2, 0.4, 0.6, 0.8, 1.0]
    async with talking(fake.url) as talker:
        texts = [(await dictate(talker, pcm16(phrase * by)))["text"] for by in loudness]
        alone = []
        for by in loudness:
            async with talking(fake.url) as other:
                alone.append((await dictate(other, pcm16(phrase * by)))["text"])
    assert texts == alone
    assert len(set(texts)) == len(loudness)


async def test_a_round_may_begin_while_the_text_of_the_one_before_is_to_come(slow, speech):
    async with talking(slow.url) as talker:
        for seconds in (8, 4):
            await talker.say("start")
            await talker.send(speech[: seconds * SAMPLE_RATE * 2])
            await talker.say("stop")
        finals = [await talker.until("final") for _ in range(2)]
    started = [each["session_id"] for each in talker.of("started")]
    by_id = {final["session_id"]: final["duration"] for final in finals}
    assert by_id == dict(zip(started, (8, 4), strict=True))


@pytest.mark.parametrize("fault", ["fail", "abort"])
async def test_what_an_engine_fails_on_is_one_error_and_the_next_round_works(
    second, tmp_path, fault
):
    write_words(tmp_path, seconds=100, **{fault: [0, 12]})
    audio = (marked(second) * 32_768).astype("<i2")
    rounds = [audio[: 8 * SAMPLE_RATE].tobytes(), audio[20 * SAMPLE_RATE :][: 8 * SAMPLE_RATE]]
    with serving_fake("faulty_engine:load", tmp_path, log_level="error") as server:
        async with talking(server.url) as talker:
            error = await dictate(talker, rounds[0])
            assert (error["type"], error["code"]) == ("error", "inference_failed")
            assert error["session_id"] == talker.of("started")[0]["session_id"]
            assert (await talker.settled()).count("error") == 1
            final = await dictate(talker, rounds[1].tobytes())
            assert len(final["text"].split()) >= 8


async def test_a_failure_is_told_once_and_audio_on_its_way_is_passed_over(fake, speech):
    nan = np.full(1600, np.nan, "<f4").tobytes()
    async with talking(fake.url) as talker:
        await talker.say("start", format="pcm_f32le")
        await talker.send(nan)
        error = await talker.until("error")
        assert error["code"] == "bad_request"
        assert "NaN" in error["message"]
        assert error["session_id"] == talker.of("started")[0]["session_id"]
        await talker.send(bytes(64_000))
        await talker.say("stop")
        assert await talker.settled() == ["started", "error"]
        assert (await dictate(talker, speech))["text"]


@pytest.mark.parametrize("form", ["webm", "ogg", "mp3", "mp4", "flac", "wav"])
async def test_a_container_that_is_none_is_one_error(fake, speech, form):
    async with talking(fake.url) as talker:
        error = await dictate(talker, b"no such thing " * 4000, format=form)
        assert (error["type"], error["code"]) == ("error", "decode_failed")
        assert error["retryable"] is False
        assert await talker.settled() == ["started", "error"]
        assert (await dictate(talker, speech))["text"]


async def test_a_container_that_ends_before_its_sender_gets_its_final_at_the_stop(
    fake, phrase, tmp_path
):
    wave = write(tmp_path / "x.wav", phrase, SAMPLE_RATE, "pcm_s16le").read_bytes()
    async with talking(fake.url) as talker:
        await talker.say("start", format="wav")
        await talker.send(wave)
        await asyncio.sleep(0.5)
        await talker.send(bytes(3200))
        assert "final" not in await talker.settled()
        await talker.say("stop")
        final = await talker.until("final")
        assert final["duration"] == pytest.approx(8, abs=0.05)
        assert (await talker.settled()).count("final") == 1


async def test_more_unfinished_rounds_than_a_connection_may_have_are_refused(slow, speech):
    async with talking(slow.url) as talker:
        for _ in range(33):
            await talker.say("start", partials=False)
            await talker.send(speech[: 2 * SAMPLE_RATE])
            await talker.say("stop")
        error = await talker.until("error")
        assert (error["code"], error["retryable"]) == ("overloaded", True)
        assert error["retry_after"] > 0
        assert "32" in error["message"]
        assert len(talker.of("started")) == 32
        await talker.say("reset")
        for _ in range(32 - len(talker.of("final"))):
            await talker.until("reset", "final")
        assert (await dictate(talker, speech[:FRAME]))["type"] == "final"


BAD = {
    "another type": ('{"type": "begin"}', "unknown_message", "begin"),
    "no type": ('{"language": "en"}', "bad_request", "type is missing"),
    "no JSON": ("{start", "bad_request", "not JSON"),
    "no object": ("[1]", "bad_request", "object"),
    "a format": ('{"type": "start", "format": "midi"}', "unsupported_encoding", "midi"),
    "a rate": ('{"type": "start", "sample_rate": 7999}', "bad_request", "7999"),
    "hotwords": ('{"type": "start", "hotwords": "one"}', "bad_request", "hotwords"),
}


@pytest.mark.parametrize("fault", BAD)
async def test_a_message_that_makes_no_sense_is_named_and_the_round_goes_on(fake, speech, fault):
    message, code, named = BAD[fault]
    async with talking(fake.url) as talker:
        await talker.say("start")
        await talker.socket.send(message)
        error = await talker.until("error")
        assert error["code"] == code
        assert named in error["message"]
        assert "session_id" not in error
        await talker.send(speech)
        await talker.say("stop")
        assert (await talker.until("final"))["text"]


async def test_hotwords_and_language_reach_the_engine(speech):
    with serving_fake("options_engine:load") as server:
        async with talking(server.url) as talker:
            final = await dictate(talker, speech, language="German", hotwords=["Ada", "Böll"])
            assert final["text"] == "de: Ada, Böll"
            assert (await dictate(talker, speech))["text"] == "auto:"


async def test_silence_in_the_middle_of_a_round_ends_the_connection_and_no_other_silence(speech):
    with serving_fake(ws_timeout=1, log_level="warning") as server:
        async with talking(server.url) as between, talking(server.url) as midway:
            await dictate(between, speech)
            await midway.say("start")
            with pytest.raises(ConnectionClosedError) as closed:
                await midway.until("final", seconds=5)
            assert "nothing came for 1 s" in closed.value.rcvd.reason
            await asyncio.sleep(0.5)
            assert (await dictate(between, speech))["text"]


async def test_a_first_message_can_have_a_deadline_here_too():
    with serving_fake(first_message_timeout=0.5) as server:
        async with talking(server.url) as silent:
            with pytest.raises(ConnectionClosedError) as closed:
                await silent.until("final", seconds=5)
            assert "in the first 0.5 s" in closed.value.rcvd.reason


async def test_a_server_that_is_stopping_finishes_rounds_and_begins_none(speech):
    with serving_fake(log_level="warning") as server:
        async with talking(server.url) as speaking, talking(server.url) as late:
            await late.settled()
            await speaking.say("start")
            await speaking.send(speech)
            await speaking.settled()
            server.process.send_signal(signal.SIGTERM)
            await asyncio.sleep(0.5)
            await late.say("start")
            error = await late.until("error")
            assert (error["code"], error["retryable"]) == ("overloaded", True)
            await speaking.send(speech)
            await speaking.say("stop")
            assert (await speaking.until("final"))["duration"] == 16
        assert await asyncio.to_thread(server.process.wait, 20) == 0


@pytest.mark.parametrize("container", [False, True])
@pytest.mark.parametrize("commands", ["", "S", "SA", "SAE", "SAR", "A", "SAESA", "F", "SS"])
async def test_who_leaves_in_whatever_state_leaves_nothing_behind(
    slow, speech, commands, container
):
    options = {"format": "ogg"} if container else {}
    async with connect(slow.url + "/ws/asr") as socket:
        talker = Talker(socket)
        for initial in commands:
            if initial == "A":
                await talker.send(b"OggS" + bytes(200_000) if container else speech)
            elif initial == "F":
                await talker.say("start", format="pcm_f32le")
                await talker.send(np.full(1600, np.nan, "<f4").tobytes())
            else:
                word = {"S": "start", "E": "stop", "R": "reset"}[initial]
                await talker.say(word, **options if initial == "S" else {})
        socket.transport.abort()
    await until(lambda: idle(slow))
    await until(lambda: alone(slow))


async def alone(server) -> bool:
    threads = psutil.Process(server.pid).threads()
    now = await stats(server)
    return now["active_connections"] == 0 and len(threads) <= 40


async def drop_at_random(server, audio: bytes, webm: bytes, chance: random.Random) -> None:
    """Open a session, talk on it, and leave wherever that happens to be."""
    kind = chance.choice(["pcm", "pcm", "webm"])
    sound, options = (audio, {}) if kind == "pcm" else (webm, {"format": "webm"})
    with suppress(Exception):
        async with connect(server.url + "/ws/asr", close_timeout=0.2) as socket:
            talker = Talker(socket)
            steps = chance.randrange(6)
            if steps > 0:
                await talker.say("start", **options)
            if steps > 1:
                cut = chance.randrange(len(sound))
                await talker.send(sound[:cut], size=chance.choice([1000, FRAME, 20_000]))
            if steps > 2:
                await talker.say(chance.choice(["stop", "reset", "stop", "start"]))
            if steps > 3:
                await asyncio.sleep(chance.random() * 0.2)
            if steps > 4:
                await asyncio.wait_for(talker.until("final"), 2)
            if chance.random() < 0.7:
                socket.transport.abort()


async def test_sessions_dropped_at_random_leave_nothing_behind(phrase, tmp_path):
    webm = write(tmp_path / "x.webm", resampled(phrase, 48_000), 48_000, "libopus").read_bytes()
    audio, chance = pcm16(phrase), random.Random(7)
    with serving_fake(log_level="error") as server:
        front = psutil.Process(server.pid)

        async def talk(count: int) -> None:
            for _ in range(count // 20):
                await asyncio.gather(
                    *(drop_at_random(server, audio, webm, chance) for _ in range(20))
                )

        async def quiet() -> bool:
            now = await stats(server)
            return await idle(server) and now["active_connections"] == 0

        async def count() -> tuple[int, int, float]:
            await until(quiet)
            await asyncio.sleep(REST + 1.5)  # free memory is given back by then
            return front.num_threads(), front.num_fds(), front.memory_info().rss / 1e6

        await talk(100)  # what is loaded and kept once, such as threads and memory pools
        before = await count()
        await talk(200)
        after = await count()
        print(f"threads, files, MB: {before} before and {after} after 200 dropped sessions")
        assert after[0] <= before[0] + 4  # pools of threads grow when more comes at once
        assert after[1] <= before[1]
        assert after[2] - before[2] < 4
        async with talking(server.url) as talker:
            assert (await dictate(talker, audio))["text"]


async def test_what_a_session_costs_in_memory(speech, full):
    speakers = 32 if full else 16
    with serving_fake(max_connections=400, log_level="warning") as server:
        front = psutil.Process(server.pid)
        async with talking(server.url) as talker:
            await dictate(talker, speech)
        await asyncio.sleep(REST + 1.5)  # free memory is given back by then
        before = front.memory_info().rss
        idle_ones = [await connect(server.url + "/ws/asr", ping_interval=None) for _ in range(200)]
        talkers = [Talker(socket) for socket in idle_ones]
        silent = front.memory_info().rss
        for talker in talkers:
            await talker.settled()
        between = front.memory_info().rss
        for talker in talkers[:speakers]:
            await talker.say("start")
        for start in range(0, len(speech), FRAME):
            for talker in talkers[:speakers]:
                await talker.socket.send(speech[start : start + FRAME])
        for talker in talkers[:speakers]:
            await talker.settled()
        speaking = front.memory_info().rss
        for socket in idle_ones:
            socket.transport.abort()
    each = [
        (silent - before) / 200e3,
        (between - before) / 200e3,
        (speaking - between) / speakers / 1e6,
    ]
    print(
        "kB for a silent session {:.1f}, between rounds {:.1f}; speaking, MB {:.2f}".format(*each)
    )
    assert each[0] <= 25
    assert each[1] <= 100
    assert each[2] <= 3


FRAGMENTS = "frag_keyframe+empty_moov+default_base_moof"
"""As a browser's recorder makes MP4: what comes first does not tell how long it is."""


@pytest.fixture(scope="module")
def streams(phrase, tmp_path_factory) -> dict[str, tuple[bytes, dict]]:
    folder = tmp_path_factory.mktemp("streams")
    wide = resampled(phrase, 48_000)

    def encoded(name: str, codec: str, **options: str) -> bytes:
        return write(folder / name, wide, 48_000, codec, options=options).read_bytes()

    return {
        "wav": (encoded("x.wav", "pcm_s16le"), {"format": "wav"}),
        "ogg": (encoded("x.ogg", "libopus"), {"format": "ogg"}),
        "webm": (encoded("x.webm", "libopus"), {"format": "webm"}),
        "mp3": (encoded("x.mp3", "libmp3lame"), {"format": "mp3"}),
        "flac": (encoded("x.flac", "flac"), {"format": "flac"}),
        "mp4": (encoded("x.mp4", "aac", movflags=FRAGMENTS), {"format": "mp4"}),
        "pcm_f32le": (phrase.astype("<f4").tobytes(), {"format": "pcm_f32le"}),
        "8 kHz": (pcm16(resampled(phrase, 8_000)), {"sample_rate": 8_000}),
        "44.1 kHz": (pcm16(resampled(phrase, 44_100)), {"sample_rate": 44_100}),
        "48 kHz": (pcm16(wide), {"sample_rate": 48_000}),
    }


FORMS = ["wav", "ogg", "webm", "mp3", "mp4", "flac", "pcm_f32le", "8 kHz", "44.1 kHz", "48 kHz"]


@pytest.mark.model
@pytest.mark.parametrize("form", FORMS)
async def test_every_form_of_audio_gives_the_same_text(server, phrase, streams, form):
    audio, options = streams[form]
    async with talking(server.url) as talker:
        plain = await dictate(talker, pcm16(phrase))
        final = await dictate(talker, audio, size=1000, language="auto", **options)
    assert plain["text"].startswith("Dictation is an old idea.")
    assert final["text"] == plain["text"]
    assert final["duration"] == pytest.approx(8, abs=0.1)
