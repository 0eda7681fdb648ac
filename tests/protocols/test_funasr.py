"""FunASR's wire format: what each of its clients sends, and what each of them needs to get."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from capswriter.protocols.funasr import (
    LARGEST,
    LONGEST_NAME,
    Acknowledgement,
    End,
    Failure,
    Mode,
    Result,
    Sentence,
    Start,
    is_funasr,
    parse,
)
from capswriter.protocols.reading import BadMessage

PYTHON_FILE = {
    "mode": "offline",
    "chunk_size": [5, 10, 5],
    "chunk_interval": 10,
    "encoder_chunk_look_back": 4,
    "decoder_chunk_look_back": 0,
    "audio_fs": 8000,
    "wav_name": "demo",
    "wav_format": "pcm",
    "is_speaking": True,
    "hotwords": "阿里巴巴,通义",
    "itn": True,
}
PYTHON_MICROPHONE = {
    "mode": "2pass",
    "chunk_size": [8, 8, 4],
    "chunk_interval": 10,
    "encoder_chunk_look_back": 4,
    "decoder_chunk_look_back": 0,
    "wav_name": "microphone",
    "is_speaking": True,
    "hotwords": "",
    "itn": False,
}
HTML5_FILE = {
    "chunk_size": [5, 10, 5],
    "wav_name": "h5",
    "is_speaking": True,
    "chunk_interval": 10,
    "itn": False,
    "mode": "offline",
    "wav_format": "PCM",
    "audio_fs": 44100,
    "hotwords": '{"阿里巴巴":20}',
}
CPP_FILE = {
    "chunk_size": [5, 10, 5],
    "chunk_interval": 10,
    "wav_name": "wav_default_id",
    "wav_format": "others",
    "audio_fs": 16000,
    "itn": True,
    "is_speaking": True,
    "hotwords": '{"阿里巴巴":20}',
    "svs_lang": "yue",
    "svs_itn": False,
}
CSHARP_ONLINE = {
    "mode": "office",
    "chunk_size": "5,10,5",
    "chunk_interval": 10,
    "wav_name": "default",
    "wav_format": "pcm",
    "is_speaking": True,
    "hotwords": "",
}
CAPSWRITER = {"task_id": "1", "source": "mic", "data": "", "is_final": True, "time_start": 1.0}


def started(message: dict, before: Start | None = None) -> Start:
    start = parse(json.dumps(message), before)
    assert isinstance(start, Start)
    return start


def test_python_s_client_for_files_is_understood():
    assert started(PYTHON_FILE) == Start(
        mode=Mode.OFFLINE,
        wav_name="demo",
        sample_rate=8000,
        hotwords=(("阿里巴巴", 20), ("通义", 20)),
    )


def test_python_s_microphone_is_understood():
    start = started(PYTHON_MICROPHONE)
    assert start == Start(mode=Mode.BOTH, chunk_size=(8, 8, 4), itn=False)
    assert start.chunk_seconds == pytest.approx(0.48)


def test_html5_is_understood():
    start = started(HTML5_FILE)
    assert (start.mode, start.wav_format, start.sample_rate) == (Mode.OFFLINE, "pcm", 44_100)
    assert start.hotwords == (("阿里巴巴", 20),)
    assert start.itn is False


def test_the_c_plus_plus_client_for_files_gets_one_result_though_it_names_no_mode():
    start = started(CPP_FILE)
    assert (start.mode, start.last, start.increments) == (Mode.OFFLINE, "offline", None)
    assert (start.svs_lang, start.svs_itn, start.is_samples) == ("yue", False, False)


def test_csharp_s_office_is_offline_and_its_chunk_size_is_read():
    assert started(CSHARP_ONLINE) == Start(mode=Mode.OFFLINE, wav_name="default")


def test_who_says_nothing_gets_the_defaults_of_the_document():
    assert started({"is_speaking": True}) == started({}) == Start()
    start = Start()
    assert (start.mode, start.chunk_size, start.chunk_interval) == (Mode.BOTH, (5, 10, 5), 10)
    assert (start.wav_name, start.wav_format, start.sample_rate) == ("microphone", "pcm", 16_000)
    assert (start.hotwords, start.itn, start.svs_lang) == ((), True, "auto")


@pytest.mark.parametrize("key", sorted(PYTHON_FILE | CPP_FILE))
def test_null_is_as_good_as_absent(key):
    assert started({key: None}) == Start()


def test_unknown_keys_are_ignored():
    assert started({**PYTHON_FILE, "key": {"a": [1]}, "is_final": 7}) == started(PYTHON_FILE)


@pytest.mark.parametrize(
    ("sent", "mode"),
    [
        ("offline", Mode.OFFLINE),
        ("office", Mode.OFFLINE),
        ("online", Mode.ONLINE),
        ("2pass", Mode.BOTH),
        (" 2PASS ", Mode.BOTH),
    ],
)
def test_each_mode_is_known(sent, mode):
    assert started({"mode": sent}).mode is mode


@pytest.mark.parametrize(
    ("mode", "increments", "sentences", "last"),
    [
        (Mode.OFFLINE, None, "offline", "offline"),
        (Mode.ONLINE, "online", None, "online"),
        (Mode.BOTH, "2pass-online", "2pass-offline", "2pass-offline"),
    ],
)
def test_each_mode_has_its_answers(mode, increments, sentences, last):
    start = Start(mode=mode)
    assert (start.increments, start.sentences, start.last) == (increments, sentences, last)


@pytest.mark.parametrize(
    "sent", [[0, 10, 5], ["0", "10", "5"], [0.0, 10.0, 5], "0,10,5", "0, 10, 5", "[0, 10, 5]"]
)
def test_a_chunk_size_is_read_however_it_is_written(sent):
    assert started({"chunk_size": sent}).chunk_size == (0, 10, 5)
    assert started({"chunk_size": sent}).chunk_seconds == pytest.approx(0.6)


@pytest.mark.parametrize(
    ("sent", "name", "is_samples"),
    [
        ("pcm", "pcm", True),
        ("PCM", "pcm", True),
        ("wav", "wav", True),
        ("", "pcm", True),
        ("MP3", "mp3", False),
        (".mp4", "mp4", False),
        ("others", "others", False),
    ],
)
def test_a_format_is_read_in_any_case(sent, name, is_samples):
    start = started({"wav_format": sent})
    assert (start.wav_format, start.is_samples) == (name, is_samples)


@pytest.mark.parametrize("sent", [16000, 16000.0, 8000, 44100, 48000.0])
def test_a_sample_rate_may_be_a_float(sent):
    rate = started({"audio_fs": sent}).sample_rate
    assert rate == sent
    assert isinstance(rate, int)


@pytest.mark.parametrize(
    ("sent", "words"),
    [
        ('{"阿里巴巴":20}', (("阿里巴巴", 20),)),
        ('{"抢手":"100"}', (("抢手", 100),)),
        ("阿里巴巴,通义", (("阿里巴巴", 20), ("通义", 20))),
        ("阿里巴巴 通义", (("阿里巴巴", 20), ("通义", 20))),
        ("阿里巴巴 20\n通义 30", (("阿里巴巴", 20), ("通义", 30))),
    ],
)
def test_hotwords_are_read_in_each_form(sent, words):
    assert started({"hotwords": sent}).hotwords == words


@pytest.mark.parametrize(
    ("key", "value"),
    [
        *[("mode", value) for value in ("3pass", "", 2, ["online"])],
        *[("wav_name", value) for value in (5, ["a"], "a" * (LONGEST_NAME + 1))],
        *[("wav_format", value) for value in (5, ["pcm"])],
        *[("audio_fs", value) for value in (0, -1, 999, 10**6, 8000.5, 1e300, "16000", True)],
        *[("is_speaking", value) for value in (0, 1, "true", [])],
        *[("is_finished", value) for value in (0, "true")],
        ("is_end", 1),
    ],
    ids=lambda value: repr(value)[:20],
)
def test_what_the_audio_cannot_be_understood_without_is_refused(key, value):
    with pytest.raises(BadMessage, match=f"^{key} is ") as refusal:
        parse(json.dumps({**PYTHON_FILE, key: value}))
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        *[
            ("chunk_size", value)
            for value in (5, "a,b,c", "5,10", [5, 10], [5, 0, 5], [5, -1, 5], [5, 10**9, 5])
        ],
        *[("chunk_size", value) for value in ([5, "x", 5], {"a": 1}, "", [[5], 10, 5], True)],
        *[("chunk_interval", value) for value in (0, "10", 1.5, True)],
        *[("hotwords", value) for value in ("{'a': 1}", 5, [1], True)],
        *[("itn", value) for value in (1, "true")],
        *[("svs_lang", value) for value in ("klingon", 5)],
        ("svs_itn", 0),
    ],
    ids=lambda value: repr(value)[:20],
)
def test_what_the_audio_can_be_understood_without_is_ignored_and_named(key, value):
    start = started({key: value, "wav_name": "x"})
    assert len(start.ignored) == 1
    assert re.match(f"{key} (is|are) ", start.ignored[0])
    assert start == Start(wav_name="x", ignored=start.ignored)


@pytest.mark.parametrize(
    ("message", "wants"),
    [
        ({"is_speaking": False}, False),
        ({"is_finished": True}, False),
        ({"is_speaking": True, "is_finished": True}, False),
        ({"is_speaking": False, "is_end": True}, True),
        ({"is_speaking": False, "is_end": False}, False),
        ({"is_end": True}, True),
    ],
    ids=repr,
)
def test_each_way_to_end_is_understood(message, wants):
    start = started(PYTHON_FILE)
    assert parse(json.dumps(message), start) == End(start, wants_acknowledgement=wants)


def test_html5_says_half_of_its_start_again_at_the_end():
    start = started(HTML5_FILE)
    message = {
        "chunk_size": [5, 10, 5],
        "wav_name": "h5",
        "is_speaking": False,
        "chunk_interval": 10,
        "mode": "offline",
    }
    assert parse(json.dumps(message), start) == End(start)


def test_not_finished_is_no_end():
    assert isinstance(parse('{"is_speaking":true,"is_finished":false,"is_end":false}'), Start)


def test_the_next_file_of_a_connection_keeps_what_it_does_not_say_again():
    first = started(CPP_FILE)
    later = {key: value for key, value in CPP_FILE.items() if key != "hotwords"}
    second = started({**later, "wav_name": "second"}, first)
    assert second.wav_name == "second"
    assert second.hotwords == first.hotwords == (("阿里巴巴", 20),)
    assert started({"wav_format": "mp3"}, started({"mode": "2pass"})).mode is Mode.BOTH


def test_what_was_ignored_once_is_not_named_again():
    first = started({"itn": "no"})
    assert first.ignored
    assert not started({"wav_name": "b"}, first).ignored


# Whose first message is it?


@pytest.mark.parametrize(
    "message",
    [
        *[PYTHON_FILE, PYTHON_MICROPHONE, HTML5_FILE, CPP_FILE, CSHARP_ONLINE],
        *[{"mode": "offline"}, {"is_speaking": True}, {"is_speaking": False}, {"wav_name": "a"}],
        {**HTML5_FILE, "hotwords": '{"task_id":20,"data":1}'},
        {**HTML5_FILE, "wav_name": "task_id"},
    ],
    ids=repr,
)
def test_funasr_s_first_message_is_known(message):
    assert is_funasr(json.dumps(message))
    assert is_funasr(json.dumps(message, ensure_ascii=False, indent=2))


@pytest.mark.parametrize(
    "message",
    [
        CAPSWRITER,
        {**CAPSWRITER, "encoding": "flac", "model": "a"},
        {**CAPSWRITER, "mode": "offline", "is_speaking": True},
        *[{key: value} for key, value in CAPSWRITER.items()],
        {},
    ],
    ids=repr,
)
def test_capswriter_s_first_message_is_not_funasr_s(message):
    assert not is_funasr(json.dumps(message))


@pytest.mark.parametrize(
    "message", ["", "start", "[]", "null", '"mode"', '["mode"]', "{", "\ud800"]
)
def test_what_is_no_object_is_not_funasr_s(message):
    assert not is_funasr(message)


def test_a_file_in_one_message_is_not_looked_at():
    assert not is_funasr(json.dumps({**HTML5_FILE, "hotwords": "a" * LARGEST}))
    with pytest.raises(BadMessage, match=f"more than {LARGEST} characters"):
        parse(json.dumps({"hotwords": "a" * LARGEST}))


@given(st.text())
def test_any_string_is_judged(message):
    assert isinstance(is_funasr(message), bool)


# What clients get


def test_a_result_has_what_android_csharp_and_go_insist_on():
    told = json.loads(Result("offline", "", "demo").encode())
    assert told == {"mode": "offline", "text": "", "wav_name": "demo", "is_final": False}
    assert json.loads(Result("online", "a", "b", is_final=True).encode())["is_final"] is True


def test_times_are_a_string_in_the_string():
    told = json.loads(Result("offline", "正是", "demo", True, [(430, 670), (670, 810)]).encode())
    assert told["timestamp"] == "[[430,670],[670,810]]"


def test_sentences_are_told_as_c_plus_plus_does():
    sentence = Sentence(["正", "是"], ",", 430, 1130, [(430, 670), (670, 1130)])
    told = json.loads(Result("offline", "正是,", "demo", True, (), [sentence]).encode())
    assert told["stamp_sents"] == [
        {
            "text_seg": "正 是",
            "punc": ",",
            "start": 430,
            "end": 1130,
            "ts_list": [[430, 670], [670, 1130]],
        }
    ]
    assert "timestamp" not in told


def html5_shows(text: str, timestamp: str) -> str:
    """Do what html5 does with times; raises where JavaScript would."""
    times = json.loads(timestamp)
    index, shown = 0, ""
    for run in re.sub(r"。|？|，|、|\?|\.| ", ",", text).split(","):
        if run:
            shown += f"{times[index][0] / 1000}:{run}\n"
            english = re.fullmatch(r"[a-zA-Z]+", run)
            index += 1 if english else sum(2 if ord(each) > 0xFFFF else 1 for each in run)
    return shown


@given(st.text("正是ab 。，?.9！𠮷", max_size=12), st.integers(0, 14))
def test_html5_finds_every_time_that_it_looks_up(text, count):
    times = [(100 * each, 100 * each + 50) for each in range(count)]
    told = json.loads(Result("offline", text, "h5", True, times).encode())
    if "timestamp" in told:
        html5_shows(text, told["timestamp"])
    elif times:
        with pytest.raises(IndexError):
            html5_shows(text, json.dumps(times))


def test_the_usual_text_keeps_its_times():
    times = [(each, each + 1) for each in range(6)]
    told = json.loads(Result("offline", "正是hello，你好 world。", "h5", True, times).encode())
    assert "timestamp" not in told  # html5 counts seven characters before 你
    told = json.loads(Result("offline", "正是 hello，你好 world。", "h5", True, times).encode())
    assert html5_shows("正是 hello，你好 world。", told["timestamp"])


def test_an_acknowledgement_is_final_and_has_the_end():
    assert json.loads(Acknowledgement("offline", "demo").encode()) == {
        "mode": "offline",
        "text": "",
        "wav_name": "demo",
        "is_final": True,
        "is_end": True,
    }


def test_a_failure_releases_those_who_wait_for_a_result():
    assert json.loads(Failure("offline", "demo", "busy", "overloaded", True, 2.5).encode()) == {
        "mode": "offline",
        "text": "",
        "wav_name": "demo",
        "is_final": True,
        "error": "busy",
        "code": "overloaded",
        "retryable": True,
        "retry_after": 2.5,
    }


def test_a_failure_is_no_success_to_those_who_wait_for_an_acknowledgement():
    told = json.loads(Failure("offline", "demo", "no", acknowledges=True).encode())
    assert (told["is_end"], told["is_final"], told["error"]) == (True, False, "no")
    assert "retry_after" not in told


# Whatever comes


@pytest.mark.parametrize("message", ["", "start", "[1]", "null", "{", "\ud800", "[" * 100_000])
def test_what_is_no_json_object_is_refused(message):
    with pytest.raises(BadMessage, match=r"not JSON|not a JSON object"):
        parse(message)


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=9)
    | st.sampled_from(["offline", "2pass", "5,10,5", "pcm", "{}", '{"a":1}', "a 1\nb"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=6,
)


@given(st.fixed_dictionaries({}, optional=dict.fromkeys(PYTHON_FILE | CPP_FILE, values)))
def test_no_json_breaks_the_parser_and_every_name_can_be_told_back(fields):
    try:
        message = parse(json.dumps(fields))
    except BadMessage as error:
        assert "\n" not in str(error)  # noqa: PT017  # it need not fail
    else:
        start = message.start if isinstance(message, End) else message
        Result(start.last, "", start.wav_name).encode()
        assert not any("\n" in line for line in start.ignored)
