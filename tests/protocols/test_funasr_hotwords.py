"""FunASR's hotwords in all the forms its clients send."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from capswriter.protocols.funasr_hotwords import (
    DEFAULT_WEIGHT,
    LONGEST,
    MOST,
    BadHotwords,
    parse_hotwords,
)

D = DEFAULT_WEIGHT


@pytest.mark.parametrize(
    ("sent", "words"),
    [
        ("", ()),
        ("   ", ()),
        ("{}", ()),
        ('{"阿里巴巴":20,"hello world":30}', (("阿里巴巴", 20), ("hello world", 30))),
        ('{"抢手":"100","b":"x"}', (("抢手", 100), ("b", D))),  # Java
        ('{"a":1.5,"b":null,"c":true,"d":[1],"e":""}', (("a", 1.5), *((w, D) for w in "bcde"))),
        (' {"a":-5} ', (("a", -5),)),
        ('{" a ":1,"  ":2}', (("a", 1),)),
        ('["a","b c"]', (("a", D), ("b c", D))),
        ("阿里巴巴,通义实验室", (("阿里巴巴", D), ("通义实验室", D))),
        ("hello world, b，c、d", (("hello world", D), ("b", D), ("c", D), ("d", D))),
        ("a, ,b,", (("a", D), ("b", D))),
        ("阿里巴巴 通义 hello", (("阿里巴巴", D), ("通义", D), ("hello", D))),
        ("one", (("one", D),)),
        ("20", (("20", D),)),
        ("阿里巴巴 20", (("阿里巴巴", 20),)),
        ("阿里巴巴 20\n", (("阿里巴巴", 20),)),
        ("a 20 b 30", (("a", D), ("20", D), ("b", D), ("30", D))),
        ("阿里巴巴 20\n通义 30\r\n\r\nb", (("阿里巴巴", 20), ("通义", 30), ("b", D))),
        ("hello world 20\nnew york\n7", (("hello world", 20), ("new york", D), ("7", D))),
        ("a 20,b 30", (("a", 20), ("b", 30))),
        ("a 0\nb c\t20 ", (("a", 0), ("b c", 20))),
        ("a nan\nb inf", (("a nan", D), ("b inf", D))),
        ({"a": 1}, (("a", 1),)),
        (["a"], (("a", D),)),
    ],
    ids=repr,
)
def test_every_form_is_understood(sent, words):
    assert parse_hotwords(sent) == words


def test_the_last_weight_of_a_word_counts():
    assert parse_hotwords("a 1\nb 2\na 3") == (("a", 3), ("b", 2))


@pytest.mark.parametrize("sent", ["{'a': 1}", '{"a":', "[1,2]", "{", [1], 5, True], ids=repr)
def test_what_is_no_hotwords_is_told_in_one_line(sent):
    with pytest.raises(BadHotwords, match="hotwords are") as refusal:
        parse_hotwords(sent)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("between", [" ", ",", "\n", " 5\n"], ids=repr)
def test_too_many_words_cost_little_and_the_first_ones_count(between):
    words = parse_hotwords(between.join(map(hex, range(100_000))))
    assert [word for word, _ in words] == list(map(hex, range(MOST)))


def test_a_word_that_is_too_long_is_left_out():
    assert parse_hotwords(json.dumps({"a" * LONGEST: 1, "b" * (LONGEST + 1): 1})) == (
        ("a" * LONGEST, 1),
    )


@given(st.text(max_size=60) | st.text("ab1 ,\n{}[]\":'", max_size=60))
def test_any_string_is_understood_or_refused(sent):
    try:
        words = parse_hotwords(sent)
    except BadHotwords:
        assert sent.strip()[0] in "{["
    else:
        assert all(word == word.strip() and 0 < len(word) <= LONGEST for word, _ in words)
        assert len(dict(words)) == len(words)


@given(st.dictionaries(st.text("abc 通义", min_size=1, max_size=9), st.integers(-100, 100)))
def test_an_object_arrives_as_it_was_sent(weights):
    expected = {word.strip(): weight for word, weight in weights.items() if word.strip()}
    assert dict(parse_hotwords(json.dumps(weights))) == expected
