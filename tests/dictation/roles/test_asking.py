"""Answers of language models: as they should be, late, broken, and stopped."""

from __future__ import annotations

import asyncio
import logging
import socket

import anyio
import pytest
from dictation.roles.language_model import CUT, DONE, STALL, event, running
from starlette.responses import JSONResponse, Response

from capswriter.dictation.roles import (
    Asking,
    Endpoint,
    Failed,
    Finished,
    Match,
    Piece,
    Role,
    Stopped,
)
from capswriter.dictation.roles.asking import LONGEST_ANSWER

pytestmark = pytest.mark.anyio
SECRET = "sk-0123456789abcdef"


@pytest.fixture
async def model():
    async with running() as model:
        yield model


def role_match(url, **settings):
    limits = {"first_piece_limit": 30, "time_limit": 60} | settings
    role = Role(name="polish", prefixes=("polish",), prompt="Polish it.", **limits)
    key_env = "TEST_ROLE_KEY" if settings.get("key_env") else None
    return Match(role, Endpoint(url, "small", key_env), "this text", "Polish, this text")


async def events_of(model, **settings):
    async with Asking() as asking, asking.ask(role_match(model.url, **settings)) as answer:
        return [event async for event in answer]


async def failure_of(model, **settings):
    (last,) = await events_of(model, **settings)
    assert isinstance(last, Failed)
    assert last.instead == last.plain == "Polish, this text"
    assert "\n" not in last.reason
    return last.reason


async def test_an_answer_comes_piece_by_piece(model):
    events = await events_of(model, temperature=0.25, max_tokens=99, extra={"top_p": 0.5})
    assert events == [Piece("Hello"), Piece(" there"), Finished("Hello there")]
    assert model.asked == [
        {
            "model": "small",
            "messages": [
                {"role": "system", "content": "Polish it."},
                {"role": "user", "content": "this text"},
            ],
            "stream": True,
            "temperature": 0.25,
            "max_tokens": 99,
            "top_p": 0.5,
        }
    ]
    assert "authorization" not in model.headers[0]


async def test_a_piece_is_given_before_the_next_is_there(model):
    model.parts = [event("first"), STALL]
    async with Asking() as asking, asking.ask(role_match(model.url)) as answer:
        async for first in answer:
            assert first == Piece("first")
            break


async def test_one_byte_at_a_time_is_the_same_answer(model):
    whole = b"".join([b": hello\r\n\r\n", event("翻译"), event("好了", ending="stop"), DONE])
    model.parts = [whole[place : place + 1] for place in range(len(whole))]
    events = await events_of(model)
    assert events[-1] == Finished("翻译好了")


async def test_stopping_hangs_up_and_gives_nothing_more(model):
    model.parts = [event("one"), event("two"), event("three"), STALL]
    async with Asking() as asking, asking.ask(role_match(model.url)) as answer:
        events = []
        async for told in answer:
            events.append(told)
            if len(events) == 1:
                while answer._events.qsize() < 2:
                    await asyncio.sleep(0.01)
                answer.stop()
                answer.stop()
        assert events == [Piece("one"), Stopped("one")]
        await asyncio.wait_for(model.hung_up.wait(), 30)


async def test_stopping_before_any_answer(model):
    model.parts = [STALL]
    async with Asking() as asking, asking.ask(role_match(model.url)) as answer:
        while not model.asked:
            await asyncio.sleep(0.01)
        answer.stop()
        assert [told async for told in answer] == [Stopped("")]
        await asyncio.wait_for(model.hung_up.wait(), 30)


async def test_leaving_the_answer_hangs_up(model):
    model.parts = [event("one"), STALL]
    async with Asking() as asking:
        async with asking.ask(role_match(model.url)) as answer:
            async for _ in answer:
                break
        await asyncio.wait_for(model.hung_up.wait(), 30)
        tasks = {task.get_name() for task in asyncio.all_tasks()}
        assert "role polish" not in tasks


async def test_who_waits_for_an_answer_can_be_cancelled(model):
    model.parts = [STALL]

    async def listen():
        await events_of(model)

    task = asyncio.create_task(listen())
    while not model.asked:
        await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await asyncio.wait_for(model.hung_up.wait(), 30)


async def test_no_beginning_in_time_gives_the_plain_text(model):
    model.parts = [b": wait\n\n", STALL]
    reason = await failure_of(model, first_piece_limit=0.3)
    assert reason == "polish: the language model has not begun to answer within 0.3 s"


async def test_thinking_does_not_count_as_a_beginning(model):
    model.parts = [event("<think>"), event("hm"), STALL]
    assert "not begun" in await failure_of(model, first_piece_limit=0.3)


async def test_no_end_in_time_tells_what_had_come(model):
    model.parts = [event("Hello"), STALL]
    *pieces, last = await events_of(model, time_limit=2)
    assert pieces == [Piece("Hello")]
    assert isinstance(last, Failed)
    assert (last.so_far, last.instead, last.plain) == ("Hello", "", "Polish, this text")
    assert "had not ended after 2 s" in last.reason


async def test_a_slow_answer_may_take_longer_than_its_beginning(model):
    model.parts = [event("a"), *[event("b")] * 8, event(ending="stop"), DONE]
    model.pause = 0.25
    events = await events_of(model, first_piece_limit=2)
    assert events[-1] == Finished("abbbbbbbb")


async def test_a_connection_that_breaks_is_told_with_what_had_come(model):
    model.parts = [event("Hello"), CUT]
    model.pause = 0.1
    *_, last = await events_of(model)
    assert isinstance(last, Failed)
    assert (last.so_far, last.reason) == ("Hello", "polish: the language model's answer broke off")


async def test_a_connection_that_breaks_at_once(model):
    model.parts = [CUT]
    assert "broke off" in await failure_of(model)


async def test_an_end_without_done_counts_if_the_model_said_so(model):
    model.parts = [event("Hello"), event(ending="stop")]
    assert (await events_of(model))[-1] == Finished("Hello")
    model.parts = [event("Hello")]
    assert isinstance((await events_of(model))[-1], Failed)


async def test_an_answer_that_the_limit_cut_off_says_so(model):
    model.parts = [event("Hel", ending="length"), DONE]
    assert (await events_of(model))[-1] == Finished("Hel", is_whole=False)


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (401, "wants a key"),
        (403, "wants a key"),
        (404, "has no model 'small'"),
        (429, "too many requests"),
        (500, "is in trouble"),
        (503, "is in trouble"),
        (400, "refuses"),
        (307, "has moved"),
    ],
)
async def test_a_refusal_is_said_in_words(model, status, words):
    said = {"error": {"message": "because\nof   this"}}
    location = {"Location": "http://192.0.2.1/"} if status == 307 else None
    model.reply = JSONResponse(said, status, location)
    reason = await failure_of(model)
    assert words in reason
    assert f"(HTTP {status}; it says: because of this)" in reason


async def test_a_refusal_without_words(model):
    model.reply = Response(b"\xff" * 50_000, 502)
    assert "(HTTP 502)" in await failure_of(model)


@pytest.mark.parametrize(
    "part",
    [
        b"data: {not json\n\n",
        b"data: [1]\n\n",
        b'data: {"choices": 3}\n\n',
        b'data: {"choices": [3]}\n\n',
        b'data: {"choices": [{"delta": {"content": 3}}]}\n\n',
        b"data: \xff\xfe\n\n",
        b"data: " + b"x" * 1_100_000,
    ],
)
async def test_what_is_no_answer_is_told(model, part):
    model.parts = [part, STALL]
    assert "cannot be read" in await failure_of(model)


async def test_an_error_within_the_stream(model):
    model.parts = [event("Hel"), b'event: error\ndata: {"error": {"message": "overloaded"}}\n\n']
    *_, last = await events_of(model)
    assert isinstance(last, Failed)
    assert last.reason == "polish: the language model says: overloaded"


async def test_nothing_and_what_was_held_back_are_failures(model):
    model.parts = [event(" \n"), event(ending="stop"), DONE]
    assert "answered nothing" in await failure_of(model)
    model.parts = [event(ending="content_filter"), DONE]
    assert "holds back" in await failure_of(model)


async def test_a_model_that_goes_round_in_circles_is_stopped(model):
    model.parts = [event("again " * 1000)] * 50
    *_, last = await events_of(model)
    assert isinstance(last, Failed)
    assert "does not stop" in last.reason
    assert len(last.so_far) < LONGEST_ANSWER + 10_000


async def test_an_endpoint_that_does_not_stream(model):
    choice = {"message": {"role": "assistant", "content": "Hi\n"}, "finish_reason": "stop"}
    model.reply = JSONResponse({"choices": [choice]})
    assert await events_of(model) == [Piece("Hi"), Finished("Hi")]


async def test_a_web_page_is_no_endpoint(model):
    model.reply = Response("<html>", 200, media_type="text/html")
    assert "see whether base_url is right" in await failure_of(model)


async def test_nobody_there(model):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        model.url = f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
    reason = await failure_of(model)
    assert reason == f"polish: no language model answers at {model.url}: see whether it runs"


async def test_a_proxy_is_not_asked_for_what_is_on_this_computer(model, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "nonsense://x")
    assert isinstance((await events_of(model))[-1], Finished)
    model.url = "http://model.invalid/v1"
    assert "ALL_PROXY" in await failure_of(model)


async def test_the_key_is_sent_and_never_told(model, monkeypatch, caplog):
    caplog.set_level(logging.DEBUG)
    monkeypatch.setenv("TEST_ROLE_KEY", f" {SECRET}\n")
    await events_of(model, key_env="TEST_ROLE_KEY")
    assert model.headers[0]["authorization"] == f"Bearer {SECRET}"
    said = {"error": {"message": f"wrong key {SECRET}"}}
    model.reply = JSONResponse(said, 401)
    reason = await failure_of(model, key_env="TEST_ROLE_KEY")
    assert "does not accept the key: see TEST_ROLE_KEY" in reason
    assert "wrong key ***" in reason
    monkeypatch.setenv("TEST_ROLE_KEY", f"{SECRET} # mine")
    broken = await failure_of(model, key_env="TEST_ROLE_KEY")
    assert "holds more than a key" in broken
    told = [
        record for record in caplog.records if not record.name.startswith(("uvicorn", "asyncio"))
    ]
    assert SECRET not in broken + "".join(record.getMessage() for record in told)


async def test_a_missing_key_is_told_before_anybody_is_asked(model, monkeypatch):
    monkeypatch.delenv("TEST_ROLE_KEY", raising=False)
    reason = await failure_of(model, key_env="TEST_ROLE_KEY")
    assert "TEST_ROLE_KEY is not set" in reason
    assert not model.asked


async def test_several_answers_over_one_connection(model):
    async with Asking() as asking:

        async def ask():
            async with asking.ask(role_match(model.url)) as answer:
                return [told async for told in answer][-1]

        assert await ask() == Finished("Hello there")
        async with anyio.create_task_group() as group:
            for _ in range(5):
                group.start_soon(ask)
    assert len(model.asked) == 6
