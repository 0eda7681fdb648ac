from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from itn_score import phrases

from capswriter.text.chinese_numerals import about, value, written
from capswriter.text.itn import normalised, number_edits

ALPHABET = "零〇幺一二两三四五六七八九十百千万亿点分之比负到年月日号块度米个几第周后第半，A兩萬 "
WORDS = "one two twenty hundred thousand million point and oh first second percent am a"


@pytest.mark.parametrize("phrase", phrases("chosen before"), ids=lambda phrase: phrase["spoken"])
def test_what_was_chosen_before_the_rules_comes_out_as_written(phrase):
    assert normalised(phrase["spoken"]) == phrase["written"]


@pytest.mark.parametrize("phrase", phrases("held out"), ids=lambda phrase: phrase["spoken"])
def test_what_was_held_out_comes_out_as_the_documentation_says(phrase):
    assert normalised(phrase["spoken"]) == phrase.get("known", phrase["written"])


@pytest.mark.parametrize(
    ("spoken", "expected"),
    [
        ("等十分钟，得了十分", "等10分钟，得了十分"),
        ("几十万、数十万、好几百", "几十万、数十万、好几百"),
        ("二十几岁，一百二十几", "二十几岁，一百二十几"),
        ("分成二十份，加上三十", "分成20份，加上30"),
        ("每周二十小时", "每周20小时"),
        ("周一到周五，星期二", "周一到周五，星期二"),
        ("农历八月十五和正月十五", "农历八月十五和正月十五"),
        ("早一点三个人到，便宜一点一起买", "早一点三个人到，便宜一点一起买"),
        ("三点十分重要的意见", "三点十分重要的意见"),
        ("下午三点十分", "下午3点10分"),
        ("晚上七点到九点", "晚上7点到9点"),
        ("身高一米七五，三十八度五", "身高1米75，38度5"),
        ("三块五花肉，三块一个", "三块五花肉，三块一个"),
        ("胜负一目了然，负五度", "胜负一目了然，-5度"),
        ("用python三点十一", "用python3.11"),
        ("三比二，二十比三十大", "3:2，20比30大"),
        ("五六年，二三年级，九八年", "五六年，二三年级，98年"),
        ("十一假期，双十一，党的二十大", "十一假期，双十一，党的二十大"),
        ("百分之三到五，千分之三，百分之百", "3%到5%，3‰，100%"),
        ("一千零一夜，九九八十一难", "一千零一夜，九九八十一难"),
        ("一二三开始，三四五个", "一二三开始，三四五个"),
        ("三亿五千万，一亿两千三百万零五", "3亿5000万，123000005"),
        ("兩萬五千人，三百萬元，下午三點半", "25000人，300萬元，下午3點半"),
        ("我有twenty three个苹果", "我有23个苹果"),
        (
            "a thirty second video and a hundred and fifty",
            "a thirty second video and a hundred and fifty",
        ),
        ("the twenty-third, one hundred and first, fourth", "the 23rd, 101st, fourth"),
        ("nineteen oh five, twenty twenty four, two thousand and eight", "1905, 2024, 2008"),
        ("three hundred thousand two hundred", "300,200"),
        ("at ten thirty a.m. for ten euros", "at 10:30 a.m. for €10"),
        ("call nine one one, one two three go", "call 911, one two three go"),
        ("one billion two hundred million", "1,200,000,000"),
        (
            "someone phoned ninety-nine's twenty-year-old",
            "someone phoned ninety-nine's 20-year-old",
        ),
    ],
)
def test_the_neighbours_of_a_number_decide(spoken, expected):
    assert normalised(spoken) == expected


@given(st.integers(0, 99_999_999))
def test_a_whole_number_read_aloud_is_read_back(number):
    assert value(read_aloud(number)) == number


def read_aloud(number: int) -> str:
    """The plain textbook way: every unit said, one 零 for any gap."""
    if number >= 10_000:
        above, below = divmod(number, 10_000)
        gap = "零" if 0 < below < 1000 else ""
        return read_aloud(above) + "万" + (gap + read_aloud(below) if below else "")
    said, gap = "", False
    for unit, name in ((1000, "千"), (100, "百"), (10, "十"), (1, "")):
        digit = number // unit % 10
        if digit:
            said += "零" * (gap and bool(said)) + "零一二三四五六七八九"[digit] + name
        gap = not digit
    return said or "零"


@pytest.mark.parametrize(
    ("numeral", "expected"),
    [
        ("十五六", "15~16"),
        ("两三万", "2~3万"),
        ("一百五六", "150~160"),
        ("五六", None),
        ("三两百", None),
    ],
)
def test_an_approximate_number_is_a_range(numeral, expected):
    assert about(numeral) == expected


@pytest.mark.parametrize(
    "numeral", ["", "万", "十十", "九九八十一", "一百零", "亿万", "一二", "万三"]
)
def test_what_is_no_well_formed_number_is_none(numeral):
    assert value(numeral) is None
    assert written(numeral) is None


@settings(max_examples=500)
@given(
    st.text(st.sampled_from(ALPHABET), max_size=40)
    | st.lists(st.sampled_from(WORDS.split()), max_size=12).map(" ".join)
)
def test_edits_are_in_order_lie_in_the_text_and_change_it(text):
    place = 0
    for edit in number_edits(text):
        assert place <= edit.first < edit.stop <= len(text)
        assert edit.text
        assert edit.text != text[edit.first : edit.stop]
        place = edit.stop


@given(
    st.text(st.sampled_from(ALPHABET), max_size=30)
    | st.lists(st.sampled_from(WORDS.split()), max_size=12).map(" ".join)
)
def test_digits_that_are_there_are_never_changed(text):
    kept = f"1984{text}1984"
    assert normalised(kept).startswith("1984")
    assert normalised(kept).endswith("1984")
