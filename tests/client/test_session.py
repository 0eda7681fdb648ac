"""Sessions with real servers that stay, die, come back or do not; and with some that misbehave."""

from __future__ import annotations

import asyncio
import itertools
import json
import socket as sockets
import time
from contextlib import asynccontextmanager

import numpy as np
import pytest
from media import write
from servers import kill, serving_at, serving_fake
from websockets.asyncio.server import serve

from capswriter import client
from capswriter.audio import SAMPLE_RATE
from capswriter.client import Busy, Final, Lost, NoServer, Partial, Refused, connect, talk

anyio_test = pytest.mark.anyio


@pytest.fixture(scope="module")
def fake():
    with serving_fake(log_level="warning") as running:
        yield running


def pcm16(samples: np.ndarray) -> bytes:
    return (samples * 32_768).astype("<i2").tobytes()


@pytest.fixture(scope="module")
def phrase(phrase) -> np.ndarray:
    """8 s of speech of which nothing is lost in 16 bits."""
    return np.round(phrase * 32_767).astype(np.float32) / 32_768


@pytest.fixture(scope="module")
def speech(phrase) -> bytes:
    return pcm16(phrase)


@pytest.fixture(scope="module")
def expected(fake, phrase) -> str:
    return client.transcribe(phrase, url=fake.url).transcript.text


@pytest.fixture
def port() -> int:
    with sockets.create_server(("127.0.0.1", 0)) as listening:
        return listening.getsockname()[1]


async def rest(session) -> list:
    return [event async for event in session]


@anyio_test
async def test_events_come_while_somebody_speaks_and_end_with_one_final(fake, speech, expected):
    async with connect(fake.url) as session:
        telling = asyncio.create_task(rest(session))
        for start in range(0, len(speech), 3200):
            await session.send(speech[start : start + 3200])
            await asyncio.sleep(0.02)
        await session.stop()
        *partials, final = await asyncio.wait_for(telling, 10)
    assert len(partials) >= 2
    assert all(isinstance(each, Partial) for each in partials)
    assert isinstance(final, Final)
    assert final.text == expected
    assert final.duration == 8
    assert " ".join(segment.text for segment in final.segments) == final.text


@anyio_test
async def test_a_session_has_any_number_of_rounds_also_at_once(fake, phrase, expected):
    async with connect(fake.url, partials=False) as session:
        for _ in range(2):
            await session.send(pcm16(phrase))
            await session.stop()
            assert [event.text for event in await rest(session)] == [expected]
        for seconds in (2, 4, 6):
            await session.send(pcm16(phrase[: seconds * SAMPLE_RATE]))
            await session.stop()
        assert sorted(event.duration for event in await rest(session)) == [2, 4, 6]


@anyio_test
async def test_a_stop_without_a_word_is_no_round_and_silence_is_one(fake):
    async with connect(fake.url) as session:
        await session.stop()
        assert await asyncio.wait_for(rest(session), 5) == []
        await session.send(b"")
        await session.stop()
        [final] = await asyncio.wait_for(rest(session), 5)
        assert (final.text, final.segments) == ("", ())


@anyio_test
async def test_a_reset_forgets_the_round_and_no_other(fake, speech, expected):
    async with connect(fake.url, partials=False) as session:
        await session.send(speech)
        await session.stop()
        await session.send(speech)
        await asyncio.sleep(0.1)
        await session.reset()
        assert [event.text for event in await rest(session)] == [expected]
        await session.send(speech)
        await session.stop()
        assert [event.text for event in await rest(session)] == [expected]


@anyio_test
@pytest.mark.parametrize("moment", ["speaking", "stopped"])
async def test_a_server_that_is_killed_and_comes_back_costs_no_word(
    port, speech, expected, tmp_path, moment
):
    (tmp_path / "speed").write_text("8")
    half = len(speech) // 4 * 2
    with serving_at(port, tmp_path) as server:
        session = connect(server.url, patience=30)
        await session.__aenter__()
        await session.send(speech[:half] if moment == "speaking" else speech)
        if moment == "stopped":
            await session.stop()
        await asyncio.sleep(0.5)
        await kill(server)
    telling = asyncio.create_task(rest(session))
    if moment == "speaking":
        await session.send(speech[half:])
        await session.stop()
    await asyncio.sleep(1)
    with serving_at(port):
        events = await asyncio.wait_for(telling, 30)
        finals = [event for event in events if isinstance(event, Final)]
        assert [final.text for final in finals] == [expected]
        await session.send(speech)
        await session.stop()
        assert [each.text for each in await rest(session) if isinstance(each, Final)] == [expected]
        await session.__aexit__(None, None, None)


@anyio_test
async def test_a_server_that_dies_between_rounds_is_found_again_at_the_next(port, speech, expected):
    with serving_at(port) as server:
        session = connect(server.url, partials=False, patience=30)
        await session.__aenter__()
        await session.send(speech)
        await session.stop()
        assert len(await rest(session)) == 1
        await kill(server)
    await asyncio.sleep(1)
    with serving_at(port):
        await session.send(speech)
        await session.stop()
        assert [event.text for event in await rest(session)] == [expected]
        await session.__aexit__(None, None, None)


@anyio_test
async def test_a_server_that_does_not_come_back_is_given_up_in_time(port, speech):
    with serving_at(port) as server:
        session = connect(server.url, patience=2)
        await session.__aenter__()
        await session.send(speech)
        await session.stop()
        await kill(server)
        began = time.monotonic()
        with pytest.raises((NoServer, Lost)):
            await asyncio.wait_for(rest(session), 10)
        assert time.monotonic() - began < 4
        with pytest.raises((NoServer, Lost)):
            await session.send(speech)
        await session.__aexit__(None, None, None)


@anyio_test
async def test_who_is_not_let_in_is_told_at_once(port):
    with pytest.raises(NoServer):
        async with connect(f"ws://127.0.0.1:{port}"):
            pass
    with serving_fake(token="secret" * 4) as server:
        with pytest.raises(Refused, match="wants a token"):
            async with connect(server.url):
                pass
        async with connect(server.url, token="secret" * 4) as session:
            await session.send(b"")
            await session.stop()
            assert len(await rest(session)) == 1


@anyio_test
async def test_a_failed_round_is_raised_and_the_next_one_works(fake, phrase, expected):
    nan = np.full(1600, np.nan, "<f4").tobytes()
    async with connect(fake.url, audio_format="pcm_f32le", partials=False) as session:
        await session.send(nan)
        await asyncio.sleep(0.3)
        await session.send(nan)  # what was on its way is no round of its own
        await session.stop()
        with pytest.raises(Refused, match="NaN"):
            await rest(session)
        assert await rest(session) == []
        await session.send(phrase.astype("<f4").tobytes())
        await session.stop()
        assert [event.text for event in await rest(session)] == [expected]
    with pytest.raises(Lost, match="not open"):
        await session.send(b"")


@anyio_test
async def test_options_that_a_server_does_not_know_are_refused_with_the_reason(fake, speech):
    async with connect(fake.url, audio_format="midi") as session:
        await session.send(speech)
        await session.stop()
        with pytest.raises(Refused, match="midi"):
            await rest(session)


FINAL = {"type": "final", "text": "so", "segments": [], "duration": 1.0, "latency_ms": 2.0}


@asynccontextmanager
async def emulated(*behaviours):
    """Serve each connection by the next of these; the last serves the rest."""
    numbers = itertools.count()
    heard = []

    async def handle(socket):
        number = next(numbers)
        heard.append([])
        await behaviours[min(number, len(behaviours) - 1)](socket, heard[-1])

    async with serve(handle, "127.0.0.1", 0, ping_interval=None) as server:
        yield f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}", heard


async def good(socket, heard):
    for number in itertools.count():
        while (message := await socket.recv()) and message != '{"type": "stop"}':
            heard.append(message)
            if isinstance(message, str) and json.loads(message)["type"] == "start":
                await socket.send(json.dumps({"type": "started", "session_id": f"s{number}"}))
        await socket.send(json.dumps(FINAL | {"session_id": f"s{number}"}))


async def busy(socket, heard):
    await socket.recv()
    error = {"type": "error", "code": "overloaded", "message": "full", "retryable": True}
    await socket.send(json.dumps(error | {"retry_after": 0.05}))
    await socket.wait_closed()


async def mute(socket, heard):
    await socket.wait_closed()


async def twice(socket, heard):
    await socket.recv()
    await socket.send(json.dumps({"type": "started", "session_id": "a"}))
    for _ in range(2):
        await socket.send(json.dumps(FINAL | {"session_id": "a"}))
    await socket.wait_closed()


async def breaking_after_the_final(socket, heard):
    await socket.recv()
    await socket.send(json.dumps({"type": "started", "session_id": "a"}))
    await socket.send(json.dumps(FINAL | {"session_id": "a"}))
    socket.transport.abort()


async def strange(socket, heard):
    await socket.recv()
    await socket.send("[]")
    await socket.wait_closed()


async def one_round(url: str, **options) -> list:
    async with connect(url, **options) as session:
        await session.send(b"one")
        await session.send(b"two")
        await session.stop()
        return await asyncio.wait_for(rest(session), 10)


@anyio_test
async def test_a_busy_server_gets_the_round_again_when_it_asks_for_it():
    async with emulated(busy, busy, good) as (url, heard):
        assert [event.text for event in await one_round(url)] == ["so"]
        assert b"".join(each for each in heard[2] if isinstance(each, bytes)) == b"onetwo"


@anyio_test
async def test_a_server_that_is_always_busy_is_not_asked_for_ever():
    async with emulated(busy) as (url, heard):
        with pytest.raises(Busy, match="full"):
            await one_round(url)
        assert len(heard) == 5


@anyio_test
async def test_no_round_has_two_finals():
    async with emulated(twice) as (url, _):
        assert len(await one_round(url)) == 1


@anyio_test
async def test_a_connection_that_breaks_between_rounds_is_opened_again_for_the_next():
    behaviours = (breaking_after_the_final, good)
    async with emulated(*behaviours) as (url, heard), connect(url) as session:
        await session.send(b"one")
        await session.stop()
        assert len(await rest(session)) == 1
        await asyncio.sleep(1)
        assert len(heard) == 1  # there is nothing to come back for
        await session.send(b"two")
        await session.stop()
        assert len(await rest(session)) == 1


@anyio_test
async def test_a_server_that_says_nothing_is_left_for_a_new_connection(monkeypatch):
    monkeypatch.setattr(talk, "PING_S", 0.1)
    monkeypatch.setattr(talk, "SILENCE_S", 0.5)
    async with emulated(mute, good) as (url, _):
        assert [event.text for event in await one_round(url)] == ["so"]


@anyio_test
async def test_an_answer_that_makes_no_sense_ends_the_session():
    async with emulated(strange) as (url, _):
        with pytest.raises(Refused, match="no sense"):
            await one_round(url)


@pytest.mark.parametrize("form", ["float32", "float64", "int16", "8 kHz"])
def test_an_array_is_transcribed_without_an_event_loop(fake, phrase, expected, form):
    samples, rate = phrase, SAMPLE_RATE
    if form == "int16":
        samples = np.round(phrase * 32_768).astype(np.int16)
    elif form == "8 kHz":
        import soxr

        samples, rate = soxr.resample(phrase, SAMPLE_RATE, 8_000), 8_000
    else:
        samples = phrase.astype(form)
    done = client.transcribe(samples, url=fake.url, sample_rate=rate)
    assert len(done.transcript.text.split()) == len(expected.split())
    if form.startswith("float"):
        assert done.transcript.text == expected
    assert "".join(token.text for token in done.transcript.tokens) == done.transcript.text
    assert done.seconds == pytest.approx(8, abs=0.01)


@pytest.mark.parametrize("as_text", [False, True])
def test_a_file_is_transcribed_without_an_event_loop(fake, phrase, tmp_path, as_text):
    path = write(tmp_path / "x.flac", phrase, SAMPLE_RATE, "flac")
    done = client.transcribe(str(path) if as_text else path, url=fake.url)
    assert done.problem is None
    assert done.transcript.text.startswith("w")
    assert done.seconds == 8


@pytest.mark.parametrize("samples", [np.zeros((2, 9), np.float32), np.zeros(9, np.int32)])
def test_samples_that_are_not_understood_are_refused(samples):
    with pytest.raises(client.UserError, match="samples"):
        client.transcribe(samples)


@pytest.mark.model
def test_the_real_model_hears_an_array(server, phrase):
    done = client.transcribe(phrase, url=server.url, language="en", hotwords=["Dictation"])
    assert done.transcript.text.startswith("Dictation is an old idea.")
    assert done.transcript.language == "en"
