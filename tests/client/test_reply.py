"""The transcript in a final result, from servers of every age."""

# Chinese punctuation

from __future__ import annotations

import time

import pytest

from capswriter.client.alignment import aligned
from capswriter.client.reply import transcript_of
from capswriter.protocols.capswriter import Result
from capswriter.text.subtitles import make_cues
from capswriter.transcript import Token


def result(text, tokens, timestamps, text_accu=None):
    return Result(
        task_id="1",
        is_final=True,
        text=text,
        tokens=tokens,
        timestamps=timestamps,
        duration=10.0,
        time_start=0.0,
        time_submit=0.0,
        time_complete=0.0,
        text_accu=text_accu,
    )


def pairs(transcript):
    assert "".join(token.text for token in transcript.tokens) == transcript.text
    return [(token.text, round(token.start, 2)) for token in transcript.tokens]


def test_text_accu_counts_before_text():
    done = transcript_of(result("dictated", ["Hi", "."], [1, 2], text_accu="Hi."), 10.0, "en")
    assert (done.text, done.language) == ("Hi.", "en")
    assert pairs(done) == [("Hi", 1), (".", 2)]


def test_formatting_that_the_tokens_lack_is_kept_with_their_times():
    tokens = ["二", "零", "二", "五", "年", "hel@@", "lo", "world"]
    starts = [1.0, 1.2, 1.4, 1.6, 2.0, 4.0, 4.3, 5.0]
    done = transcript_of(result("2025年，Hello world。", tokens, starts), 10.0)
    assert done.text == "2025年，Hello world。"
    times = dict(pairs(done))
    assert 0.0 <= times["2025"] < times["年"] == 2.0
    assert times[" world" if " world" in times else "world"] == pytest.approx(5.0)
    assert times["Hello"] == pytest.approx(4.0)


def test_subtitles_of_formatted_text_break_at_its_punctuation():
    tokens = list("今天天气很好我们出去走走吧")
    starts = [0.3 * index for index in range(6)] + [4 + 0.3 * index for index in range(7)]
    done = transcript_of(result("今天天气很好。我们出去走走吧。", tokens, starts), 10.0)
    cues = make_cues(done.tokens, duration=10.0)
    assert [cue.lines for cue in cues] == [("今天天气很好。",), ("我们出去走走吧。",)]
    assert cues[1].start == pytest.approx(4.0)


@pytest.mark.parametrize(("tokens", "starts"), [([], []), (["a", "b"], [1.0])])
def test_a_text_without_usable_times_is_spread_evenly(tokens, starts):
    done = transcript_of(result("one two", tokens, starts), 6.0)
    assert done.text == "one two"
    assert [token.start for token in done.tokens if token.text.strip()] == [0.0, 3.0]


def test_nothing_said_is_nothing():
    done = transcript_of(result(" ", [" "], [0.0], text_accu=""), 10.0, "en")
    assert (done.text, done.tokens, done.language) == ("", (), "en")


def test_times_never_decrease_even_where_the_texts_have_nothing_in_common():
    tokens = [Token(text, index * 0.5, index * 0.5 + 0.4) for index, text in enumerate("甲乙丙丁")]
    timed = aligned("something else, entirely", tokens)
    assert "".join(token.text for token in timed) == "something else, entirely"
    starts = [token.start for token in timed]
    assert starts == sorted(starts)
    assert all(0 <= token.start <= token.end <= 1.9 for token in timed)


def test_aligning_hours_takes_a_moment():
    said = "今天我们讲第一章的内容然后看一个例子" * 3000
    tokens = [Token(char, index * 0.2, index * 0.2 + 0.2) for index, char in enumerate(said)]
    text = said.replace("第一章", "第1章").replace("然后", "，然后")
    began = time.monotonic()
    timed = aligned(text, tokens)
    assert time.monotonic() - began < 5
    assert timed[-1].end == pytest.approx(tokens[-1].end)
    assert "".join(token.text for token in timed) == text
