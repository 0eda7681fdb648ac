import html
import json
from io import StringIO

import webvtt
from hypothesis import given, settings
from hypothesis import strategies as st

from capswriter.text.formats import to_json, to_lrc, to_srt, to_txt, to_vtt
from capswriter.text.subtitles import Cue, make_cues
from capswriter.transcript import Token, Transcript

CUES = (
    Cue(
        0.0,
        1.9996,
        (
            "Hello, world:",
            "R&D is <b>",
        ),
        "Hello, world: R&D is <b>",
    ),
    Cue(3599.9999, 3605.25, ("1984",), " 1984"),
    Cue(36_000.5, 36_001.5, ("你好，世界。",), "你好，世界。"),
)
WORDS = st.lists(
    st.sampled_from(
        [" a&b", " <i>", " x-->y", " -->", " 12", " WEBVTT", " NOTE", "\n\n", "今天。"]
    ),
    min_size=1,
    max_size=60,
)


def cues_of(words):
    return make_cues([Token(word, i * 0.4, i * 0.4 + 0.3) for i, word in enumerate(words)])


def milliseconds(timestamp):
    clock, fraction = timestamp.replace(",", ".").split(".")
    hours, minutes, seconds = map(int, clock.split(":"))
    return ((hours * 60 + minutes) * 60 + seconds) * 1000 + int(fraction)


def assert_same_times(captions, cues):
    assert [(milliseconds(caption.start), milliseconds(caption.end)) for caption in captions] == [
        (round(cue.start * 1000), round(cue.end * 1000)) for cue in cues
    ]


@settings(deadline=None)
@given(WORDS)
def test_a_webvtt_parser_reads_back_what_was_written(words):
    cues = cues_of(words)
    captions = webvtt.from_buffer(StringIO(to_vtt(cues)), format="vtt", strict=True).captions
    assert_same_times(captions, cues)
    assert [tuple(html.unescape(line) for line in caption.lines) for caption in captions] == [
        cue.lines for cue in cues
    ]


@settings(deadline=None)
@given(WORDS.filter(lambda words: any(word.strip() for word in words)))
def test_an_srt_parser_reads_back_what_was_written(words):
    cues = cues_of(words)
    captions = webvtt.from_buffer(StringIO(to_srt(cues)), format="srt").captions
    assert_same_times(captions, cues)
    assert [caption.lines for caption in captions] == [
        [line.replace("-->", "→") for line in cue.lines] for cue in cues
    ]


def test_srt_numbers_cues_and_counts_hours():
    assert to_srt(CUES) == (
        "1\n00:00:00,000 --> 00:00:02,000\nHello, world:\nR&D is <b>\n\n"
        "2\n01:00:00,000 --> 01:00:05,250\n1984\n\n"
        "3\n10:00:00,500 --> 10:00:01,500\n你好，世界。\n\n"
    )


def test_vtt_escapes_markup():
    assert to_vtt(CUES[:1]) == (
        "WEBVTT\n\n00:00:00.000 --> 00:00:02.000\nHello, world:\nR&amp;D is &lt;b&gt;\n\n"
    )


def test_lrc_has_a_line_a_cue_and_counts_minutes_past_99():
    assert to_lrc(CUES) == (
        "[00:00.00]Hello, world: R&D is <b>\n[60:00.00]1984\n[600:00.50]你好，世界。\n"
    )


def test_without_cues_every_format_is_still_valid():
    assert to_srt([]) == ""
    assert to_lrc([]) == ""
    assert to_vtt([]) == "WEBVTT\n\n"
    assert to_txt([]) == ""


def test_txt_has_a_line_a_sentence_and_a_paragraph_after_a_long_pause():
    tokens = [
        Token("One, two.", 0.0, 1.0),
        Token(" Three.", 1.2, 2.0),
        Token(" Four", 5.0, 6.0),
        Token(" five", 6.7, 7.0),
    ]
    assert to_txt(tokens) == "One, two.\nThree.\n\nFour five\n"


def test_txt_without_punctuation_breaks_at_pauses():
    tokens = [Token("今天", 0.0, 0.5), Token("天气", 0.6, 1.0), Token("很好", 1.6, 2.0)]
    assert to_txt(tokens) == "今天天气\n很好\n"


@settings(deadline=None)
@given(WORDS)
def test_txt_keeps_all_text(words):
    tokens = [Token(word, i * 0.9, i * 0.9 + 0.3) for i, word in enumerate(words)]
    assert "".join(to_txt(tokens).split()) == "".join("".join(words).split())


def test_json_holds_text_segments_and_tokens():
    tokens = (Token("你好", 0.12345, 0.5), Token(" world.", 0.5, 1.5))
    transcript = Transcript("你好 world.", "zh", tokens)
    written = to_json(transcript, make_cues(tokens), duration=2.0)
    assert "你好" in written
    assert json.loads(written) == {
        "text": "你好 world.",
        "language": "zh",
        "duration": 2.0,
        "segments": [{"start": 0.123, "end": 1.5, "text": "你好 world.", "lines": ["你好 world."]}],
        "tokens": [
            {"text": "你好", "start": 0.123, "end": 0.5},
            {"text": " world.", "start": 0.5, "end": 1.5},
        ],
    }
