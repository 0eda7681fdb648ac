from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from capswriter.text.pieces import display_pieces
from capswriter.text.wire import LONGEST_PIECE_S, tokens_from_wire
from capswriter.transcript import Token

PIECES = st.one_of(
    st.sampled_from(["hel@@", "lo", "@@", " ", "，", "今", "world", ",", "a", "\u3000", "50%"]),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=5),
)
SECONDS = st.floats(0, 20_000)


def joined(tokens):
    return "".join(token.text for token in tokens)


@settings(deadline=None)
@given(st.lists(st.tuples(PIECES, SECONDS), max_size=25), SECONDS)
def test_whatever_a_server_sends_the_tokens_are_in_order_and_bounded(pairs, duration):
    texts = [text for text, _ in pairs]
    tokens = tokens_from_wire(texts, [start for _, start in pairs], duration)
    assert all(token.text.strip() for token in tokens)
    assert joined(tokens) == joined(tokens).strip()
    for token in tokens:
        assert token.start <= token.end
    for token, following in pairwise(tokens):
        assert token.start <= following.start
    if tokens:
        assert tokens[-1].end <= max(duration, *(start for _, start in pairs))


WORDS = st.sampled_from([" Hello", " don't", ",", "。", "今天", " 3.14", " 50%", "は", " U.S."])


@settings(deadline=None)
@given(st.lists(WORDS, min_size=1, max_size=20).map("".join))
def test_what_our_own_server_sends_comes_back_as_it_was(text):
    pieces = display_pieces([Token(text, 0.0, 9.0)])
    texts = [piece.text for piece in pieces]
    tokens = tokens_from_wire(texts, [piece.start for piece in pieces], 9.0)
    assert joined(tokens) == text.strip()


def test_v1_byte_pairs_become_words_with_spaces_between():
    texts = ["欢", "迎", "使@@", "tran@@", "scrip@@", "tion", "tools", "吧"]
    starts = [0.0, 0.2, 0.4, 0.6, 0.8, 1.0, 1.2, 1.6]
    tokens = tokens_from_wire(texts, starts, 2.0)
    assert [token.text for token in tokens] == ["欢", "迎", "使transcription", " tools", "吧"]
    assert [token.start for token in tokens] == [0.0, 0.2, 0.4, 1.2, 1.6]


def test_v2_5_spaces_go_to_the_word_after_them():
    texts = ["Hello", ",", " ", "world", "。"]
    tokens = tokens_from_wire(texts, [0.0, 0.5, 0.5, 2.0, 2.6], 3.0)
    assert tokens == (
        Token("Hello", 0.0, 0.5),
        Token(",", 0.5, 0.5),
        Token(" world", 2.0, 2.6),
        Token("。", 2.6, 2.6),
    )


def test_a_list_with_spaces_is_taken_as_it_stands():
    texts = ["GPT", "4", " ", "is"]
    assert joined(tokens_from_wire(texts, [0, 1, 2, 3], 4)) == "GPT4 is"


def test_characters_with_invented_times_are_not_spaced_out():
    assert joined(tokens_from_wire(list("hello你"), [0, 1, 2, 3, 4, 5], 6)) == "hello你"


def test_silence_after_a_piece_stays_visible():
    tokens = tokens_from_wire(["好", "的", "extraordinarily"], [0.0, 5.0, 10.0], 30.0)
    assert tokens[0].end == pytest.approx(0.4)
    assert tokens[2].end == 10.0 + LONGEST_PIECE_S


def test_the_last_piece_ends_within_the_audio():
    assert tokens_from_wire(["好"], [1.0], 1.1)[0].end == 1.1
    assert tokens_from_wire(["好"], [1.0], 0.0)[0] == Token("好", 1.0, 1.0)


def test_pieces_that_share_a_start_end_where_time_moves_on():
    tokens = tokens_from_wire(["你", "好", "吗"], [1.0, 1.0, 1.2], 2.0)
    assert [token.end for token in tokens] == [1.2, 1.2, pytest.approx(1.6)]


def test_a_start_that_goes_backwards_is_held():
    tokens = tokens_from_wire(["你", "好"], [1.0, 0.5], 2.0)
    assert [token.start for token in tokens] == [1.0, 1.0]


def test_lists_of_different_length_are_refused():
    with pytest.raises(ValueError, match="2 tokens came with 1 timestamps"):
        tokens_from_wire(["a", "b"], [0.0], 1.0)


def test_an_empty_reply_has_no_tokens():
    assert tokens_from_wire([], [], 3.0) == ()
