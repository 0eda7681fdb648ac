"""Joining the transcripts of segments: every word once, in order, at cuts of every kind."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from hypothesis import given, settings
from hypothesis import strategies as st

from capswriter.audio import SAMPLE_RATE
from capswriter.audio.segment import Segment
from capswriter.sessions.merge import Merger
from capswriter.transcript import Token, Transcript

if TYPE_CHECKING:
    from collections.abc import Sequence

LATIN = [f"{first}{rest}" for first in "abcdef" for rest in ("ut", "ine", "ord")]
CJK = list("天地玄黄宇宙洪荒日月盈昃辰宿列张寒来")
WINDOW = 8
"""A word comes again only after so many others."""


@dataclass(frozen=True)
class Speech:
    """Words with their true times, and where the stream is cut by force."""

    words: list[Token]
    segments: list[Segment]


def span(start: float, end: float, *, lead: float = 0.0, tail: float = 0.0) -> Segment:
    samples = [round(seconds * SAMPLE_RATE) for seconds in (start, end, lead, tail)]
    return Segment(samples[0], samples[1], None, samples[2], samples[3])


def heard(*tokens: Token) -> Transcript:
    return Transcript("".join(token.text for token in tokens), "en", tokens)


def says(text: str, start: float, end: float) -> Transcript:
    """Words, or CJK characters, spread evenly."""
    words = text.split() if text.isascii() else list(text)
    step = (end - start) / len(words)
    space = " " if text.isascii() else ""
    return heard(
        *(
            Token(space * bool(i) + word, start + i * step, start + (i + 0.9) * step)
            for i, word in enumerate(words)
        )
    )


def text_of(*additions: tuple[Segment, Transcript]) -> str:
    return "".join(token.text for token in merged(*additions))


def merged(*additions: tuple[Segment, Transcript]) -> list[Token]:
    merger = Merger()
    tokens = [token for addition in additions for token in merger.add(*addition)]
    return tokens + list(merger.finish())


@st.composite
def speeches(draw: st.DrawFn, vocabulary: Sequence[str]) -> Speech:
    words: list[Token] = []
    now = draw(st.floats(0.0, 1.0))
    recent: list[str] = []
    for _ in range(draw(st.integers(5, 60))):
        text = draw(st.sampled_from([word for word in vocabulary if word not in recent]))
        recent = [*recent, text][-WINDOW:]
        end = now + draw(st.floats(0.2, 0.5))
        words.append(Token(text, now, end))
        now = end + draw(st.floats(0.0, 0.2))
    total = now + 0.1
    overlap = draw(st.floats(3.2, 4.0))
    segments: list[Segment] = []
    start = 0.0
    while start + 2 * overlap + 1 < total and draw(st.integers(0, 9)):
        end = min(start + draw(st.floats(overlap + 1, 12.0)), total - 0.5)
        segments.append(span(start, end, lead=overlap if segments else 0.0, tail=overlap))
        start = end
    segments.append(span(start, total, lead=overlap if segments else 0.0))
    return Speech(words, segments)


@st.composite
def hearings(
    draw: st.DrawFn, vocabulary: Sequence[str], *, jitter: float = 0.3, side_tells: bool = False
) -> tuple[Speech, list[Transcript]]:
    """A speech, and what an engine makes of each of its segments."""
    speech = draw(speeches(vocabulary))
    transcripts = []
    for number, segment in enumerate(speech.segments):
        first = (segment.start - segment.lead) / SAMPLE_RATE
        end = segment.end / SAMPLE_RATE
        tokens: list[Token] = []
        latest = 0.0
        space = " " if vocabulary[0].isascii() else ""
        for index, word in enumerate(speech.words):
            whole = first <= word.start and word.end <= end
            if not whole and not (first < (word.start + word.end) / 2 < end):
                continue
            text = f"{word.text}{number}" if side_tells else word.text
            at_cut = word.start < first + 0.3 * bool(segment.lead) or (
                segment.tail and word.end > end - 0.3
            )
            if at_cut and not side_tells:
                text = draw(st.sampled_from([text, f"x{number}y{index}", ""]))
                if not text:
                    continue
            text = draw(st.sampled_from([text, text.capitalize()])) if not side_tells else text
            mark = draw(st.sampled_from(["", "", ",", ".", "。"])) if not side_tells else ""
            shift = draw(st.floats(-jitter, jitter))
            latest = max(latest, word.start + shift - first)
            until = min(max(latest, word.end + shift - first), end - first)
            tokens.append(Token(space * bool(tokens) + text + mark, latest, until))
        transcripts.append(heard(*tokens))
    return speech, transcripts


def plain(token: Token) -> str:
    return "".join(char for char in token.text.lower() if char.isalnum())


def check_times(tokens: list[Token]) -> None:
    starts = [token.start for token in tokens]
    assert starts == sorted(starts)
    assert all(token.end >= token.start for token in tokens)


@given(hearings(LATIN))
@settings(max_examples=150, deadline=None)
def test_every_word_is_there_once_and_in_order(hearing):
    speech, transcripts = hearing
    tokens = merged(*zip(speech.segments, transcripts, strict=True))
    assert [plain(token) for token in tokens] == [word.text for word in speech.words]
    check_times(tokens)
    text = "".join(token.text for token in tokens)
    assert len(text.split(" ")) == len(speech.words)  # one space between two words, none before


@given(hearings(CJK))
@settings(max_examples=80, deadline=None)
def test_every_character_is_there_once_and_no_space_between(hearing):
    speech, transcripts = hearing
    tokens = merged(*zip(speech.segments, transcripts, strict=True))
    assert [plain(token) for token in tokens] == [word.text for word in speech.words]
    assert " " not in "".join(token.text for token in tokens)
    check_times(tokens)


@given(hearings(LATIN, jitter=0.0, side_tells=True))
@settings(max_examples=80, deadline=None)
def test_where_nothing_is_heard_alike_the_times_decide(hearing):
    speech, transcripts = hearing
    tokens = merged(*zip(speech.segments, transcripts, strict=True))
    assert [plain(token).rstrip("0123456789") for token in tokens] == [w.text for w in speech.words]
    check_times(tokens)


@given(hearings(LATIN))
@settings(max_examples=50, deadline=None)
def test_times_lie_where_the_words_were_spoken(hearing):
    speech, transcripts = hearing
    tokens = merged(*zip(speech.segments, transcripts, strict=True))
    for token, word in zip(tokens, speech.words, strict=True):
        assert abs(token.start - word.start) < 1.0


words = st.sampled_from(["to", "buy", "some", "milk", "no"])
phrases = st.lists(words, min_size=1, max_size=5).map(" ".join)


@given(st.lists(phrases, min_size=1, max_size=6))
def test_nothing_is_removed_at_cuts_in_silence(said):
    cuts = [(span(10 * i, 10 * (i + 1)), says(text, 1, 9)) for i, text in enumerate(said)]
    assert text_of(*cuts) == " ".join(said)


def test_a_word_said_twice_across_a_cut_in_silence_stays_said_twice():
    first, second = says("to buy some", 7.0, 10.0), says("some milk", 0.0, 2.0)
    assert text_of((span(0, 10), first), (span(10, 20), second)) == "to buy some some milk"


def test_a_word_heard_twice_across_a_forced_cut_is_said_once():
    first, second = says("to buy some", 7.0, 10.0), says("some milk", 1.0, 3.0)
    cut = (span(0, 10, tail=2), first), (span(10, 20, lead=2), second)
    assert text_of(*cut) == "to buy some milk"


def test_two_characters_that_come_again_later_delete_nothing():
    first = says("我请财务总监介绍具体细节", 20.0, 26.0)
    second = says("财务部门上周", 2.5, 5.5)
    cut = (span(0, 26, tail=2), first), (span(26, 56, lead=2), second)
    assert text_of(*cut) == "我请财务总监介绍具体细节财务部门上周"
    silence = (span(0, 26), first), (span(26, 56), second)
    assert text_of(*silence) == "我请财务总监介绍具体细节财务部门上周"


def test_a_phrase_that_comes_again_outside_the_overlap_stays():
    first = says("it was the best of times it was the worst", 0.0, 10.0)
    second = says("the worst of times it was the age", 0.0, 7.0)
    cut = (span(0, 10, tail=2), first), (span(10, 20, lead=2), second)
    assert text_of(*cut) == "it was the best of times it was the worst of times it was the age"


def test_a_word_repeated_inside_the_overlap_stays_repeated():
    first, second = says("no no no", 8.1, 9.9), says("no no no stop", 0.1, 2.5)
    cut = (span(0, 10, tail=2), first), (span(10, 20, lead=2), second)
    assert text_of(*cut) == "no no no stop"


def test_of_equal_runs_the_one_at_the_same_time_is_the_seam():
    first = heard(Token("no", 8.1, 8.5), Token(" no", 8.7, 9.1), Token(" no", 9.3, 9.7))
    second = heard(Token("no", 0.7, 1.1), Token(" no", 1.3, 1.7), Token(" stop", 1.9, 2.3))
    cut = (span(0, 10, tail=2), first), (span(10, 20, lead=2), second)
    assert text_of(*cut) == "no no no stop"


def test_what_only_one_side_heard_in_the_overlap_is_kept():
    first, nothing = says("hello world", 8.2, 9.8), heard()
    assert text_of((span(0, 10, tail=2), first), (span(10, 20, lead=2), nothing)) == "hello world"
    later = says("and on", 3.0, 5.0)
    assert (
        text_of((span(0, 10, tail=2), first), (span(10, 20, lead=2), later)) == "hello world and on"
    )
    second = says("hello world", 0.2, 1.8)
    assert text_of((span(0, 10, tail=2), nothing), (span(10, 20, lead=2), second)) == "hello world"


def test_where_times_decide_words_are_spaced_by_what_they_follow():
    # The left side ends in a character that the seam drops; the word after it is Latin like the
    # one that stays.
    first = heard(Token("ok", 8.1, 8.4), Token("天", 9.4, 9.8))
    second = heard(Token("good", 1.3, 1.8), Token(" day", 2.2, 2.6))
    cut = (span(0, 10, tail=2), first), (span(10, 20, lead=2), second)
    assert text_of(*cut) == "ok good day"


def test_scripts_are_joined_as_they_are_written():
    def joined(first: str, second: str) -> str:
        return text_of((span(0, 10), says(first, 1, 2)), (span(10, 20), says(second, 1, 2)))

    assert joined("hello", "world") == "hello world"
    assert joined("你好", "世界") == "你好世界"
    assert joined("hello.", "世界") == "hello.世界"
    assert joined("世界。", "hello") == "世界。hello"


def test_a_space_of_the_engine_is_neither_doubled_nor_put_first():
    tokens = merged(
        (span(0, 10), heard(Token(" hello", 1.0, 2.0))),
        (span(10, 20), heard(Token(" world", 1.0, 2.0))),
    )
    assert [token.text for token in tokens] == ["hello", " world"]


def test_a_segment_without_words_changes_nothing():
    one, other = says("one", 1, 2), says("two", 1, 2)
    cut = (span(0, 10), one), (span(10, 20), heard()), (span(20, 30), other)
    tokens = merged(*cut)
    assert "".join(token.text for token in tokens) == "one two"
    assert [token.start for token in tokens] == [1.0, 21.0]


def test_words_in_the_overlap_wait_for_the_next_segment_or_the_end():
    merger = Merger()
    given_now = merger.add(span(0, 10, tail=2), says("one two three four", 6.0, 10.0))
    assert [token.text for token in given_now] == ["one", " two"]
    assert [token.text for token in merger.finish()] == [" three", " four"]
    assert merger.finish() == ()


def test_times_never_run_backwards_nor_beyond_the_segment():
    wild = heard(Token("a", 5.0, 4.0), Token(" b", 3.0, 99.0), Token(" c", 98.0, 99.0))
    tokens = merged((span(0, 10), wild), (span(10, 12), replace(wild)))
    check_times(tokens)
    assert all(token.start <= 12 for token in tokens)
    assert tokens[2].end == 10
