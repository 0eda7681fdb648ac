"""``/ws/transcribe`` on real servers: its lifecycle in order, whatever happens in between."""

from __future__ import annotations

import asyncio
import os
import signal
from itertools import pairwise

import httpx
import numpy as np
import pytest
from servers import serving_fake
from talking import FRAME, Talker, pcm16, talking
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosedError

from capswriter.audio import SAMPLE_RATE

pytestmark = pytest.mark.anyio

PATH = "/ws/transcribe"


@pytest.fixture(scope="module")
def fake():
    with serving_fake(log_level="warning") as running:
        yield running


@pytest.fixture(scope="module")
def speech(phrase) -> bytes:
    return pcm16(phrase)


async def stats(server) -> dict:
    async with httpx.AsyncClient() as http:
        return (await http.get(server.http + "/stats")).json()


async def session(talker: Talker, audio: bytes, **options) -> dict:
    await talker.say("start_transcription", **options)
    await talker.send(audio)
    await talker.say("stop_transcription")
    return await talker.until("transcription_stopped", "transcription_failed")


async def test_the_lifecycle_is_told_in_order_and_final_updates_are_the_text(fake, phrase):
    pause = np.zeros(2 * SAMPLE_RATE, np.float32)
    async with talking(fake.url, PATH) as talker:
        await talker.say("start_transcription")
        await talker.send(pcm16(np.concatenate([phrase, pause, phrase])), pause=0.015)
        await talker.say("stop_transcription")
        stopped = await talker.until("transcription_stopped")
        kinds = await talker.settled()
    assert kinds[:2] == ["transcription_starting", "transcription_started"]
    assert set(kinds[2:-1]) == {"transcription_update"}
    assert kinds[-1] == "transcription_stopped"
    assert {each["session_id"] for each in talker.heard[:-1]} == {stopped["session_id"]}
    assert talker.heard[0]["message"]
    updates = talker.of("transcription_update")
    finals = [each for each in updates if each["is_final"]]
    assert len(finals) >= 2
    assert any(not each["is_final"] for each in updates)
    assert " ".join(each["text"] for each in finals) == stopped["text"]
    assert all(one["end"] <= other["start"] for one, other in pairwise(finals))
    assert stopped["duration"] == 18


async def test_who_wants_no_partials_gets_final_updates_alone(fake, speech):
    async with talking(fake.url, PATH) as talker:
        await talker.say("start_transcription", partials=False)
        await talker.send(speech, pause=0.01)
        await talker.say("stop_transcription")
        await talker.until("transcription_stopped")
    assert all(each["is_final"] for each in talker.of("transcription_update"))


async def test_starting_and_stopping_twice_is_harmless(fake, speech):
    async with talking(fake.url, PATH) as talker:
        await talker.say("start_transcription")
        await talker.say("start_transcription")
        await talker.send(speech)
        await talker.say("stop_transcription")
        await talker.say("stop_transcription")
        await talker.send(speech[:FRAME])
        stopped = await talker.until("transcription_stopped")
        await talker.say("stop_transcription")
        kinds = await talker.settled()
        started = talker.of("transcription_started")
        assert [each["session_id"] for each in started] == 2 * [stopped["session_id"]]
        assert kinds.count("transcription_starting") == 1
        assert kinds[-1] == "transcription_stopped"
        assert "error" not in kinds
        again = await session(talker, speech)
        assert again["text"] == stopped["text"]
        assert again["session_id"] != stopped["session_id"]


async def test_audio_and_stop_before_a_start_and_unknown_messages_are_errors(fake, speech):
    async with talking(fake.url, PATH) as talker:
        await talker.send(speech)
        await talker.say("stop_transcription")
        await talker.say("reset")
        kinds = await talker.settled()
        assert kinds == ["error"] * 3
        codes = [each["code"] for each in talker.heard if each["type"] == "error"]
        assert codes == ["not_started", "not_started", "unknown_message"]
        assert "reset" in talker.heard[2]["message"]
        assert (await session(talker, speech))["text"]


async def test_a_failure_ends_the_session_once_and_another_may_follow(fake, speech):
    async with talking(fake.url, PATH) as talker:
        nan = np.full(1600, np.nan, "<f4").tobytes()
        await talker.say("start_transcription", format="pcm_f32le")
        await talker.send(nan)
        failed = await talker.until("transcription_failed")
        assert failed["error"] == "bad_request"
        assert "NaN" in failed["message"]
        assert failed["session_id"] == talker.heard[0]["session_id"]
        await talker.send(nan)
        await talker.say("stop_transcription")
        assert (await talker.settled())[-1] == "transcription_failed"
        assert (await session(talker, b"none " * 9999, format="webm"))["error"] == "decode_failed"
        assert (await session(talker, speech))["text"]


async def test_loading_is_told_while_no_worker_is_ready_and_audio_is_kept_meanwhile(
    tmp_path, speech
):
    go = tmp_path / "go"
    go.touch()
    with serving_fake("fake_engine:load_slowly", tmp_path, workers=1) as server:
        async with talking(server.url, PATH) as talker:
            expected = (await session(talker, speech))["text"]
            go.unlink()
            [worker] = (await stats(server))["workers"]
            os.kill(worker["pid"], signal.SIGKILL)
            while (await stats(server))["workers"][0]["state"] in {"idle", "busy"}:
                await asyncio.sleep(0.1)
            talker.heard.clear()
            await talker.say("start_transcription")
            await talker.say("start_transcription")
            await talker.send(speech)
            kinds = await talker.settled()
            assert kinds == [
                "transcription_starting",
                "model_loading_started",
                "transcription_starting",
            ]
            go.touch()
            await talker.until("transcription_started")
            await talker.say("stop_transcription")
            assert (await talker.until("transcription_stopped"))["text"] == expected
            assert talker.kinds().count("transcription_started") == 1
            assert len({each["session_id"] for each in talker.heard if "session_id" in each}) == 1


async def test_a_start_that_is_refused_is_greeted_and_then_fails_with_when_to_come_again(
    tmp_path, speech
):
    (tmp_path / "speed").write_text("2")
    with serving_fake(directory=tmp_path, log_level="warning") as server:
        async with talking(server.url, PATH) as talker:
            for _ in range(33):
                await talker.say("start_transcription", partials=False)
                await talker.send(speech[: 2 * SAMPLE_RATE])
                await talker.say("stop_transcription")
            failed = await talker.until("transcription_failed")
            greeted = talker.of("transcription_starting")[-1]
            assert failed["session_id"] == greeted["session_id"]
            assert (failed["error"], failed["retryable"]) == ("overloaded", True)
            assert failed["retry_after"] > 0


async def test_silence_in_the_middle_of_a_session_ends_the_connection():
    with serving_fake(ws_timeout=1, log_level="warning") as server:
        async with talking(server.url, PATH + "/?x=1") as talker:
            await talker.say("start_transcription")
            with pytest.raises(ConnectionClosedError) as closed:
                await talker.until("transcription_stopped", seconds=5)
            assert "nothing came for 1 s" in closed.value.rcvd.reason


@pytest.mark.parametrize("commands", ["", "S", "SA", "SAE", "SAES", "A", "SAESAEE"])
async def test_who_leaves_in_whatever_state_leaves_nothing_behind(fake, speech, commands):
    async with connect(fake.url + PATH) as socket:
        talker = Talker(socket)
        for initial in commands:
            if initial == "A":
                await talker.send(speech)
            else:
                await talker.say("start_transcription" if initial == "S" else "stop_transcription")
        socket.transport.abort()
    for _ in range(100):
        now = await stats(fake)
        left = now["active_connections"], now["active_tasks"], now["queued_tasks"]
        if left == (0, 0, 0) and now["backlog_seconds"] == 0:
            return
        await asyncio.sleep(0.1)
    raise AssertionError(left)


@pytest.mark.model
async def test_the_real_model_hears_the_same_here_as_in_a_dictation(server, speech):
    async with talking(server.url, PATH) as talker:
        stopped = await session(talker, speech)
    assert stopped["text"].startswith("Dictation is an old idea.")
