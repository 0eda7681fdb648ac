# ruff: noqa: RUF001
import time
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from capswriter.text.pieces import display_pieces
from capswriter.transcript import Token

TEXTS = st.one_of(
    st.sampled_from([" Hello", " wor", "ld", ",", " don't", " 3.14", "。", "今天", "は", " U.S."]),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=6),
)


@st.composite
def token_lists(draw):
    tokens = []
    start = 0.0
    for text in draw(st.lists(TEXTS, max_size=20)):
        start += draw(st.sampled_from([0.0, 0.1, 0.3, 1 / 3, 2.0]))
        tokens.append(Token(text, start, start + draw(st.sampled_from([0.0, 0.1, 0.7]))))
    return tokens


def texts(text):
    return [piece.text for piece in display_pieces([Token(text, 0.0, 1.0)])]


@settings(deadline=None)
@given(token_lists())
def test_joined_pieces_are_the_text(tokens):
    joined = "".join(piece.text for piece in display_pieces(tokens))
    assert joined == "".join(token.text for token in tokens)


@settings(deadline=None)
@given(token_lists())
def test_times_never_go_backwards_and_stay_within_the_tokens(tokens):
    pieces = display_pieces(tokens)
    for piece in pieces:
        assert tokens[0].start <= piece.start <= piece.end <= tokens[-1].end
    for piece, following in pairwise(pieces):
        assert piece.end <= following.start


@settings(deadline=None)
@given(token_lists())
def test_no_piece_mixes_white_space_with_anything_else(tokens):
    for piece in display_pieces(tokens):
        assert piece.text.isspace() or not any(char.isspace() for char in piece.text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Hello, world!", ["Hello", ",", " ", "world", "!"]),
        ("don’t stop o'clock", ["don’t", " ", "stop", " ", "o'clock"]),
        (
            "a well-known 3.14 (50%).",
            ["a", " ", "well-known", " ", "3.14", " ", "(", "50%", ")", "."],
        ),
        ("1,000 at 12:30", ["1,000", " ", "at", " ", "12:30"]),
        ("in the U.S. now", ["in", " ", "the", " ", "U.S.", " ", "now"]),
        ("example.com. So", ["example.com", ".", " ", "So"]),
        ("end.Next", ["end", ".", "Next"]),
        ("今天，天气", ["今", "天", "，", "天", "气"]),
        ("用GPT4写50%的2.5版", ["用", "GPT4", "写", "50%", "的", "2.5", "版"]),
        ("カタカナ。", ["カ", "タ", "カ", "ナ", "。"]),
        ("か\u3099く", ["か\u3099", "く"]),
        ("안녕 세계", ["안녕", " ", "세계"]),
        ("हिन्दी में", ["हिन्दी", " ", "में"]),
        ("a  b", ["a", "  ", "b"]),
        ("'quoted' -x", ["'", "quoted", "'", " ", "-", "x"]),
    ],
)
def test_splits_into_words_characters_and_marks(text, expected):
    assert texts(text) == expected


def test_a_cjk_token_spreads_its_time_over_its_characters():
    pieces = display_pieces([Token("今天好", 1.0, 2.5)])
    assert [(piece.start, piece.end) for piece in pieces] == [(1.0, 1.5), (1.5, 2.0), (2.0, 2.5)]


def test_parts_of_a_word_become_one_piece():
    tokens = [Token(" tran", 1.0, 1.2), Token("scrip", 1.2, 1.5), Token("tion", 1.5, 1.9)]
    assert display_pieces(tokens) == (Token(" ", 1.0, 1.0), Token("transcription", 1.0, 1.9))


def test_attached_punctuation_takes_no_time_from_the_word():
    assert display_pieces([Token("so,", 1.0, 2.0)]) == (Token("so", 1.0, 2.0), Token(",", 2.0, 2.0))


def test_punctuation_with_its_own_token_keeps_its_time():
    pieces = display_pieces([Token("好", 1.0, 1.2), Token("。", 1.2, 1.6)])
    assert pieces == (Token("好", 1.0, 1.2), Token("。", 1.2, 1.6))


def test_a_space_has_the_time_of_the_word_after_it():
    tokens = [Token("one", 0.0, 0.4), Token(" two", 3.0, 3.4)]
    assert display_pieces(tokens)[1] == Token(" ", 3.0, 3.0)


def test_a_token_that_runs_into_the_next_is_cut_there():
    tokens = [Token("你好", 0.0, 4.0), Token("啊", 1.0, 1.5)]
    starts = [piece.start for piece in display_pieces(tokens)]
    assert starts == [0.0, 0.5, 1.0]


def test_nothing_gives_nothing():
    assert display_pieces([]) == ()


def test_three_hours_take_less_than_a_second():
    tokens = [Token(" word,", i * 0.36, i * 0.36 + 0.3) for i in range(30_000)]
    began = time.process_time()
    display_pieces(tokens)
    assert time.process_time() - began < 1.0
