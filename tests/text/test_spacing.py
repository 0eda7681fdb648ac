from __future__ import annotations

import pytest

from capswriter.text.spacing import needs_space, space_edits


def spaced(text: str) -> str:
    for edit in reversed(list(space_edits(text))):
        text = text[: edit.first] + edit.text + text[edit.stop :]
    return text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("用Python写", "用 Python 写"),
        ("打开PDF文件和README.md文件", "打开 PDF 文件和 README.md 文件"),
        ("去café喝", "去 café 喝"),
        ("㐀a𠀀b", "㐀 a 𠀀 b"),
    ],
)
def test_han_characters_and_letters_get_a_space(text, expected):
    assert spaced(text) == expected
    assert spaced(expected) == expected


@pytest.mark.parametrize(
    "text",
    [
        "2024年的3.5%和1/3",
        "用 Python 写",
        "他说：“OK”，《yes》。",
        "买A股，在B站看T恤、U盘和K线",
        "plain English",
        "ひらがなabcカタカナ",
        "한국어abc",
        "",
    ],
)
def test_digits_punctuation_words_of_both_and_other_scripts_stay(text):
    assert spaced(text) == text


def test_a_number_in_a_name_is_a_digit_and_a_longer_word_is_no_single_capital():
    assert spaced("iPhone15的GPU股票") == "iPhone15的 GPU 股票"


def test_a_border_between_two_texts_is_looked_at_too():
    assert needs_space("我们用", "Python")
    assert needs_space("Python", "很好")
    assert not needs_space("我们用", " Python")
    assert not needs_space("我们用", "他们")
    assert not needs_space("", "Python")
