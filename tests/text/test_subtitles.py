import re
import time
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from capswriter.text.characters import width
from capswriter.text.subtitles import LINE_WIDTH, make_cues
from capswriter.transcript import Token

TEXTS = st.one_of(
    st.sampled_from(
        [
            " Hello",
            " and",
            " yes.",
            ",",
            " extraordinarily",
            " I",
            "。",
            "，",
            "今天",
            "天气",
            "「",
            "」",
            "コンピューター",
            "は",
            " GPT",
            "50%",
            " " + "x" * 60,
            "语" * 50,
            "\n",
            "!",
        ]
    ),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=8),
)
GAPS = st.sampled_from([0.0, 0.0, 0.1, 0.2, 0.6, 3.0, 30.0])
LENGTHS = st.sampled_from([0.0, 0.05, 0.2, 0.4, 1.5, 12.0])
TOLERANCE = 1e-6


@st.composite
def token_lists(draw, texts=TEXTS):
    tokens = []
    start = 0.0
    for text in draw(st.lists(texts, max_size=40)):
        start += draw(GAPS)
        end = start + draw(LENGTHS)
        tokens.append(Token(text, start, end))
        start = draw(st.sampled_from([start, end]))
    return tokens


def spoken(text, *, rate, pause=0.7, breath=0.25):
    """Tokens of a text read at ``rate`` characters a second."""
    tokens = []
    start = 0.0
    for word in re.findall(r"\s*[A-Za-z0-9'.%-]+[,.;?!]*|.", text, re.DOTALL):
        end = start + len(word.strip()) / rate
        tokens.append(Token(word, start, end))
        silence = pause if word[-1] in ".?!。！？" else breath if word[-1] in ",;，、" else 0.0
        start = end + silence
    return tokens


def lines_of(cues):
    return [cue.lines for cue in cues]


@settings(deadline=None)
@given(token_lists())
def test_all_text_appears_once_and_in_order(tokens):
    text = "".join(token.text for token in tokens)
    cues = make_cues(tokens)
    shown = "".join(line for cue in cues for line in cue.lines)
    assert "".join(shown.split()) == "".join(text.split())
    if cues:
        assert "".join(cue.text for cue in cues) == text


@settings(deadline=None)
@given(token_lists())
def test_cues_have_one_or_two_lines_that_fit(tokens):
    for cue in make_cues(tokens):
        assert 1 <= len(cue.lines) <= 2
        for line in cue.lines:
            assert line
            assert len(line.splitlines()) == 1
            assert width(line) <= LINE_WIDTH


@settings(deadline=None)
@given(token_lists())
def test_cues_last_one_to_seven_seconds_and_never_overlap(tokens):
    cues = make_cues(tokens)
    for cue in cues:
        assert 1 - TOLERANCE <= cue.end - cue.start <= 7 + TOLERANCE
    for cue, following in pairwise(cues):
        assert cue.end <= following.start


@settings(deadline=None)
@given(token_lists(), st.floats(0, 100))
def test_within_the_audio_cues_are_shorter_than_a_second_only_without_room(tokens, duration):
    cues = make_cues(tokens, duration=duration)
    if not cues:
        return
    audio_end = max(duration, *(token.end for token in tokens))
    room = max(audio_end, 0.1 * len(cues))
    assert cues[-1].end <= room + TOLERANCE
    for cue, following in pairwise(cues):
        assert cue.end <= following.start
    for cue in cues:
        least = min(1, max(duration, 0.1 * len(cues)) / len(cues))
        assert least - TOLERANCE <= cue.end - cue.start <= 7 + TOLERANCE


@settings(deadline=None)
@given(token_lists(st.from_regex(r" [A-Za-z]{1,42}[,.]?", fullmatch=True)))
def test_no_latin_word_is_broken(tokens):
    text = "".join(token.text for token in tokens)
    words = [word for cue in make_cues(tokens) for line in cue.lines for word in line.split()]
    if max(map(len, text.split()), default=0) <= 42:
        assert words == text.split()


def test_english_breaks_at_punctuation():
    text = (
        "And so, my fellow Americans, ask not what your country can do for you; "
        "ask what you can do for your country."
    )
    assert lines_of(make_cues(spoken(text, rate=15))) == [
        ("And so, my fellow Americans,", "ask not what your country can do for you;"),
        ("ask what you can do for your country.",),
    ]


def test_a_sentence_without_commas_breaks_in_balance():
    text = (
        "I really do not know what to say about such a very long sentence "
        "that never seems to have any comma in it at all until it ends."
    )
    cues = make_cues(spoken(text, rate=15))
    widths = [sum(map(len, cue.lines)) for cue in cues]
    assert len(cues) == 2
    assert max(widths) < 1.3 * min(widths)


def test_chinese_breaks_at_punctuation_with_twenty_characters_a_line():
    text = (
        "今天我们来介绍一下这个离线语音识别服务器的设计思路，它可以在没有显卡的笔记本电脑上运行。"
    )
    cues = make_cues(spoken(text, rate=4.5))
    assert cues[0].lines == ("今天我们来介绍一下这个离线", "语音识别服务器的设计思路，")
    assert cues[1].lines == ("它可以在没有显卡的笔记本电脑上运行。",)


def test_mixed_text_keeps_words_whole_and_spaces_as_they_were():
    text = "并且支持中文和 English 混合输入，我们用CapsWriter写了50%的文档！"
    cues = make_cues(spoken(text, rate=4.5))
    assert [line for cue in cues for line in cue.lines] == [
        "并且支持中文和 English 混合输入，",
        "我们用CapsWriter写了50%的文档！",
    ]


def test_japanese_keeps_katakana_words_whole_and_prefers_phrase_borders():
    text = "コンピューターサイエンスの講義で、ラーメンを食べながら話していたことを覚えている。"
    lines = [line for cue in make_cues(spoken(text, rate=7)) for line in cue.lines]
    assert lines == [
        "コンピューターサイエンスの講義で、",
        "ラーメンを食べながら",
        "話していたことを覚えている。",
    ]


def test_a_pause_ends_a_cue_that_has_no_punctuation():
    tokens = [Token("one", 0, 0.6), Token(" two", 0.6, 1.2), Token(" three", 2.2, 3.4)]
    assert lines_of(make_cues(tokens)) == [("one two",), ("three",)]


def test_a_short_cue_stays_on_into_the_silence_after_it():
    cues = make_cues([Token("Yes.", 1.0, 1.3), Token(" No.", 8.0, 8.2)])
    assert [(cue.start, cue.end) for cue in cues] == [(1.0, 2.0), (8.0, 9.0)]


def test_short_sentences_in_quick_succession_share_a_cue():
    tokens = [Token("No.", 0.0, 0.3), Token(" Yes.", 0.4, 0.6), Token(" Go on.", 0.8, 1.4)]
    assert lines_of(make_cues(tokens)) == [("No. Yes. Go on.",)]


def test_a_short_end_of_the_audio_joins_the_cue_before_it():
    tokens = [Token("That is all we have.", 0.0, 2.0), Token(" Bye.", 2.2, 2.4)]
    assert lines_of(make_cues(tokens, duration=2.5)) == [("That is all we have. Bye.",)]


def test_audio_shorter_than_a_second_has_a_cue_of_its_length():
    cues = make_cues([Token("Yes.", 0.2, 0.5)], duration=0.6)
    assert [(cue.start, cue.end) for cue in cues] == [(0.0, 0.6)]


def test_a_word_longer_than_seven_seconds_vanishes_after_seven():
    cues = make_cues([Token("Ooooh", 1.0, 20.0)])
    assert [(cue.start, cue.end) for cue in cues] == [(1.0, 8.0)]


def test_text_without_time_is_shown_a_second_for_each_cue():
    cues = make_cues([Token("语" * 100, 5.0, 5.0)], duration=60.0)
    assert [cue.start for cue in cues] == pytest.approx([5.0, 6.0, 7.0])


def test_towards_the_end_of_the_audio_cues_come_earlier_than_their_words():
    cues = make_cues([Token("语" * 80, 59.9, 60.0)], duration=60.0)
    assert [cue.start for cue in cues] == pytest.approx([58.0, 59.0])


def test_a_cue_begins_with_its_first_word_and_ends_with_its_last():
    cues = make_cues(spoken("One two three four five. Six seven eight nine ten.", rate=12))
    assert [cue.start for cue in cues] == pytest.approx([0.0, 20 / 12 + 0.7])
    assert cues[0].end == pytest.approx(20 / 12)


@pytest.mark.parametrize("text", ["", " ", "\n\n"])
def test_no_text_has_no_cues(text):
    assert make_cues([Token(text, 0.0, 1.0)]) == ()
    assert make_cues([]) == ()


@pytest.mark.parametrize("word", [" word,", " word", "语", "语。"])
def test_three_hours_take_less_than_two_seconds(word):
    tokens = [Token(word, i * 0.36, i * 0.36 + 0.3) for i in range(30_000)]
    began = time.process_time()
    make_cues(tokens)
    assert time.process_time() - began < 2.0
