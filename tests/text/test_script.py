from __future__ import annotations

import pytest

from capswriter.text.edits import Edit
from capswriter.text.script import script_edits

PAIRS = [
    ("头发发白，发财", "頭髮發白，發財"),
    ("干燥的树干和若干干部", "乾燥的樹幹和若干幹部"),
    ("皇后以后吃面条", "皇后以後吃麵條"),
    ("一只鸟只是飞了几公里", "一隻鳥只是飛了幾公里"),
    ("这里的软件", "這裡的軟件"),
    ("周末的周总理", "週末的周總理"),
]


def converted(text: str, script) -> str:
    for edit in reversed(script_edits(text, script)):
        text = text[: edit.first] + edit.text + text[edit.stop :]
    return text


@pytest.mark.parametrize(("simplified", "traditional"), PAIRS)
def test_phrases_decide_which_character_is_meant(simplified, traditional):
    assert converted(simplified, "traditional") == traditional
    assert converted(traditional, "simplified") == simplified


@pytest.mark.parametrize(("simplified", "traditional"), PAIRS)
def test_what_is_in_the_wanted_script_stays(simplified, traditional):
    assert script_edits(simplified, "simplified") == []
    assert script_edits(traditional, "traditional") == []
    assert script_edits(simplified, "keep") == script_edits(traditional, "keep") == []


def test_only_characters_that_differ_are_edited():
    assert script_edits("用 Python 写", "traditional") == [Edit(9, 10, "寫")]


def test_zhe_as_a_particle_is_simplified_and_zhu_in_a_word_is_kept():
    assert converted("看著著名的乾隆", "simplified") == "看着著名的乾隆"
