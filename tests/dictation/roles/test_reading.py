"""What of an answer is for the user, and events however they are cut."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from capswriter.dictation.roles.reading import Tidy
from capswriter.dictation.roles.sse import EventReader


def tidied(pieces):
    tidy = Tidy()
    return "".join([*(tidy.feed(piece) for piece in pieces), tidy.rest()])


@pytest.mark.parametrize(
    ("answer", "typed"),
    [
        ("Hello there", "Hello there"),
        ("\n Hello\n\nthere \n", "Hello\n\nthere"),
        ("<think>\nwell, <b> 1 < 2\n</think>\n\nHello", "Hello"),
        ("<think></think>Hello", "Hello"),
        ("<think>without an end", ""),
        ("<thin", "<thin"),
        ("<thing>", "<thing>"),
        ("a <think>b</think>", "a <think>b</think>"),
        ("Hel\x1b[31mlo\x03\u0085", "Hel[31mlo"),
        ("a\tb\r\nc", "a\tb\nc"),
        (" \n ", ""),
    ],
)
@pytest.mark.parametrize("size", [1, 2, 5, 100])
def test_what_is_typed_of_an_answer(answer, typed, size):
    assert tidied(answer[at : at + size] for at in range(0, len(answer), size)) == typed


def test_long_thoughts_are_not_kept():
    tidy = Tidy()
    for _ in range(1000):
        assert not tidy.feed("<think>" + "thought " * 100)
    assert len(tidy._held) < 100
    assert tidy.feed("</think>Hello") == "Hello"


@given(
    st.lists(st.text("ab:翻 \t", max_size=6), min_size=1, max_size=5),
    st.sampled_from(["\n", "\r\n", "\r"]),
    st.lists(st.integers(0, 400), max_size=20),
)
def test_events_are_the_same_however_they_are_cut(events, line_end, cuts):
    stream = "".join(f"data: {event}{line_end}{line_end}" for event in events)
    stream += f": that is all{line_end}"
    sent = stream.encode()
    places = sorted({0, len(sent), *(cut for cut in cuts if cut < len(sent))})
    reader = EventReader()
    read = [event for start, end in pairwise(places) for event in reader.feed(sent[start:end])]
    assert read == events


def test_lines_of_an_event_are_joined():
    sent = b"\xef\xbb\xbfevent: x\nid: 3\ndata: a\ndata\ndata:b\n\ndata: c\n\n"
    assert EventReader().feed(sent) == ["a\n\nb", "c"]
