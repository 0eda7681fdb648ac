"""OpenAI's realtime transcription, against the official client's types, and everything wrong."""

from __future__ import annotations

import base64
import copy
import itertools
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai._utils import maybe_transform
from openai.resources.beta.realtime.realtime import RealtimeConnection as BetaConnection
from openai.resources.realtime.realtime import RealtimeConnection
from openai.types import realtime as current
from openai.types.beta import realtime as beta
from openai.types.realtime.realtime_transcription_session_create_response import (
    RealtimeTranscriptionSessionCreateResponse,
)
from pydantic import TypeAdapter

from capswriter.protocols.openai_fields import LONGEST_ID, LONGEST_NAME, BadEvent, Code
from capswriter.protocols.openai_realtime import (
    LARGEST_APPEND,
    Append,
    Clear,
    Cleared,
    Commit,
    Committed,
    Completed,
    Delta,
    Error,
    Failed,
    ItemAdded,
    ItemDone,
    SessionCreated,
    SessionUpdate,
    SessionUpdated,
    SpeechStarted,
    SpeechStopped,
    commit_empty,
    parse,
)
from capswriter.protocols.openai_session import (
    BETA_FORMATS,
    EAGERNESS,
    LONGEST_PAUSE,
    LONGEST_PROMPT,
    AudioFormat,
    Dialect,
    Encoding,
    SessionSettings,
    Transcription,
    TurnDetection,
)

CURRENT_EVENTS = TypeAdapter(current.RealtimeServerEvent)
BETA_EVENTS = TypeAdapter(beta.RealtimeServerEvent)
PCM_16K = AudioFormat(Encoding.PCM, 16_000)

text = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
names = st.lists(text.filter(bool), max_size=3).map(tuple)
whole = st.integers(0, LONGEST_PAUSE)
formats = st.sampled_from(
    [AudioFormat(), AudioFormat(Encoding.ULAW, 8_000), AudioFormat(Encoding.ALAW, 8_000)]
)
settings = st.builds(
    SessionSettings,
    format=formats,
    transcription=st.builds(
        Transcription,
        model=st.none() | st.sampled_from(["whisper-1", "gpt-4o-transcribe"]),
        language=st.none() | text,
        prompt=text,
        keywords=names,
        languages=names,
    ),
    turn_detection=st.none()
    | st.builds(
        TurnDetection,
        threshold=st.floats(0, 1),
        prefix_padding_ms=whole,
        silence_duration_ms=whole,
    ),
    include=st.sampled_from([(), ("item.input_audio_transcription.logprobs",)]),
)
ids = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)
milliseconds = st.integers(0, 2**40)
previous = st.none() | ids

server_events = st.one_of(
    st.builds(SessionCreated, ids, settings, st.none() | st.integers(0, 2**40)),
    st.builds(SessionUpdated, ids, settings, st.none() | st.integers(0, 2**40)),
    st.builds(SpeechStarted, ids, milliseconds),
    st.builds(SpeechStopped, ids, milliseconds),
    st.builds(Committed, ids, previous),
    st.just(Cleared()),
    st.builds(ItemAdded, ids, previous),
    st.builds(ItemDone, ids, previous),
    st.builds(Delta, ids, text),
    st.builds(Completed, ids, text, st.floats(0, 1e6)),
    st.builds(Failed, ids, text, text),
    st.builds(Error, text, text, param=st.none() | text, client_event_id=previous),
)

CLASSES = {
    SessionCreated: current.SessionCreatedEvent,
    SessionUpdated: current.SessionUpdatedEvent,
    SpeechStarted: current.InputAudioBufferSpeechStartedEvent,
    SpeechStopped: current.InputAudioBufferSpeechStoppedEvent,
    Committed: current.InputAudioBufferCommittedEvent,
    Cleared: current.InputAudioBufferClearedEvent,
    ItemAdded: current.ConversationItemAdded,
    ItemDone: current.ConversationItemDone,
    Delta: current.ConversationItemInputAudioTranscriptionDeltaEvent,
    Completed: current.ConversationItemInputAudioTranscriptionCompletedEvent,
    Failed: current.ConversationItemInputAudioTranscriptionFailedEvent,
    Error: current.RealtimeErrorEvent,
}


def numbered():
    """Event ids that a test can foretell."""
    count = itertools.count(1)
    return lambda: f"event_{next(count)}"


def encoded(event) -> str:
    return event.encode(numbered())


def told(event) -> dict:
    return json.loads(encoded(event))


def official(message: str):
    """What the official client makes of a message; it does not look at ``self``."""
    return RealtimeConnection.parse_event(None, message)


def update(session: dict, kind: str = "session.update") -> SessionUpdate:
    return parse(json.dumps({"type": kind, "session": session}))


def transcribing(**heard) -> dict:
    return {"type": "transcription", "audio": {"input": heard}}


# What the server says, as the official client reads it.


@given(server_events)
def test_every_event_is_one_that_the_official_types_allow(event):
    read = CURRENT_EVENTS.validate_json(encoded(event), strict=True)
    assert type(read) is CLASSES[type(event)]
    assert read.event_id == "event_1"


@given(server_events)
def test_the_official_client_reads_every_event_as_what_it_is(event):
    read = official(encoded(event))
    assert type(read) is CLASSES[type(event)]
    assert json.loads(read.to_json(exclude_unset=True)) == told(event)


def test_every_event_has_an_id_of_its_own():
    new_id = numbered()
    first, second = (json.loads(Cleared().encode(new_id)) for _ in range(2))
    assert first == {"type": "input_audio_buffer.cleared", "event_id": "event_1"}
    assert second["event_id"] == "event_2"


@given(settings, st.none() | st.integers(0, 2**40))
def test_the_session_is_one_as_openai_s_own(held, expires_at):
    message = told(SessionCreated("sess_1", held, expires_at))
    session = RealtimeTranscriptionSessionCreateResponse.model_validate(
        message["session"], strict=True
    )
    assert session.id == "sess_1"
    assert session.object == "realtime.transcription_session"
    assert session.expires_at == expires_at
    heard = session.audio.input
    assert heard.format.type == held.format.encoding.value
    assert heard.transcription.language == held.transcription.language
    assert heard.transcription.prompt == held.transcription.prompt
    assert (heard.turn_detection is None) == (held.turn_detection is None)
    if held.turn_detection is not None:
        assert heard.turn_detection.type == "server_vad"
        assert heard.turn_detection.threshold == held.turn_detection.threshold
        assert heard.turn_detection.prefix_padding_ms == held.turn_detection.prefix_padding_ms
        assert heard.turn_detection.silence_duration_ms == held.turn_detection.silence_duration_ms


def test_a_new_session_tells_openai_s_defaults():
    assert told(SessionCreated("sess_1", SessionSettings()))["session"] == {
        "id": "sess_1",
        "object": "realtime.transcription_session",
        "type": "transcription",
        "audio": {
            "input": {
                "format": {"type": "audio/pcm", "rate": 24_000},
                "transcription": {"model": None, "language": None, "prompt": ""},
                "noise_reduction": None,
                "turn_detection": {
                    "type": "server_vad",
                    "threshold": 0.5,
                    "prefix_padding_ms": 300,
                    "silence_duration_ms": 500,
                },
            }
        },
        "include": None,
        "expires_at": None,
    }


def test_the_official_client_reads_the_rate_that_openai_does_not_have():
    read = official(encoded(SessionUpdated("sess_1", SessionSettings(format=PCM_16K))))
    assert read.session.type == "transcription"
    assert read.session.audio.input.format.rate == 16_000


def test_an_item_s_events_tell_whose_they_are():
    assert told(SpeechStarted("item_2", 40)) == {
        "type": "input_audio_buffer.speech_started",
        "event_id": "event_1",
        "audio_start_ms": 40,
        "item_id": "item_2",
    }
    assert told(SpeechStopped("item_2", 990))["audio_end_ms"] == 990
    assert told(Committed("item_2", "item_1"))["previous_item_id"] == "item_1"
    assert told(Committed("item_1", None))["previous_item_id"] is None
    for event in (ItemAdded("item_2", "item_1"), ItemDone("item_2", "item_1")):
        item = official(encoded(event)).item
        assert told(event)["previous_item_id"] == "item_1"
        assert type(item) is current.RealtimeConversationItemUserMessage
        assert (item.id, item.status, item.role) == ("item_2", "completed", "user")
        assert [part.type for part in item.content] == ["input_audio"]
    for event in (
        Delta("item_2", "Hel"),
        Completed("item_2", "Hello", 1.5),
        Failed("item_2", "", ""),
    ):
        assert told(event)["item_id"] == "item_2"
        assert told(event)["content_index"] == 0


def test_a_completed_item_tells_its_text_and_its_seconds():
    read = official(encoded(Completed("item_1", "你好 hello", 2.25)))
    assert read.transcript == "你好 hello"
    assert (read.usage.type, read.usage.seconds) == ("duration", 2.25)


def test_a_failed_item_tells_why():
    read = official(encoded(Failed("item_1", "overloaded", "too much to do", "server_error")))
    assert read.error.code == "overloaded"
    assert read.error.message == "too much to do"
    assert read.error.type == "server_error"


def test_an_error_tells_which_event_of_the_client_was_wrong():
    with pytest.raises(BadEvent) as refusal:
        parse('{"type":"input_audio_buffer.append","event_id":"mine","audio":5}')
    read = CURRENT_EVENTS.validate_json(encoded(Error.of(refusal.value)))
    assert read.event_id == "event_1"
    assert read.error.event_id == "mine"
    assert read.error.type == "invalid_request_error"
    assert read.error.code == "invalid_type"
    assert read.error.param == "audio"
    assert read.error.message == "audio is 5, not a string"


def test_an_error_of_the_server_s_own_is_no_reproach():
    read = official(encoded(Error("internal", "sorry")))
    assert read.error.type == "server_error"
    assert read.error.param is None
    assert read.error.event_id is None


def test_a_commit_of_too_little_has_the_code_that_clients_know():
    error = told(Error.of(commit_empty(42.4, event_id="mine")))["error"]
    assert error["code"] == "input_audio_buffer_commit_empty"
    assert error["type"] == "invalid_request_error"
    assert error["event_id"] == "mine"
    assert "42 ms" in error["message"]
    assert "100 ms" in error["message"]


# The beta's dialect.


@pytest.mark.parametrize(
    ("event", "read_as"),
    [
        (SpeechStarted("item_1", 5), beta.InputAudioBufferSpeechStartedEvent),
        (SpeechStopped("item_1", 5), beta.InputAudioBufferSpeechStoppedEvent),
        (Committed("item_1", None), beta.InputAudioBufferCommittedEvent),
        (Cleared(), beta.InputAudioBufferClearedEvent),
        (ItemAdded("item_1", "item_0", Dialect.BETA), beta.ConversationItemCreatedEvent),
        (Delta("item_1", "a"), beta.ConversationItemInputAudioTranscriptionDeltaEvent),
        (Completed("item_1", "a", 1), beta.ConversationItemInputAudioTranscriptionCompletedEvent),
        (Failed("item_1", "a", "b"), beta.ConversationItemInputAudioTranscriptionFailedEvent),
        (Error("a", "b"), beta.ErrorEvent),
    ],
    ids=lambda each: type(each).__name__,
)
def test_the_beta_s_client_reads_what_it_is_told(event, read_as):
    assert type(BETA_EVENTS.validate_json(encoded(event), strict=True)) is read_as
    assert type(BetaConnection.parse_event(None, encoded(event))) is read_as


@given(settings)
def test_the_beta_s_client_reads_its_session(held):
    message = encoded(SessionUpdated("sess_1", held, dialect=Dialect.BETA))
    read = BetaConnection.parse_event(None, message)
    assert type(read) is beta.TranscriptionSessionUpdatedEvent
    assert read.type == "transcription_session.updated"
    assert read.session.id == "sess_1"
    # the type insists on a secret, of which its text says that it comes by HTTP alone
    fields = json.loads(message)
    assert fields["session"]["client_secret"] is None
    fields["session"]["client_secret"] = {"expires_at": 0, "value": "none"}
    session = beta.TranscriptionSessionUpdatedEvent.model_validate(fields, strict=True).session
    assert session.input_audio_format == BETA_FORMATS[held.format.encoding]
    assert session.input_audio_transcription.prompt == held.transcription.prompt
    assert (session.turn_detection is None) == (held.turn_detection is None)


def test_a_session_of_the_beta_is_created_under_its_own_name():
    message = told(SessionCreated("sess_1", SessionSettings(), dialect=Dialect.BETA))
    assert message["type"] == "transcription_session.created"
    assert message["session"]["id"] == "sess_1"
    assert message["session"]["input_audio_format"] == "pcm16"


@pytest.mark.parametrize(
    ("header", "subprotocols", "dialect"),
    [
        (None, [], Dialect.CURRENT),
        ("realtime=v1", [], Dialect.BETA),
        ("assistants=v2, realtime=v1", [], Dialect.BETA),
        ("realtime=v2", [], Dialect.CURRENT),
        (None, ["realtime", "openai-insecure-api-key.x"], Dialect.CURRENT),
        (None, ["realtime", "openai-beta.realtime-v1"], Dialect.BETA),
    ],
)
def test_the_handshake_tells_the_dialect(header, subprotocols, dialect):
    assert Dialect.of_handshake(header=header, subprotocols=subprotocols) is dialect


# What clients say, as the official client writes it.


def written(event: dict) -> str:
    """As ``RealtimeConnection.send`` does."""
    return json.dumps(maybe_transform(event, current.RealtimeClientEventParam))


def test_what_the_official_client_writes_is_understood():
    audio = base64.b64encode(b"\x01\x02\x03").decode()
    assert parse(written({"type": "input_audio_buffer.append", "audio": audio})) == Append(
        None, b"\x01\x02\x03"
    )
    assert parse(written({"type": "input_audio_buffer.commit", "event_id": "e"})) == Commit("e")
    assert parse(written({"type": "input_audio_buffer.clear"})) == Clear(None)
    session = transcribing(
        format={"type": "audio/pcm", "rate": 24_000},
        transcription={"model": "gpt-4o-transcribe", "language": "zh", "prompt": "麦克风"},
        noise_reduction={"type": "near_field"},
        turn_detection=None,
    )
    session["include"] = ["item.input_audio_transcription.logprobs"]
    event = parse(written({"type": "session.update", "session": session, "event_id": "e"}))
    assert (event.event_id, event.dialect) == ("e", Dialect.CURRENT)
    assert event.applied_to(SessionSettings()) == SessionSettings(
        transcription=Transcription("gpt-4o-transcribe", "zh", "麦克风"),
        turn_detection=None,
        include=("item.input_audio_transcription.logprobs",),
    )


def test_an_update_built_of_the_official_types_is_understood():
    event = current.SessionUpdateEvent.model_validate(
        {
            "type": "session.update",
            "session": transcribing(
                format={"type": "audio/pcmu"},
                turn_detection={"type": "server_vad", "silence_duration_ms": 700},
            ),
        }
    )
    message = event.to_json(use_api_names=True, exclude_defaults=True, exclude_unset=True)
    assert parse(message).applied_to(SessionSettings()) == SessionSettings(
        format=AudioFormat(Encoding.ULAW, 8_000),
        turn_detection=TurnDetection(silence_duration_ms=700),
    )


def test_the_beta_s_update_is_understood():
    event = beta.TranscriptionSessionUpdate.model_validate(
        {
            "type": "transcription_session.update",
            "event_id": "e",
            "session": {
                "input_audio_format": "g711_alaw",
                "input_audio_transcription": {"model": "whisper-1", "language": "en"},
                "input_audio_noise_reduction": {"type": "far_field"},
                "turn_detection": {"type": "server_vad", "threshold": 0.25},
            },
        }
    )
    read = parse(event.to_json(exclude_unset=True))
    assert (read.event_id, read.dialect) == ("e", Dialect.BETA)
    assert read.applied_to(SessionSettings()) == SessionSettings(
        format=AudioFormat(Encoding.ALAW, 8_000),
        transcription=Transcription("whisper-1", "en"),
        turn_detection=TurnDetection(threshold=0.25),
    )


@pytest.mark.parametrize(
    ("name", "audio_format"),
    [
        ("pcm16", AudioFormat(Encoding.PCM, 24_000)),
        ("g711_ulaw", AudioFormat(Encoding.ULAW, 8_000)),
        ("g711_alaw", AudioFormat(Encoding.ALAW, 8_000)),
    ],
)
def test_the_beta_s_formats_have_one_rate_each(name, audio_format):
    read = update({"input_audio_format": name}, "transcription_session.update")
    assert read.applied_to(SessionSettings(format=PCM_16K)).format == audio_format


@pytest.mark.parametrize(
    ("given_format", "audio_format"),
    [
        ({"type": "audio/pcm", "rate": 24_000}, AudioFormat()),
        ({"type": "audio/pcm", "rate": 16_000}, PCM_16K),
        ({"type": "audio/pcm", "rate": 16_000.0}, PCM_16K),
        ({"type": "audio/pcm"}, AudioFormat()),
        ({"rate": 16_000}, PCM_16K),
        ({"type": "audio/pcmu"}, AudioFormat(Encoding.ULAW, 8_000)),
        ({"type": "audio/pcma", "rate": 8_000}, AudioFormat(Encoding.ALAW, 8_000)),
        (None, AudioFormat()),
    ],
)
def test_a_format_takes_the_place_of_the_old_one(given_format, audio_format):
    for old in (AudioFormat(), AudioFormat(Encoding.ULAW, 8_000), PCM_16K):
        read = update(transcribing(format=given_format))
        assert read.applied_to(SessionSettings(format=old)).format == audio_format


@pytest.mark.parametrize(
    ("audio_format", "size"),
    [(AudioFormat(), 4_800), (PCM_16K, 3_200), (AudioFormat(Encoding.ULAW, 8_000), 800)],
)
def test_a_format_tells_how_long_bytes_sound(audio_format, size):
    assert audio_format.milliseconds(size) == pytest.approx(100)


# What is not said again stays.

HELD = SessionSettings(
    format=AudioFormat(Encoding.ALAW, 8_000),
    transcription=Transcription("whisper-1", "de", "Grüße", ("Käse",), ("de", "fr")),
    turn_detection=TurnDetection(0.125, 10, 20),
    include=("item.input_audio_transcription.logprobs",),
)


@given(settings)
@pytest.mark.parametrize(
    "session",
    [
        {"type": "transcription"},
        {"type": "transcription", "audio": None},
        {"type": "transcription", "audio": {"output": {"voice": "alloy"}}, "model": "x"},
        {"type": "transcription", "audio": {"input": None}},
        transcribing(transcription={}, turn_detection_mode="new", noise_reduction=None),
    ],
    ids=str,
)
def test_an_update_that_says_nothing_changes_nothing(session, held):
    assert update(session).applied_to(held) == held
    assert update({}, "transcription_session.update").applied_to(held) == held


@given(settings)
def test_a_client_that_repeats_what_it_was_told_changes_nothing(held):
    repeated = told(SessionUpdated("sess_1", held))["session"]
    assert update(repeated).applied_to(held) == held
    assert update(repeated).applied_to(SessionSettings()) == held
    repeated = told(SessionUpdated("sess_1", held, dialect=Dialect.BETA))["session"]
    repeated = update(repeated, "transcription_session.update")
    assert repeated.applied_to(held) == held
    assert repeated.applied_to(SessionSettings()) == held


LEAVES = [
    ("transcription", "model", "other"),
    ("transcription", "language", "en"),
    ("transcription", "prompt", "words"),
    ("transcription", "keywords", ["Quark"]),
    ("transcription", "languages", ["en"]),
    ("turn_detection", "threshold", 0.75),
    ("turn_detection", "prefix_padding_ms", 1),
    ("turn_detection", "silence_duration_ms", 2),
]


@pytest.mark.parametrize(("part", "key", "value"), LEAVES)
def test_one_value_given_changes_that_one_alone(part, key, value):
    expected = copy.deepcopy(told(SessionUpdated("s", HELD))["session"])
    expected["audio"]["input"][part][key] = value
    change = {key: value} if part == "transcription" else {"type": "server_vad", key: value}
    now = update(transcribing(**{part: change})).applied_to(HELD)
    assert told(SessionUpdated("s", now))["session"] == expected
    flat = {"transcription": "input_audio_transcription"}.get(part, part)
    assert update({flat: change}, "transcription_session.update").applied_to(HELD) == now


@pytest.mark.parametrize(("part", "key", "value"), LEAVES)
def test_null_gives_a_value_its_default_again(part, key, value):
    now = update(transcribing(**{part: {key: None}})).applied_to(HELD)
    assert getattr(getattr(now, part), key) == getattr(getattr(SessionSettings(), part), key)


def test_null_for_all_of_the_transcription_gives_the_defaults():
    now = update(transcribing(transcription=None)).applied_to(HELD)
    assert now.transcription == Transcription()
    assert now.turn_detection == HELD.turn_detection


def test_what_cannot_be_included_is_not_told_to_be():
    logprobs = "item.input_audio_transcription.logprobs"
    wishes = {"type": "transcription", "include": ["speakers", logprobs, logprobs]}
    assert update(wishes).applied_to(SessionSettings()).include == (logprobs,)
    assert update({"type": "transcription", "include": []}).applied_to(HELD).include == ()
    assert update({"type": "transcription", "include": None}).applied_to(HELD).include == ()


def test_null_turn_detection_is_push_to_talk_until_it_is_given_again():
    pushed = update(transcribing(turn_detection=None)).applied_to(HELD)
    assert pushed.turn_detection is None
    assert (
        update(transcribing(transcription={"language": "en"})).applied_to(pushed).turn_detection
        is None
    )
    again = update(transcribing(turn_detection={"type": "server_vad", "threshold": 0.9}))
    assert again.applied_to(pushed).turn_detection == TurnDetection(threshold=0.9)


@pytest.mark.parametrize(("eagerness", "pause"), EAGERNESS.items())
def test_semantic_turn_detection_becomes_a_pause_to_wait_for(eagerness, pause):
    found = update(transcribing(turn_detection={"type": "semantic_vad", "eagerness": eagerness}))
    held = found.applied_to(HELD)
    assert held.turn_detection == TurnDetection(0.125, 10, pause)
    session = told(SessionUpdated("s", held))["session"]
    assert session["audio"]["input"]["turn_detection"]["type"] == "server_vad"


def test_the_eager_wait_less():
    assert EAGERNESS["high"] < EAGERNESS["medium"] == EAGERNESS["auto"] < EAGERNESS["low"]


@pytest.mark.parametrize(
    ("wished", "spoken"),
    [
        (Transcription(), "auto"),
        (Transcription(language="zh"), "zh"),
        (Transcription(language=" EN "), "en"),
        (Transcription(language="zh-CN"), "zh"),
        (Transcription(language="pt_BR"), "pt"),
        (Transcription(language="German"), "de"),
        (Transcription(language=""), "auto"),
        (Transcription(language="auto"), "auto"),
        (Transcription(languages=("ja",)), "ja"),
        (Transcription(languages=("ja", "en")), "auto"),
        (Transcription(language="de", languages=("ja",)), "de"),
    ],
    ids=str,
)
def test_the_language_to_recognise_is_the_only_one_named(wished, spoken):
    assert wished.spoken == spoken


# What is wrong is named.

APPEND = {"type": "input_audio_buffer.append", "event_id": "mine", "audio": "AAAA"}
UPDATE = {
    "type": "session.update",
    "event_id": "mine",
    "session": {
        "type": "transcription",
        "audio": {
            "input": {
                "format": {"type": "audio/pcm", "rate": 24_000},
                "transcription": {"model": "m", "language": "zh", "prompt": "p", "keywords": ["k"]},
                "turn_detection": {
                    "type": "server_vad",
                    "threshold": 0.5,
                    "prefix_padding_ms": 300,
                    "silence_duration_ms": 500,
                    "eagerness": "auto",
                },
            }
        },
        "include": [],
    },
}
BETA_UPDATE = {
    "type": "transcription_session.update",
    "event_id": "mine",
    "session": {
        "input_audio_format": "pcm16",
        "input_audio_transcription": {"language": "zh"},
        "turn_detection": {"type": "server_vad"},
    },
}
HEARD = "session.audio.input"


def with_value(event: dict, path: str, value) -> str:
    changed = copy.deepcopy(event)
    *parents, key = path.split(".")
    place = changed
    for parent in parents:
        place = place[parent]
    place[key] = value
    return json.dumps(changed)


WRONG_TYPE = [
    (APPEND, "audio", (None, 5, ["AAAA"])),
    (UPDATE, "type", (None, 5, ["session.update"])),
    (UPDATE, "session", (None, "x", [])),
    (UPDATE, "session.type", (None, 5)),
    (UPDATE, "session.audio", ("x", 5, [])),
    (UPDATE, HEARD, ("x", [])),
    (UPDATE, f"{HEARD}.format", ("pcm16", 5, [])),
    (UPDATE, f"{HEARD}.format.type", (5, {})),
    (UPDATE, f"{HEARD}.format.rate", ("24000", True)),
    (UPDATE, f"{HEARD}.transcription", ("whisper-1", True)),
    (UPDATE, f"{HEARD}.transcription.model", (5, {})),
    (UPDATE, f"{HEARD}.transcription.language", (5, ["zh"])),
    (UPDATE, f"{HEARD}.transcription.prompt", (5, ["word"])),
    (UPDATE, f"{HEARD}.transcription.keywords", ("word", [5], {})),
    (UPDATE, f"{HEARD}.transcription.languages", ("zh", [None])),
    (UPDATE, f"{HEARD}.turn_detection", ("server_vad", True, [])),
    (UPDATE, f"{HEARD}.turn_detection.type", (5, [])),
    (UPDATE, f"{HEARD}.turn_detection.threshold", ("0.5", True)),
    (UPDATE, f"{HEARD}.turn_detection.prefix_padding_ms", ("300", [])),
    (UPDATE, f"{HEARD}.turn_detection.silence_duration_ms", ("500", False)),
    (UPDATE, "session.include", ("x", [5])),
    (BETA_UPDATE, "session", (None, "x")),
    (BETA_UPDATE, "session.input_audio_format", (5, {"type": "audio/pcm"})),
    (BETA_UPDATE, "session.input_audio_transcription", ("whisper-1", [])),
    (BETA_UPDATE, "session.input_audio_transcription.language", (5,)),
    (BETA_UPDATE, "session.turn_detection", ("server_vad", 5)),
]
WRONG_VALUE = [
    (APPEND, "audio", ("???", "YWI", "YWI=YWI=", "YW I=", "YW-_", "=", "é")),
    (UPDATE, "type", ("", "response.create", "conversation.item.create", "session.updated")),
    (UPDATE, "session.type", ("realtime", "")),
    (UPDATE, f"{HEARD}.format.type", ("pcm16", "audio/wav", "")),
    (UPDATE, f"{HEARD}.format.rate", (8_000, 48_000, 0, -1, 24_000.5, 10**12)),
    (UPDATE, f"{HEARD}.transcription.keywords", (["x" * (LONGEST_NAME + 1)], ["x"] * 1_001)),
    (UPDATE, f"{HEARD}.turn_detection.type", ("vad", "none", "")),
    (UPDATE, f"{HEARD}.turn_detection.threshold", (-0.1, 1.1, 10**30)),
    (UPDATE, f"{HEARD}.turn_detection.prefix_padding_ms", (-1, 1.5, LONGEST_PAUSE + 1)),
    (UPDATE, f"{HEARD}.turn_detection.silence_duration_ms", (-1, 0.1, 2**63)),
    (BETA_UPDATE, "session.input_audio_format", ("audio/pcm", "pcm", "")),
    (BETA_UPDATE, "session.turn_detection.type", ("vad",)),
]
TOO_LONG = [
    (UPDATE, f"{HEARD}.transcription.prompt", ("x" * (LONGEST_PROMPT + 1),)),
    (UPDATE, f"{HEARD}.transcription.model", ("x" * (LONGEST_NAME + 1),)),
    (UPDATE, f"{HEARD}.transcription.language", ("x" * (LONGEST_NAME + 1),)),
    (UPDATE, f"{HEARD}.format.type", ("x" * 1_000_000,)),
]
WRONG = [
    (code, event, path, value)
    for code, cases in (
        (Code.INVALID_TYPE, WRONG_TYPE),
        (Code.INVALID_VALUE, WRONG_VALUE),
        (Code.TOO_LONG, TOO_LONG),
    )
    for event, path, values in cases
    for value in values
]


@pytest.mark.parametrize(
    ("code", "event", "path", "value"),
    WRONG,
    ids=lambda each: each.get("type") if isinstance(each, dict) else repr(each)[:40],
)
def test_a_wrong_value_is_named_by_its_path(code, event, path, value):
    with pytest.raises(BadEvent) as refusal:
        parse(with_value(event, path, value))
    assert refusal.value.code is code
    assert refusal.value.param == path
    assert refusal.value.event_id == "mine"
    assert str(refusal.value).startswith(f"{path} is ")
    assert "\n" not in str(refusal.value)
    assert len(str(refusal.value)) < 300


def test_eagerness_is_one_of_openai_s():
    with pytest.raises(BadEvent, match="eagerness is 'very', not one of low"):
        update(transcribing(turn_detection={"type": "semantic_vad", "eagerness": "very"}))


@pytest.mark.parametrize(
    ("message", "param"),
    [
        ({}, "type"),
        ({"type": "input_audio_buffer.append"}, "audio"),
        ({"type": "session.update"}, "session"),
        ({"type": "session.update", "session": {}}, "session.type"),
        ({"type": "transcription_session.update"}, "session"),
    ],
)
def test_a_missing_key_is_named(message, param):
    with pytest.raises(BadEvent, match=f"the key {param} is missing") as refusal:
        parse(json.dumps(message))
    assert refusal.value.code is Code.MISSING
    assert refusal.value.param == param


def test_an_unknown_type_is_named_and_the_known_ones_too():
    with pytest.raises(BadEvent) as refusal:
        parse('{"type":"response.create","event_id":"mine"}')
    assert str(refusal.value) == (
        "type is 'response.create', not one of session.update, transcription_session.update, "
        "input_audio_buffer.append, input_audio_buffer.commit, input_audio_buffer.clear"
    )
    assert refusal.value.event_id == "mine"


@pytest.mark.parametrize(("value", "code"), [(5, Code.INVALID_TYPE), ("x" * 513, Code.TOO_LONG)])
def test_an_id_that_cannot_be_given_back_is_not(value, code):
    with pytest.raises(BadEvent, match="event_id") as refusal:
        parse(json.dumps({"type": "input_audio_buffer.clear", "event_id": value}))
    assert (refusal.value.code, refusal.value.event_id) == (code, None)


def test_the_longest_values_are_taken():
    event_id, prompt = "x" * LONGEST_ID, "y" * LONGEST_PROMPT
    message = {"type": "session.update", "event_id": event_id}
    message["session"] = transcribing(
        transcription={"prompt": prompt},
        turn_detection={"threshold": 1, "silence_duration_ms": LONGEST_PAUSE},
    )
    event = parse(json.dumps(message))
    assert event.event_id == event_id
    held = event.applied_to(SessionSettings())
    assert held.transcription.prompt == prompt
    assert held.turn_detection == TurnDetection(1, silence_duration_ms=LONGEST_PAUSE)


@pytest.mark.parametrize(
    "message", ["", "hello", "[1]", "7", "null", '"x"', "{", b"\xff\xfe", "[" * 9999]
)
def test_what_is_no_json_object_is_refused(message):
    with pytest.raises(BadEvent, match=r"not JSON|not a JSON object") as refusal:
        parse(message)
    assert refusal.value.code is Code.INVALID_JSON


# Audio.


@given(st.binary(max_size=100), st.none() | ids)
def test_audio_arrives_as_it_was_sent(audio, event_id):
    message = {"type": "input_audio_buffer.append", "audio": base64.b64encode(audio).decode()}
    if event_id is not None:
        message["event_id"] = event_id
    assert parse(json.dumps(message)) == Append(event_id, audio)
    assert parse(json.dumps(message).encode()) == Append(event_id, audio)


@given(st.integers(0, 40), st.integers(0, 40))
def test_as_much_audio_as_is_allowed_is_taken_and_no_byte_more(size, largest):
    audio = base64.b64encode(bytes(size)).decode()
    message = json.dumps({"type": "input_audio_buffer.append", "audio": audio})
    if size <= largest:
        assert parse(message, largest=largest) == Append(None, bytes(size))
        return
    with pytest.raises(BadEvent, match=f"at most {largest} bytes") as refusal:
        parse(message, largest=largest)
    assert (refusal.value.code, refusal.value.param) == (Code.TOO_LONG, "audio")


def test_openai_s_own_limit_is_the_usual_one():
    assert LARGEST_APPEND == 15 * 1024 * 1024
    audio = "A" * (LARGEST_APPEND // 3 * 4)
    message = '{{"type":"input_audio_buffer.append","audio":"{}"}}'
    assert len(parse(message.format(audio)).audio) == LARGEST_APPEND
    with pytest.raises(BadEvent, match="at most 15,728,640 bytes") as refusal:
        parse(message.format(audio + "AAAA"))
    assert len(str(refusal.value)) < 200


# Nothing breaks the parser, and every refusal can be told.


def refused_or_understood(message: str | bytes) -> None:
    try:
        parse(message)
    except BadEvent as error:
        assert "\n" not in str(error)  # noqa: PT017  # it need not fail
        CURRENT_EVENTS.validate_json(encoded(Error.of(error)), strict=True)


@given(st.binary(max_size=300))
def test_no_bytes_break_the_parser(message):
    refused_or_understood(message)


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from(
        ["transcription", "audio/pcm", "server_vad", "semantic_vad", "pcm16", "AAAA"]
    ),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)


def paths(event: dict, prefix: str = "") -> list[str]:
    found = []
    for key, value in event.items():
        found.append(prefix + key)
        if isinstance(value, dict):
            found += paths(value, f"{prefix}{key}.")
    return found


CASES = [(event, path) for event in (APPEND, UPDATE, BETA_UPDATE) for path in paths(event)]


@given(st.sampled_from(CASES), values)
def test_no_value_of_one_key_breaks_the_parser(case, value):
    event, path = case
    refused_or_understood(with_value(event, path, value))


@given(st.sampled_from(CASES), values, settings)
def test_whether_an_update_is_right_does_not_depend_on_what_held(case, value, held):
    event, path = case
    try:
        read = parse(with_value(event, path, value))
    except BadEvent:
        return
    if isinstance(read, SessionUpdate):
        read.applied_to(held)
