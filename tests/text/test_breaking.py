import pytest

from capswriter.text.breaking import Seam, runs_of
from capswriter.transcript import Token


def seams(text, widest=420):
    runs = runs_of([Token(text, 0.0, 5.0)], widest=widest)
    assert "".join(run.text for run in runs) == text
    return [(run.text, run.seam) for run in runs[:-1]]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Yes. No", [("Yes.", Seam.SENTENCE)]),
        (
            'He said "go." Then',
            [("He", Seam.WORD), (" said", Seam.WORD), (' "go."', Seam.SENTENCE)],
        ),
        ("Mr. Smith", [("Mr.", Seam.WORD)]),
        ("the U.S. of", [("the", Seam.WORD), (" U.S.", Seam.WORD)]),
        ("well, yes", [("well,", Seam.CLAUSE)]),
        ("好，的", [("好，", Seam.CLAUSE)]),
        ("好。」他", [("好。」", Seam.SENTENCE)]),
        ("本を読む", [("本", Seam.WORD), ("を", Seam.PHRASE), ("読", Seam.WORD)]),
        ("don't 3.14%", [("don't", Seam.WORD)]),
        ("ça va ?", [("ça", Seam.WORD)]),
    ],
)
def test_seams_follow_punctuation_and_script(text, expected):
    assert seams(text) == expected


def test_a_silence_of_half_a_second_is_a_pause():
    tokens = [Token("so", 0.0, 0.3), Token(" we", 0.8, 1.0), Token(" go", 1.4, 1.6)]
    assert [run.seam for run in runs_of(tokens, widest=420)][:2] == [Seam.PAUSE, Seam.WORD]


def test_punctuation_with_the_time_of_the_next_word_does_not_hide_a_pause():
    tokens = [Token("好", 0.0, 0.3), Token("，", 2.0, 2.0), Token("的", 2.0, 2.3)]
    first = runs_of(tokens, widest=420)[0]
    assert (first.end, first.seam) == (0.3, Seam.PAUSE)


def test_a_word_wider_than_a_line_is_cut_and_shares_its_time_out():
    runs = runs_of([Token("x" * 100, 0.0, 10.0)], widest=420)
    assert [len(run.text) for run in runs] == [42, 42, 16]
    assert [run.seam for run in runs[:2]] == [Seam.INSIDE, Seam.INSIDE]
    assert [run.start for run in runs] == pytest.approx([0.0, 4.2, 8.4])


def test_white_space_alone_has_no_runs():
    assert runs_of([Token("  ", 0.0, 1.0)], widest=420) == []
