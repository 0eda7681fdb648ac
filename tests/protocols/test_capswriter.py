"""CapsWriter's wire format: both directions, both dialects, and everything malformed."""

from __future__ import annotations

import base64
import json
import math
import struct
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from capswriter.protocols import capswriter as module
from capswriter.protocols.capswriter import (
    LONGEST_TASK_ID,
    AudioFrame,
    BadFrame,
    Code,
    Dialect,
    Encoding,
    Failure,
    Result,
    parse_reply,
    strip_v0_header,
)
from capswriter.protocols.languages import LANGUAGES

text = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
task_ids = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=LONGEST_TASK_ID)
numbers = st.floats(allow_nan=False, allow_infinity=False)
seconds = st.integers(0, 1000).map(float)

frames = st.builds(
    AudioFrame,
    task_id=task_ids,
    source=st.sampled_from(["mic", "file"]),
    audio=st.binary(max_size=100),
    is_final=st.booleans(),
    time_start=numbers,
    seg_duration=seconds,
    seg_overlap=seconds,
    time_frame=numbers,
    context=text,
    language=st.sampled_from(["auto", *LANGUAGES.values()]),
    encoding=st.none() | st.sampled_from(Encoding),
    samples_total=st.none() | st.integers(0, 2**40),
    model=st.none() | text,
)
results = st.builds(
    Result,
    task_id=task_ids,
    is_final=st.booleans(),
    text=text,
    tokens=st.lists(text, max_size=5),
    timestamps=st.lists(numbers, max_size=5),
    duration=numbers,
    time_start=numbers,
    time_submit=numbers,
    time_complete=numbers,
    text_accu=text,
)
failures = st.builds(
    Failure,
    task_id=text,
    code=st.sampled_from([code.value for code in Code]),
    message=text.filter(bool),
    retryable=st.booleans(),
    retry_after=st.none() | numbers,
)
dialects = st.sampled_from(Dialect)


@given(frames)
def test_a_client_s_frame_arrives_as_it_was_sent(frame):
    assert AudioFrame.parse(frame.encode()) == frame
    assert AudioFrame.parse(frame.encode().encode()) == frame


@pytest.mark.parametrize("key", ["seg_duration", "seg_overlap", "samples_total"])
@pytest.mark.parametrize(
    "value",
    [2**64, -(2**64), 2**2000, 1e300, math.inf, math.nan],
    ids=["large", "negative", "larger than a float", "float", "infinite", "nan"],
)
def test_a_frame_with_a_number_that_json_cannot_carry_is_not_written(key, value):
    frame = AudioFrame("t", "mic", b"", is_final=True, time_start=0.0, **{key: value})
    with pytest.raises(ValueError, match=f"^{key} is no number of at most"):
        frame.encode()


@given(results, dialects)
def test_a_result_arrives_as_it_was_sent(result, dialect):
    assert parse_reply(result.encode(dialect)) == result


@given(failures, dialects)
def test_a_failure_arrives_as_it_was_sent(failure, dialect):
    assert parse_reply(failure.encode(dialect)) == failure


V1 = {
    "task_id": "3f2c",
    "source": "mic",
    "data": base64.b64encode(struct.pack("<2f", 0.5, -0.5)).decode(),
    "is_final": False,
    "time_start": 1700000000.25,
    "time_frame": 1700000000.5,
    "seg_duration": 15,
    "seg_overlap": 2,
}
REPLY = {
    "task_id": "3f2c",
    "is_final": True,
    "duration": 1.5,
    "time_start": 1.0,
    "time_submit": 2.0,
    "time_complete": 3.0,
    "text": "你好",
    "text_accu": "你好",
    "tokens": ["你", "好"],
    "timestamps": [0.1, 0.5],
}


def without(fields: dict, *keys: str) -> dict:
    return {key: value for key, value in fields.items() if key not in keys}


SOUND = "AAAAPwAAAL8="
CUNNING = {
    "as usual": json.dumps({**V1, "data": SOUND}),
    "without spaces": json.dumps({**V1, "data": SOUND}, separators=(",", ":")),
    "spaces everywhere": json.dumps({**V1, "data": SOUND}, separators=(" , ", " : ")),
    "last": json.dumps({**without(V1, "data"), "data": SOUND}),
    "inside another": json.dumps({"more": {"data": "QQ=="}, **V1, "data": SOUND}),
    "inside another alone": json.dumps({"more": {"data": SOUND}, **without(V1, "data")}),
    "in another's text": json.dumps({"context": '"data": "QQ=="', **V1, "data": SOUND}),
    "twice": json.dumps(V1)[:-1] + ', "data": "' + SOUND + '"}',
    "escaped": json.dumps({**V1, "data": SOUND}).replace("AAAAP", "\\u0041AAAP"),
    "slashes escaped": json.dumps({**V1, "data": "////"}).replace("/", "\\/"),
    "a quote in it": json.dumps({**V1, "data": 'AA"AA'}),
    "no base64": json.dumps({**V1, "data": "-"}),
    "empty": json.dumps({**V1, "data": ""}),
    "no text": json.dumps({**V1, "data": None}),
    "a list of texts": json.dumps({**V1, "data": [SOUND]}),
    "absent": json.dumps(without(V1, "data")),
    "cut off": json.dumps({**V1, "data": SOUND})[:40],
    "cut off in the middle of it": '{"data": "AAAA',
    "nothing but it": '{"data":',
}


@pytest.mark.parametrize("message", CUNNING.values(), ids=CUNNING.keys())
def test_a_large_frame_is_read_as_a_small_one_is(message, monkeypatch):
    def outcome() -> object:
        try:
            return AudioFrame.parse(message)
        except BadFrame as error:
            return str(error), error.task_id

    as_small = outcome()
    monkeypatch.setattr(module, "LARGE", 0)
    assert outcome() == as_small


@given(frames)
def test_a_large_frame_arrives_as_it_was_sent(frame):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "LARGE", 0)
        assert AudioFrame.parse(frame.encode()) == frame


def test_a_frame_of_v1_0_is_understood():
    frame = AudioFrame.parse(json.dumps(V1))
    assert frame.audio == struct.pack("<2f", 0.5, -0.5)
    assert (frame.seg_duration, frame.seg_overlap, frame.time_frame) == (15, 2, 1700000000.5)
    assert (frame.context, frame.language, frame.encoding) == ("", "auto", None)
    assert frame.dialect is Dialect.V1


def test_a_frame_of_v2_5_is_understood():
    sent = {**without(V1, "time_frame"), "context": "热词", "language": "chinese", "extra": [1]}
    frame = AudioFrame.parse(json.dumps(sent, ensure_ascii=False))
    assert (frame.context, frame.language, frame.time_frame) == ("热词", "zh", None)


@pytest.mark.parametrize("key", ["seg_duration", "seg_overlap", "time_frame", "context"])
@pytest.mark.parametrize("sent", ["absent", None])
def test_what_later_clients_leave_out_is_optional(key, sent):
    fields = without(V1, key) if sent == "absent" else {**V1, key: None}
    frame = AudioFrame.parse(json.dumps(fields))
    assert getattr(frame, key) == ("" if key == "context" else None)


def test_a_frame_of_v2_is_understood_and_answered_in_v2():
    sent = {**V1, "encoding": "flac", "samples_total": 32_000, "model": "whisper-base"}
    frame = AudioFrame.parse(json.dumps(sent))
    assert frame.dialect is Dialect.V2
    assert (frame.encoding, frame.samples_total, frame.model) == (
        Encoding.FLAC,
        32_000,
        "whisper-base",
    )


def test_what_a_client_sends_satisfies_the_oldest_servers():
    frame = AudioFrame("t", "file", b"abcd", is_final=True, time_start=1.5, seg_duration=59.6)
    sent = json.loads(frame.encode())
    assert (sent["seg_duration"], sent["seg_overlap"]) == (60, 2)
    assert all(isinstance(sent[key], int) for key in ("seg_duration", "seg_overlap"))
    assert sent["time_frame"] == 1.5
    assert not {"encoding", "samples_total", "model"} & sent.keys()


def test_languages_have_the_names_that_servers_know():
    frame = AudioFrame("t", "mic", b"", is_final=True, time_start=0.0, language="yue")
    assert json.loads(frame.encode())["language"] == "cantonese"
    assert json.loads(replace(frame, language="auto").encode())["language"] == "auto"
    for sent, code in [("Chinese", "zh"), (" english ", "en"), ("ZH", "zh"), ("", "auto")]:
        assert AudioFrame.parse(json.dumps({**V1, "language": sent})).language == code
    assert len(LANGUAGES) == len(set(LANGUAGES.values())) == 30


@given(results)
def test_every_key_that_old_clients_index_is_in_every_reply(result):
    needed = set(REPLY) - {"text_accu"}
    for reply in (result.encode(Dialect.V1), Failure("t", "internal", "no").encode(Dialect.V1)):
        assert needed <= json.loads(reply).keys()
    assert "type" not in json.loads(result.encode(Dialect.V1))
    assert json.loads(result.encode(Dialect.V2))["type"] == "result"


def test_text_accu_is_the_text_unless_said_otherwise():
    result = Result("t", True, "ab", ["a", "b"], [0.0, 1.0], 2.0, 0.0, 0.0, 0.0)
    assert json.loads(result.encode(Dialect.V1))["text_accu"] == "ab"
    assert json.loads(replace(result, text_accu="x").encode(Dialect.V1))["text_accu"] == "x"


def test_a_failure_ends_a_task_of_v1_without_text():
    reply = json.loads(Failure("t", "overloaded", "busy", True, 2.5).encode(Dialect.V1))
    assert (reply["is_final"], reply["text"], reply["tokens"]) == (True, "", [])
    assert (reply["type"], reply["code"], reply["retry_after"]) == ("error", "overloaded", 2.5)


def test_a_failure_of_v2_is_no_result():
    reply = json.loads(Failure("t", "internal", "no").encode(Dialect.V2))
    assert reply == {
        "type": "error",
        "task_id": "t",
        "code": "internal",
        "message": "no",
        "retryable": False,
    }


def test_a_reply_of_v1_0_is_understood():
    result = parse_reply(json.dumps(without(REPLY, "text_accu")))
    assert isinstance(result, Result)
    assert (result.text, result.text_accu) == ("你好", None)


@pytest.mark.parametrize("key", ["task_id", "source", "data", "is_final", "time_start"])
def test_a_missing_key_of_a_frame_is_named(key):
    with pytest.raises(BadFrame, match=f"key {key} is missing") as refusal:
        AudioFrame.parse(json.dumps(without(V1, key)))
    assert refusal.value.code is Code.BAD_REQUEST
    assert refusal.value.task_id == ("" if key == "task_id" else "3f2c")


@pytest.mark.parametrize("key", sorted(set(REPLY) - {"text_accu"}))
def test_a_missing_key_of_a_reply_is_named(key):
    with pytest.raises(BadFrame, match=f"key {key} is missing"):
        parse_reply(json.dumps(without(REPLY, key)))


WRONG = [
    *[("task_id", value) for value in (None, 7, "", "x" * (LONGEST_TASK_ID + 1), ["a"])],
    *[("source", value) for value in (None, "radio", 1, ["mic"], {})],
    *[("data", value) for value in (None, 5, "???", "YWI", "YW-_", [1])],
    *[("is_final", value) for value in (None, 0, 1, "true")],
    *[("time_start", value) for value in (None, "1.0", True, [])],
    *[("seg_duration", value) for value in ("15", True, [])],
    *[("seg_overlap", value) for value in ("2", False)],
    *[("time_frame", value) for value in ("now", True)],
    *[("context", value) for value in (5, ["word"])],
    *[("language", value) for value in (5, ["zh"])],
    *[("encoding", value) for value in ("mp3", 5, "FLAC")],
    *[("samples_total", value) for value in (-1, 1.5, "7", True)],
    *[("model", value) for value in (5, {})],
]


@pytest.mark.parametrize(("key", "value"), WRONG, ids=str)
def test_a_wrong_value_in_a_frame_is_named(key, value):
    with pytest.raises(BadFrame, match=key) as refusal:
        AudioFrame.parse(json.dumps({**V1, key: value}))
    unsupported = key == "encoding" and isinstance(value, str)
    assert refusal.value.code is (Code.UNSUPPORTED_ENCODING if unsupported else Code.BAD_REQUEST)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("tokens", "ab"),
        ("tokens", [1]),
        ("timestamps", ["a"]),
        ("timestamps", [True]),
        ("timestamps", None),
        ("text", None),
        ("duration", "1"),
        ("is_final", 1),
        ("text_accu", 5),
    ],
    ids=str,
)
def test_a_wrong_value_in_a_reply_is_named(key, value):
    with pytest.raises(BadFrame, match=key):
        parse_reply(json.dumps({**REPLY, key: value}))


def test_a_refusal_says_whom_to_answer_and_how():
    with pytest.raises(BadFrame) as refusal:
        AudioFrame.parse(json.dumps({**V1, "source": "file", "encoding": "mp3"}))
    assert refusal.value.task_id == "3f2c"
    assert refusal.value.source == "file"
    assert refusal.value.dialect is Dialect.V2


@pytest.mark.parametrize("message", ["", "hello", "[1]", "7", "null", '"x"', "{", b"\xff\xfe"])
def test_what_is_no_json_object_is_refused(message):
    with pytest.raises(BadFrame, match=r"not JSON|not a JSON object"):
        AudioFrame.parse(message)
    with pytest.raises(BadFrame, match=r"not JSON|not a JSON object"):
        parse_reply(message)


def parse_all(message: str | bytes) -> None:
    for parse in (AudioFrame.parse, parse_reply):
        try:
            parse(message)
        except BadFrame as error:
            assert "\n" not in str(error)  # noqa: PT017  # it need not fail


@given(st.binary(max_size=300))
def test_no_bytes_break_the_parsers(message):
    parse_all(message)


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from(["mic", "file", "error", "result", "flac", "auto", "", "AAAA"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)


@given(st.fixed_dictionaries({}, optional=dict.fromkeys([*V1, *REPLY, "type", "code"], values)))
def test_no_json_breaks_the_parsers(fields):
    parse_all(json.dumps(fields))


@given(st.sampled_from([*V1, "context", "language", "encoding", "samples_total", "model"]), values)
def test_no_value_of_one_key_breaks_a_frame(key, value):
    parse_all(json.dumps({**V1, key: value}))


@given(st.sampled_from([*REPLY, "type"]), values)
def test_no_value_of_one_key_breaks_a_reply(key, value):
    parse_all(json.dumps({**REPLY, key: value}))


@pytest.mark.parametrize("value", ["1e400", "-1e400", str(10**400), "NaN", "Infinity"])
@pytest.mark.parametrize("key", ["time_start", "seg_duration", "samples_total"])
def test_numbers_beyond_measure_are_refused(key, value):
    message = json.dumps({**V1, key: "HERE"}).replace('"HERE"', value)
    with pytest.raises(BadFrame):
        AudioFrame.parse(message)


def test_deep_nesting_is_refused():
    with pytest.raises(BadFrame):
        AudioFrame.parse("[" * 100_000)


# v0: bare samples, with or without sherpa's header.


@given(st.binary(max_size=400))
def test_the_header_of_v0_2_is_taken_off(audio):
    assert strip_v0_header(struct.pack("<ii", 16_000, len(audio)) + audio) == audio


@given(st.lists(st.floats(-1, 1, width=32), max_size=50))
def test_samples_without_a_header_stay(samples):
    message = struct.pack(f"<{len(samples)}f", *samples)
    assert strip_v0_header(message) == message


def test_a_header_that_does_not_fit_is_sound():
    message = struct.pack("<ii", 16_000, 5) + b"abcd"
    assert strip_v0_header(message) == message
    assert strip_v0_header(b"abc") == b"abc"
    assert math.isclose(struct.unpack("<f", struct.pack("<i", 16_000))[0], 0, abs_tol=1e-30)
