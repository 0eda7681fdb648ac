import pytest

from capswriter.text.characters import LATIN_WIDTH, WIDE_WIDTH, may_break, width


def test_twenty_cjk_characters_are_as_wide_as_forty_two_latin_ones():
    assert width("语" * 20) == width("x" * 42)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a語", LATIN_WIDTH + WIDE_WIDTH),
        ("。", WIDE_WIDTH),
        ("한", WIDE_WIDTH),
        ("e\N{COMBINING ACUTE ACCENT}", LATIN_WIDTH),
        ("\uff76", LATIN_WIDTH),  # half-width katakana
    ],
)
def test_width_follows_what_the_screen_shows(text, expected):
    assert width(text) == expected


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("好", "。"),  # a closing mark begins no line
        ("「", "你"),  # an opening mark ends none
        ("a", "b"),
        ("-", "b"),
        ("コ", "ン"),
        ("ち", "ょ"),
        ("0", "%"),
        ('"', "你"),
    ],
)
def test_no_line_ends_between(left, right):
    assert not may_break(left, right, spaced=False)


@pytest.mark.parametrize(("left", "right"), [("你", "好"), ("。", "你"), ("好", "W"), ("は", "コ")])
def test_a_line_may_end_between(left, right):
    assert may_break(left, right, spaced=False)


def test_a_french_question_mark_stays_with_its_sentence():
    assert not may_break("a", "?", spaced=True)
    assert may_break("a", "b", spaced=True)
