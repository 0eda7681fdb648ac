"""What our own endpoints have in common: commands, audio options, ping, errors."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from capswriter.protocols import live, push_to_talk
from capswriter.protocols.ours import (
    LARGEST,
    LONGEST_HOTWORD,
    MOST_HOTWORDS,
    Failure,
    Format,
    Options,
    Ping,
    Pong,
    not_started,
)
from capswriter.protocols.reading import BadMessage

ENDPOINTS = [
    pytest.param(push_to_talk, "start", id="push to talk"),
    pytest.param(live, "start_transcription", id="live"),
]


@pytest.mark.parametrize(("endpoint", "start"), ENDPOINTS)
def test_every_command_can_be_written_in_three_ways(endpoint, start):
    for name in endpoint.COMMANDS:
        messages = [json.dumps({key: name}) for key in ("type", "action", "command")]
        messages += [name, f'"{name}"', f" {name}\n", name.upper()]
        assert len({repr(endpoint.parse(message)) for message in messages}) == 1
    assert endpoint.parse(start) == endpoint.Start(Options())
    assert endpoint.parse("ping") == Ping()


@pytest.mark.parametrize(("endpoint", "start"), ENDPOINTS)
def test_the_options_of_the_audio_are_understood(endpoint, start):
    sent = {
        "command": start,
        "language": "Chinese",
        "format": "webm",
        "sample_rate": 48_000,
        "hotwords": [" 阿里巴巴 ", "b", "", "b"],
        "partials": False,
        "unknown": [1],
    }
    options = endpoint.parse(json.dumps(sent)).options
    assert options == Options("zh", Format.WEBM, 48_000, ("阿里巴巴", "b"), partials=False)


@pytest.mark.parametrize(("endpoint", "start"), ENDPOINTS)
@pytest.mark.parametrize("key", ["language", "format", "sample_rate", "hotwords", "partials"])
def test_each_option_may_be_absent_or_null(endpoint, start, key):
    assert endpoint.parse(json.dumps({"type": start, key: None})).options == Options()


def test_the_first_key_that_names_a_command_counts():
    parse = push_to_talk.parse
    assert parse('{"type":"command","command":"stop"}') == push_to_talk.Stop()
    assert parse('{"type":7,"action":"reset"}') == push_to_talk.Reset()
    assert parse('{"command":"reset","type":"stop"}') == push_to_talk.Stop()


WRONG = [
    *[("language", value) for value in (5, ["zh"])],
    *[("format", value) for value in (5, "aac", "", ["wav"])],
    *[("sample_rate", value) for value in (7_999, 48_001, 16_000.5, "16000", True, 1e300, -1)],
    *[("hotwords", value) for value in ("a,b", [1], {"a": 1}, ["a" * (LONGEST_HOTWORD + 1)])],
    ("hotwords", ["a"] * (MOST_HOTWORDS + 1)),
    *[("partials", value) for value in (1, "true")],
]


@pytest.mark.parametrize(("endpoint", "start"), ENDPOINTS)
@pytest.mark.parametrize(("key", "value"), WRONG, ids=lambda value: repr(value)[:30])
def test_a_wrong_option_is_named_in_one_line(endpoint, start, key, value):
    with pytest.raises(BadMessage, match=f"^{key} is ") as refusal:
        endpoint.parse(json.dumps({"type": start, key: value}))
    unsupported = key == "format" and isinstance(value, str)
    assert refusal.value.code == ("unsupported_encoding" if unsupported else "bad_request")
    assert "\n" not in str(refusal.value)
    assert len(str(refusal.value)) < 200


@pytest.mark.parametrize("rate", [8_000, 16_000.0, 48_000])
def test_the_sample_rates_between_the_limits_are_accepted(rate):
    message = json.dumps({"type": "start", "sample_rate": rate})
    assert push_to_talk.parse(message).options.sample_rate == rate


def test_only_pcm_needs_a_sample_rate():
    assert {each for each in Format if each.is_pcm} == {Format.PCM_S16LE, Format.PCM_F32LE}


@pytest.mark.parametrize(("endpoint", "start"), ENDPOINTS)
@pytest.mark.parametrize("message", ["begin", '{"type":"begin"}', '{"action":"begin","type":null}'])
def test_an_unknown_command_is_named_with_those_that_are_known(endpoint, start, message):
    with pytest.raises(BadMessage, match=r"is 'begin', not one of .*ping") as refusal:
        endpoint.parse(message)
    assert refusal.value.code == "unknown_message"
    assert start in str(refusal.value)


def test_the_commands_of_one_endpoint_are_not_those_of_the_other():
    for endpoint, message in ((live, "start"), (push_to_talk, "stop_transcription")):
        with pytest.raises(BadMessage, match=message):
            endpoint.parse(message)


@pytest.mark.parametrize("message", ["{}", '{"format":"wav"}', '{"type":null}'])
def test_a_message_without_a_command_is_told_so(message):
    with pytest.raises(BadMessage, match="type is ") as refusal:
        push_to_talk.parse(message)
    assert "one of start, stop, reset, ping" in str(refusal.value)


@pytest.mark.parametrize("message", ["", "hello there", "[1]", "{", '["start"]', "\ud800", "-7"])
def test_what_is_no_message_is_refused(message):
    with pytest.raises(BadMessage, match=r"not JSON|not a JSON object"):
        push_to_talk.parse(message)


def test_a_message_that_is_too_long_is_not_read():
    with pytest.raises(BadMessage, match=f"more than {LARGEST} characters"):
        push_to_talk.parse(json.dumps({"type": "start", "x": "y" * LARGEST}))


def test_deep_nesting_is_refused():
    with pytest.raises(BadMessage):
        live.parse('{"type":' + "[" * 100_000)


def test_pong_tells_the_time():
    assert json.loads(Pong(1.5).encode()) == {"type": "pong", "time": 1.5}


def test_an_error_says_what_is_known_and_no_more():
    assert json.loads(not_started().encode()) == {
        "type": "error",
        "code": "not_started",
        "message": "no session has been started",
        "retryable": False,
    }
    told = json.loads(Failure("overloaded", "busy", True, 2.5, "s1").encode())
    assert told["retryable"] is True
    assert (told["retry_after"], told["session_id"]) == (2.5, "s1")


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=9)
    | st.sampled_from(["start", "stop", "ping", "start_transcription", "wav", "auto"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=6,
)
KEYS = ["type", "action", "command", "language", "format", "sample_rate", "hotwords", "partials"]


@given(st.fixed_dictionaries({}, optional=dict.fromkeys(KEYS, values)) | values)
def test_no_json_breaks_the_parsers(fields):
    for endpoint in (push_to_talk, live):
        try:
            endpoint.parse(json.dumps(fields))
        except BadMessage as error:
            assert "\n" not in str(error)  # noqa: PT017  # it need not fail
            Failure(error.code, str(error)).encode()
