"""How a text grows for FunASR's clients, who append what they are told."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from capswriter.server.funasr_text import Increments, write
from capswriter.transcript import Token


def tokens(text: str) -> list[Token]:
    return [Token(text, 0.0, 1.0)]


def told(increments: Increments, *guesses: str) -> list[str]:
    """What a client is told of each guess; nothing is the empty string."""
    said = []
    for guess in guesses:
        growth = increments.reached(tokens(guess))
        said.append(increments.tell(growth) if growth else "")
    return said


def test_a_guess_adds_what_it_has_after_the_last_one():
    guesses = ["dictation is", "Dictation is an.", "Dictation is an old idea, and", "dictation"]
    assert told(Increments(for_good=False), *guesses) == [
        "dictation is",
        " an",
        " old idea, and",
        "",
    ]


def test_a_guess_that_reads_otherwise_adds_nothing():
    assert told(Increments(for_good=False), "a b", "a x y z", "A b, c") == ["a b", "", ", c"]


def test_what_stays_for_good_is_what_two_guesses_agree_on():
    guesses = ["今天天", "今天天气", "今天天气很好", "今天晴", "今天天气很好，", "今天天气很好，我"]
    assert told(Increments(for_good=True), *guesses) == ["", "今天天", "气", "", "", "很好"]


def test_an_increment_that_was_not_sent_is_part_of_the_next():
    increments = Increments(for_good=False)
    increments.reached(tokens("a"))
    assert told(increments, "a b") == ["a b"]


def test_the_next_sentence_has_its_space_where_the_script_has_spaces():
    increments = Increments(for_good=False)
    told(increments, "one")
    increments.close("One.")
    assert told(increments, "two", "two three") == [" two", " three"]
    increments.close(" Two three，")
    assert told(increments, "四") == ["四"]


@pytest.mark.parametrize(
    ("before", "sentence", "rest"),
    [
        ("", " all of it.", " all of it."),
        ("dictation is", "Dictation is an idea.", " an idea."),
        ("dictation is", "Dictation is.", "."),
        ("a b c", "a x c d", " d"),
        ("a b c", "a b see d", " d"),
        ("a b c", "x y z d", " d"),
        ("a b c d", "a b", ""),
        ("a b c", "", ""),
    ],
)
def test_the_end_of_a_sentence_is_what_was_not_told(before, sentence, rest):
    increments = Increments(for_good=True)
    told(increments, before, before)
    assert increments.close(sentence) == rest


TEXTS = st.lists(st.text("ab 今。,'5", max_size=12), max_size=6)


@given(TEXTS, st.text("ab 今。,'5", max_size=12), st.booleans())
def test_any_guesses_can_be_told(guesses, sentence, for_good):
    increments = Increments(for_good=for_good)
    told(increments, *guesses)
    assert sentence.endswith(increments.close(sentence))


@given(st.lists(st.sampled_from(["a", "bc", "今", "d,", "5。"]), max_size=8), st.data())
def test_guesses_that_only_grow_and_their_sentence_make_the_text(words, data):
    text = " ".join(words)
    increments = Increments(for_good=data.draw(st.booleans()))
    counts = sorted(data.draw(st.lists(st.integers(0, len(words)), max_size=5)))
    shown = told(increments, *(" ".join(words[:count]) for count in counts))
    assert "".join(shown) + increments.close(text) == text


def test_a_sentence_ends_at_its_punctuation_and_other_marks_are_left_out():
    written = write(tokens('He said "well, no": 3.14 is fine'))
    assert [(each.words, each.punctuation) for each in written.sentences] == [
        (["He", "said", "well"], ","),
        (["no"], ":"),
        (["3.14", "is", "fine"], ""),
    ]
    assert len(written.times) == 7
