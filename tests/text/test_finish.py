from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from capswriter.text import finish as module
from capswriter.text.finish import Finishing, Passage, finish
from capswriter.transcript import Token

ALL = Finishing(script="traditional")
NOTHING = Finishing(itn=False, spacing=False)


def tokens(*texts: str, at: float = 0.0) -> tuple[Token, ...]:
    return tuple(Token(text, at + n, at + n + 1.0) for n, text in enumerate(texts))


def text_of(result) -> str:
    return "".join(token.text for token in result)


def finished(text: str, language: str = "", finishing: Finishing = ALL) -> str:
    return text_of(finish([Passage(language, tokens(*text))], finishing))


def test_numbers_script_and_spaces_are_all_done_and_times_stay():
    said = tokens("用", "Python", "写", "了", "二", "十", "三", "行", "。")
    assert finish([Passage("zh", said)], ALL) == (
        said[0],
        Token(" Python", 1.0, 2.0),
        Token(" 寫", 2.0, 3.0),
        said[3],
        Token("23", 4.0, 7.0),
        *said[7:],
    )


@pytest.mark.parametrize(
    ("finishing", "expected"),
    [
        (NOTHING, "写三百行code"),
        (Finishing(itn=True, spacing=False), "写300行code"),
        (Finishing(itn=False, spacing=True), "写三百行 code"),
        (Finishing(itn=False, spacing=False, script="traditional"), "寫三百行code"),
    ],
)
def test_each_can_be_had_alone(finishing, expected):
    assert finished("写三百行code", "zh", finishing) == expected


@pytest.mark.parametrize("language", ["ja", ""])
def test_japanese_stays_as_it_is_also_where_nobody_says_that_it_is_japanese(language):
    text = "私は二十三歳です。三百万円。Pythonを使う国"
    assert finished(text, language) == text


def test_a_japanese_sentence_in_a_chinese_talk_stays_but_one_kana_does_not_make_one():
    chinese = "我们在这家名字里有一个の的商店里一共花了三百二十块钱"
    text = f"私は二十三歳です。{chinese}。"
    expected = chinese.replace("三百二十", "320")
    assert finished(text, "zh", Finishing()) == f"私は二十三歳です。{expected}。"


def test_korean_and_other_languages_keep_their_numbers():
    assert finished("삼백 twenty three 三百", "ko") == "삼백 twenty three 三百"
    assert finished("twenty three 三百", "de") == "twenty three 三百"


def test_each_passage_is_finished_in_its_own_language_and_the_border_gets_its_space():
    result = finish(
        [
            Passage("zh", tokens("三百", "行")),
            Passage("zh", ()),
            Passage("en", tokens("Python", " twenty", at=5)),
            Passage("ja", tokens("二十三", at=9)),
        ],
        Finishing(),
    )
    assert text_of(result) == "300行 Python 20二十三"


def test_a_number_over_two_passages_of_a_language_is_one_number():
    passages = [Passage("zh", tokens("一百")), Passage("zh", tokens("二十", at=30))]
    assert finish(passages, Finishing()) == (Token("120", 0.0, 31.0),)


def test_nothing_at_all_gives_nothing():
    assert finish([], ALL) == finish([Passage("zh", ())], ALL) == ()


@settings(max_examples=300)
@given(
    st.lists(
        st.text(st.sampled_from("二十三百万点分之年写头发，。 abz5%のー"), min_size=1, max_size=5),
        max_size=40,
    ),
    st.sampled_from(["zh", "en", "", "ja"]),
    st.booleans(),
)
def test_starts_never_decrease_and_what_has_no_change_is_the_same_token(texts, language, overlap):
    said = tuple(
        Token(text, n / 4, n / 4 + (1.0 if overlap else 0.25)) for n, text in enumerate(texts)
    )
    result = finish([Passage(language, said)], ALL)
    starts = [token.start for token in result]
    assert starts == sorted(starts)
    assert all(token.end >= token.start for token in result)
    assert finish([Passage(language, said)], NOTHING) == said
    again = finish([Passage("ja", said)], ALL)
    assert again == said


def test_a_text_is_cut_into_paragraphs_and_sentences_only_where_no_number_is(monkeypatch):
    monkeypatch.setattr(module, "PARAGRAPH", 20)
    monkeypatch.setattr(module, "LONGEST_SENTENCE", 30)
    text = "这里的价格是一千二百三十四块钱而我们的预算是百分之二十三点五所以他们买了两百五十台" * 40
    expected = text.replace("一千二百三十四", "1234").replace("百分之二十三点五", "23.5%")
    assert finished(text, "zh", Finishing()) == expected.replace("两百五十", "250")


def test_english_without_punctuation_is_cut_between_words(monkeypatch):
    monkeypatch.setattr(module, "PARAGRAPH", 40)
    monkeypatch.setattr(module, "LONGEST_SENTENCE", 60)
    said = " it is one of the twenty three that grew to nineteen percent in two thousand and eight"
    words = [f" {word}" for word in said.split()] * 30
    result = text_of(finish([Passage("en", tokens(*words))], Finishing()))
    assert result == " it is one of the 23 that grew to 19% in 2008" * 30


@pytest.mark.parametrize(
    "unit",
    [
        "今天我们讨论头发的问题，用Python写了二十三个程序，增长了百分之五十。",
        "今天我们讨论头发的问题用Python写了二十三个程序",
        "一点",
        "二零",
        " one hundred and",
        " ",
    ],
)
def test_the_work_is_linear_in_the_length(unit):
    def seconds(length: int) -> float:
        said = tokens(*(unit * (length // len(unit))))
        best = 1e9
        for _ in range(3):
            began = time.thread_time()
            finish([Passage("zh", said)], ALL)
            best = min(best, time.thread_time() - began)
        return best

    finished("写", "zh")  # loads the tables
    # Four times the text: 4 if it is linear, 16 if it is quadratic.
    assert seconds(40_000) / seconds(10_000) < 8
