from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from capswriter.text.edits import Edit, apply
from capswriter.text.pieces import character_times
from capswriter.transcript import Token

CHARACTERS = "二十三年ab 。%"


def evenly(*texts: str) -> tuple[Token, ...]:
    return tuple(Token(text, float(n), n + 1.0) for n, text in enumerate(texts))


def joined(tokens) -> str:
    return "".join(token.text for token in tokens)


@st.composite
def transcripts(draw):
    """Tokens of any length, with pauses, overlaps and times that stand still; and edits."""
    texts = draw(st.lists(st.text(st.sampled_from(CHARACTERS), max_size=4), max_size=12))
    now, tokens = 0.0, []
    for text in texts:
        now += draw(st.sampled_from([0.0, 0.25, 1.0]))
        tokens.append(Token(text, now, now + draw(st.sampled_from([0.0, 0.25, 2.0]))))
    length = len(joined(tokens))
    edits, place = [], 0
    while place < length and draw(st.booleans()):
        first = draw(st.integers(place, length - 1))
        stop = draw(st.integers(first, length))
        edits.append(Edit(first, stop, draw(st.text(st.sampled_from("XYZ "), max_size=4))))
        place = max(stop, first + 1)
    return tuple(tokens), edits


@given(transcripts())
def test_the_joined_text_is_the_edited_text_and_starts_never_decrease(case):
    tokens, edits = case
    text = joined(tokens)
    expected, place = "", 0
    for edit in edits:
        expected += text[place : edit.first] + edit.text
        place = edit.stop
    result = apply(tokens, edits)
    assert joined(result) == expected + text[place:]
    starts = [token.start for token in result]
    assert starts == sorted(starts)
    assert all(token.end >= token.start for token in result)


@given(transcripts())
def test_tokens_without_a_changed_character_stay_as_they_are(case):
    tokens, edits = case
    remaining = list(apply(tokens, edits))
    place = 0
    for token in tokens:
        stop = place + len(token.text)
        is_touched = any(
            edit.first < stop and max(edit.stop, edit.first + 1) > place for edit in edits
        )
        if token.text and not is_touched:
            assert token in remaining
            del remaining[: remaining.index(token) + 1]
        place = stop


@given(transcripts())
def test_what_is_replaced_keeps_the_time_of_what_it_replaces(case):
    tokens, edits = case
    begins, ends = character_times(tokens)
    result = apply(
        tokens, [Edit(e.first, e.stop, "<<<<<" if e.stop > e.first else "") for e in edits]
    )
    replaced = [edit for edit in edits if edit.stop > edit.first and edit.stop - edit.first != 5]
    pieces = [token for token in result if "<<<<<" in token.text]
    if len(pieces) == len(replaced):  # else an edit was exactly five characters long
        for edit, piece in zip(replaced, pieces, strict=True):
            whole = any(piece.start == token.start and piece.end == token.end for token in tokens)
            assert whole or piece.end == ends[edit.stop - 1]
            assert piece.start <= begins[edit.first]


def test_a_replacement_takes_the_tokens_it_covers_and_the_space_before_them():
    tokens = evenly("by", " twenty", " three", " percent", ".")
    assert apply(tokens, [Edit(3, 23, "23%")]) == (
        tokens[0],
        Token(" 23%", 1.0, 4.0),
        tokens[4],
    )


def test_a_replacement_inside_a_token_cuts_it_at_the_shares_of_its_characters():
    assert apply([Token("共二十三年", 10.0, 15.0)], [Edit(1, 4, "23")]) == (
        Token("共", 10.0, 11.0),
        Token("23", 11.0, 14.0),
        Token("年", 14.0, 15.0),
    )


def test_a_replacement_of_the_same_length_goes_into_the_tokens_that_are_there():
    assert apply(evenly("三", "十年"), [Edit(0, 2, "30")]) == evenly("3", "0年")


def test_what_is_put_in_belongs_to_the_token_after_it():
    tokens = evenly("用", "Python", "写")
    assert apply(tokens, [Edit(1, 1, " "), Edit(7, 7, " ")]) == evenly("用", " Python", " 写")


def test_what_is_taken_out_leaves_no_empty_token():
    assert apply(evenly("嗯", "好"), [Edit(0, 1, "")]) == evenly("嗯", "好")[1:]
