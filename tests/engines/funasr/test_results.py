"""What FunASR's models give, as a transcript; the dicts are as the real models give them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from capswriter.engines.funasr_results import transcript_of


def pieces(result: dict, duration: float = 10.0) -> list[tuple[str, float, float]]:
    tokens = transcript_of(result, duration=duration).tokens
    return [(token.text, round(token.start, 3), round(token.end, 3)) for token in tokens]


def test_sensevoice_tags_become_language_emotion_and_event():
    text = "<|yue|><|HAPPY|><|BGM|><|withitn|>今日好开心。"
    heard = transcript_of({"text": text}, duration=2.0)
    assert (heard.text, heard.language) == ("今日好开心。", "yue")
    assert (heard.emotion, heard.event) == ("happy", "music")


def test_what_sensevoice_does_not_know_is_empty():
    text = "<|nospeech|><|EMO_UNKNOWN|><|Event_UNK|><|woitn|>"
    heard = transcript_of({"text": text}, duration=2.0, language="ko")
    assert (heard.text, heard.language, heard.tokens) == ("", "ko", ())
    assert (heard.emotion, heard.event) == ("", "")


def test_tags_in_the_middle_are_taken_out_too():
    text = "<|en|><|NEUTRAL|><|Speech|><|woitn|>good <|en|><|SAD|><|Cry|><|woitn|> bye"
    heard = transcript_of({"text": text}, duration=2.0)
    assert (heard.text, heard.emotion, heard.event) == ("good bye", "neutral", "speech")


def test_words_of_sensevoice_get_their_times():
    result = {
        "text": "<|en|><|NEUTRAL|><|Speech|><|withitn|>Hello, world.",
        "words": ["▁Hello", ",", "world", "."],
        "timestamp": [[100, 400], [400, 460], [500, 900], [900, 930]],
    }
    assert pieces(result) == [
        ("Hello", 0.1, 0.4),
        (",", 0.4, 0.46),
        (" world", 0.5, 0.9),
        (".", 0.9, 0.93),
    ]


def test_paraformer_text_loses_the_spaces_between_chinese_characters_only():
    result = {
        "text": "打 开 api key 文 件",
        "timestamp": [[n * 200, n * 200 + 150] for n in range(6)],
    }
    heard = transcript_of(result, duration=2.0)
    assert heard.text == "打开 api key 文件"
    assert [token.text for token in heard.tokens] == ["打", "开", " api", " key", " 文", "件"]
    assert [token.start for token in heard.tokens] == [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]


def test_korean_keeps_its_spaces():
    assert transcript_of({"text": "좋은 아 침"}, duration=1.0).text == "좋은 아 침"


def test_punctuation_without_a_time_goes_with_the_word_before_it():
    result = {"text": "你好，我 ok。", "timestamp": [[0, 100], [100, 200], [300, 400], [400, 900]]}
    assert pieces(result) == [
        ("你", 0.0, 0.1),
        ("好，", 0.1, 0.2),
        ("我", 0.3, 0.4),
        (" ok。", 0.4, 0.9),
    ]


def test_tokens_of_fun_asr_nano_are_in_seconds():
    result = {
        "text": "你好 world",
        "timestamps": [
            {"token": "你", "start_time": 0.06, "end_time": 0.12},
            {"token": "好", "start_time": 0.3, "end_time": 0.36},
            {"token": " world", "start_time": 0.6, "end_time": 1.2},
        ],
    }
    assert pieces(result) == [("你", 0.06, 0.12), ("好", 0.3, 0.36), (" world", 0.6, 1.2)]


def test_times_that_match_nothing_are_not_used():
    assert pieces({"text": "one two", "timestamp": [[0, 100]]}, 6.0) == [
        ("one", 0.0, 3.0),
        (" two", 3.0, 6.0),
    ]


def test_words_share_the_time_of_their_sentence():
    result = {
        "text": "ab cd. 好的。",
        "sentence_info": [
            {"text": "ab cd.", "start": 1000, "end": 2000},
            {"text": "好的。", "start": 3000, "end": 3500},
        ],
    }
    assert pieces(result) == [
        ("ab", 1.0, 1.5),
        (" cd.", 1.5, 2.0),
        (" 好", 3.0, 3.25),
        ("的。", 3.25, 3.5),
    ]


@pytest.mark.parametrize("result", [{}, {"text": ""}, {"text": " "}, {"text": None}])
def test_nothing_heard_is_an_empty_transcript(result):
    heard = transcript_of(result, duration=1.0)
    assert (heard.text, heard.tokens) == ("", ())


TEXTS = st.lists(st.sampled_from(["好", "a", "Bc", " ", ".", "，", "“", "<|zh|>", "▁", "한", "5"]))
SPANS = st.lists(st.tuples(st.integers(-50, 3000), st.integers(-50, 3000)))


@given(text=TEXTS.map("".join), words=TEXTS, spans=SPANS, whole=st.booleans())
def test_tokens_always_make_the_text_in_order_and_within_the_audio(text, words, spans, whole):
    result = {"text": text, "words": words, "timestamp": spans}
    if whole:  # times that may well fit
        result = {"text": "".join(words), "words": words, "timestamp": [[0, 9]] * len(words)}
    heard = transcript_of(result, duration=2.0)
    assert "".join(token.text for token in heard.tokens) == heard.text == heard.text.strip()
    assert "<|" not in heard.text
    starts = [token.start for token in heard.tokens]
    assert starts == sorted(starts)
    assert all(0 <= token.start <= token.end <= 2.0 for token in heard.tokens)
