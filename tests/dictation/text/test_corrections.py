from __future__ import annotations

import logging
import os
import subprocess
import sys
import time

import pytest

from capswriter.dictation.text.corrections import Corrections


@pytest.fixture
def corrections_with(tmp_path):
    def made(hot="", rules="", **options):
        (tmp_path / "hot.txt").write_text(hot, encoding="utf-8")
        (tmp_path / "hot-rule.txt").write_text(rules, encoding="utf-8")
        return Corrections(tmp_path / "hot.txt", tmp_path / "hot-rule.txt", **options)

    return made


def test_without_files_texts_stay():
    assert (
        Corrections(None, None).apply("我用 python 写代码，你呢？") == "我用 python 写代码，你呢？"
    )


def test_an_excluded_word_near_by_forbids_a_change(corrections_with):
    corrections = corrections_with("康辉 ~~~ 油漆 | Paint")
    assert corrections.apply("请康灰来一趟") == "请康辉来一趟"
    assert corrections.apply("买一桶康灰油漆来") == "买一桶康灰油漆来"
    assert corrections.apply("康灰 paint 不错") == "康灰 paint 不错"
    assert corrections.apply("油漆是一样的东西但是请康灰来") == "油漆是一样的东西但是请康辉来"


def test_nothing_changes_inside_a_protected_phrase(corrections_with):
    corrections = corrections_with("康辉\n~~~ 康灰色 | cloud code red\nClaude Code")
    assert corrections.apply("刷成康灰色，请康灰来") == "刷成康灰色，请康辉来"
    assert (
        corrections.apply("a cloud code red, use cloud code") == "a cloud code red, use Claude Code"
    )


def test_what_is_added_to_a_hotword_stays(corrections_with):
    corrections = corrections_with("SenseVoice\nClaude Code")
    assert corrections.apply("SenseVoice's texts, two claude codes") == (
        "SenseVoice's texts, two claude codes"
    )
    assert corrections.apply("sense voice's texts") == "SenseVoice's texts"


def test_ordinary_english_words_are_hotwords_where_they_stand_alone(corrections_with):
    corrections = corrections_with("WHO\nAfter Effects\nPython")
    assert corrections.apply("这是 who 的建议，用 after effects 做") == (
        "这是 WHO 的建议，用 After Effects 做"
    )
    for text in ("those who know", "the after effects of it", "he saw a python there"):
        assert corrections.apply(text) == text


def test_the_formats_of_capswriter_are_read_as_they_are(corrections_with):
    corrections = corrections_with(
        "# 游资\n*ST国华\n五 粮 液\n3M\n.md | 点MD | ，点MD\nBiBi-Keyboard | bb keyboard\n"
        "Qwen3-ASR-1.7B | 千问ASR1.7B | 千问3ASR1.7B\nCUDA | 酷的 | kuda \nC++ | C加加\n"
    )
    assert corrections.warnings == ()
    for text, expected in [
        ("ST 果华涨停了", "*ST国华涨停了"),
        ("买点无粮液吧", "买点五 粮 液吧"),
        ("长 3 m 宽 2 m", "长 3 m 宽 2 m"),
        ("说明文件，点 md", "说明文件.md"),
        ("打开 bb keyboard", "打开 BiBi-Keyboard"),
        ("千问 3 ASR 1.7 B 的模型", "Qwen3-ASR-1.7B 的模型"),
        ("用酷的来加速", "用 CUDA 来加速"),
        ("残酷的现实", "残酷的现实"),
        ("学 C 加加", "学 C++"),
    ]:
        assert corrections.apply(text) == expected


def test_numbers_are_no_names(corrections_with):
    assert corrections_with("施思怡").apply("全国有十四亿人口") == "全国有十四亿人口"


def test_the_longer_hotword_wins(corrections_with):
    corrections = corrections_with("Claude | cloud\nClaude Code\n中信\n中信证券")
    assert corrections.apply("用 cloud code 和 cloud") == "用 Claude Code 和 Claude"
    assert corrections.apply("买中心证券") == "买中信证券"


def test_a_hotword_that_stands_there_keeps_others_away(corrections_with):
    corrections = corrections_with("张伟明\n章伟明")
    assert corrections.apply("请章伟明发言") == "请章伟明发言"
    assert corrections.apply("请章为明发言") == "请张伟明发言"


def test_hotwords_in_latin_letters_are_set_off_unless_told_otherwise(corrections_with):
    hot = "Claude | 克劳德"
    assert corrections_with(hot).apply("用克劳德写，克劳德好") == "用 Claude 写，Claude 好"
    assert corrections_with(hot, spacing=False).apply("用克劳德写") == "用Claude写"


def test_addresses_and_names_of_files_stay(corrections_with):
    corrections = corrections_with("GitHub\nPython\nconfig_client.py | config_client")
    for text in ("见 github.com/abc/python 的说明", "me@github", "python.exe", r"C:\python\lib"):
        assert corrections.apply(text) == text
    assert corrections.apply("打开 config_client 看看") == "打开 config_client.py 看看"


@pytest.mark.parametrize(
    ("rule", "text", "expected"),
    [
        ("毫安时     =      mAh", "有5000毫安时的大电池", "有5000mAh的大电池"),
        (r"(艾特)\s*(\w+)\s*(点)\s*(\w+)    =    @\2.\4", "发给艾特 abc 点 com", "发给@abc.com"),
        ("\\/sil   =   ", "你好/sil吗朋友", "你好吗朋友"),
        ("\\/sil =", "你好/sil吗朋友", "你好吗朋友"),
        (r"[，。]?回车$ = \n", "写完了，回车", "写完了\n"),
        (r"(^句号[，。]?)|([，。]?句号$)       =    。", "今天到此为止，句号。", "今天到此为止。"),
        (r"空格 = \s", "甲空格乙", "甲 乙"),
        ("(a)|b = [\\1]", "ab", "[a][]"),
        ("  # 甲 = 乙", "甲", "甲"),
    ],
)
def test_rules_are_those_of_capswriter(corrections_with, rule, text, expected):
    corrections = corrections_with(rules=rule)
    assert corrections.apply(text) == expected
    assert corrections.warnings == ()


def test_a_long_text_costs_in_proportion_to_its_length(corrections_with):
    corrections = corrections_with("Claude Code\n康辉")
    corrections.apply("cloud code，康灰")
    spent = []
    for repeats in (500, 4000):
        begun = time.perf_counter()
        assert (
            corrections.apply("cloud code，康灰。" * repeats).count("Claude Code，康辉") == repeats
        )
        spent.append(time.perf_counter() - begun)
    assert spent[1] < 30 * spent[0]


def test_rules_apply_in_their_order_after_hotwords(corrections_with):
    corrections = corrections_with("康辉", "康辉 = 主持人\n主持人 = 他")
    assert corrections.apply("请康灰来") == "请他来"


def test_what_is_broken_is_named_once_and_the_rest_works(corrections_with, caplog, tmp_path):
    hot = "# a comment\n| 别名\n康辉\n***\nV | 伏\n~~~\nC++\n"
    rules = "( = x\n甲 = 乙\nno rule\n丙 = \\7\n = 空\n(a{1000}){1000} = b\n"
    with caplog.at_level(logging.WARNING):
        corrections = corrections_with(hot, rules)
        assert corrections.apply("甲请康灰来") == "乙请康辉来"
        assert corrections.apply("甲请康灰来") == "乙请康辉来"
    named = [warning.split(": ")[0] for warning in corrections.warnings]
    assert named == [
        *(f"{tmp_path / 'hot.txt'}, line {line}" for line in (2, 4, 5, 6)),
        *(f"{tmp_path / 'hot-rule.txt'}, line {line}" for line in (1, 3, 4, 5, 6)),
    ]
    assert [record.getMessage() for record in caplog.records] == list(corrections.warnings)


def test_a_pattern_that_explodes_is_put_aside(corrections_with):
    corrections = corrections_with(rules="(x+x+)+y = z\n甲 = 乙")
    text = "甲" + "x" * 2000
    begun = time.monotonic()
    for _ in range(5):
        assert corrections.apply(text) == "乙" + "x" * 2000
    assert time.monotonic() - begun < 5
    (warning,) = corrections.warnings
    assert "hot-rule.txt, line 1" in warning


def test_a_rule_that_makes_a_text_huge_is_put_aside(corrections_with):
    doubling = "\n".join([r"(.+) = \1\1\1\1"] * 12)
    corrections = corrections_with(rules=doubling)
    assert len(corrections.apply("你好" * 10)) < 100_000
    assert corrections.warnings


def test_changed_files_are_taken_up_and_vanished_ones_forgotten(corrections_with, tmp_path):
    corrections = corrections_with("康辉\n", "甲 = 乙\n")
    hot, rules = tmp_path / "hot.txt", tmp_path / "hot-rule.txt"
    assert corrections.apply("甲康灰") == "乙康辉"
    hot.write_text("康徽\n", encoding="utf-8")
    assert corrections.apply("甲康灰") == "乙康徽"
    rules.write_text("甲 = 丙\n(\n", encoding="utf-8")
    assert corrections.apply("甲康灰") == "丙康徽"
    assert len(corrections.warnings) == 1
    rules.unlink()
    assert corrections.apply("甲康灰") == "甲康徽"
    assert corrections.warnings == ()
    hot.unlink()
    assert corrections.apply("甲康灰") == "甲康灰"
    hot.write_text("康辉\n", encoding="utf-8")
    assert corrections.apply("甲康灰") == "甲康辉"


def test_a_file_that_settled_is_read_again_when_only_its_time_changes(corrections_with, tmp_path):
    corrections = corrections_with("康辉")
    path = tmp_path / "hot.txt"
    os.utime(path, (1_000_000_000, 1_000_000_000))
    assert corrections.apply("康灰来了") == "康辉来了"
    path.write_text("康徽", encoding="utf-8")
    os.utime(path, (1_000_000_100, 1_000_000_100))
    assert corrections.apply("康灰来了") == "康徽来了"


@pytest.mark.parametrize("encoding", ["utf-8-sig", "gb18030"])
def test_files_of_windows_editors_are_read(tmp_path, encoding):
    path = tmp_path / "hot.txt"
    path.write_bytes("康辉\r\n乐清\r\n".encode(encoding))
    assert Corrections(path, None).apply("康灰去月清") == "康辉去乐清"


def test_what_is_no_text_is_named(tmp_path):
    path = tmp_path / "hot.txt"
    path.write_bytes(b"\xff\xfe\x00\x80\xff")
    rules = tmp_path / "folder"
    rules.mkdir()
    corrections = Corrections(path, rules)
    assert corrections.apply("照旧好了") == "照旧好了"
    assert [str(path) in corrections.warnings[0], str(rules) in corrections.warnings[1]] == [
        True
    ] * 2


def test_a_missing_package_is_named_and_texts_stay(tmp_path):
    (tmp_path / "hot.txt").write_text("康辉\n", encoding="utf-8")
    (tmp_path / "hot-rule.txt").write_text("甲 = 乙\n", encoding="utf-8")
    program = """
import sys
from pathlib import Path
for name in ("pypinyin", "rapidfuzz", "rjieba", "regex", "jellyfish", "spellchecker"):
    sys.modules[name] = None
from capswriter.dictation.text.corrections import Corrections
corrections = Corrections(Path("hot.txt"), Path("hot-rule.txt"))
assert corrections.apply("甲康灰") == "甲康灰"
for warning in corrections.warnings:
    assert "pip install 'capswriter-server[dictate]'" in warning, warning
assert len(corrections.warnings) == 2, corrections.warnings
"""
    subprocess.run([sys.executable, "-c", program], cwd=tmp_path, check=True, timeout=60)


def test_the_final_mark_goes_first_so_that_a_rule_may_write_one(corrections_with):
    corrections = corrections_with(rules="句号$ = 。")
    assert corrections.apply("到此为止句号。") == "到此为止。"


@pytest.mark.parametrize(
    ("up_to", "text", "expected"),
    [
        (8, "好的。", "好的"),
        (8, "好的，", "好的"),
        (8, "See you.", "See you"),
        (8, "See you. ", "See you"),
        (8, "好吗？", "好吗？"),
        (8, "等等……", "等等……"),
        (8, "wait...", "wait..."),
        (8, "the U.S.", "the U.S."),
        (8, "一二三四五六七八。", "一二三四五六七八"),
        (8, "一二三四五六七八九。", "一二三四五六七八九。"),
        (0, "好的。", "好的。"),
        (0, "。", "。"),
        (8, "。", ""),
        (8, "", ""),
    ],
)
def test_short_utterances_lose_their_final_mark(up_to, text, expected):
    assert Corrections(None, None, bare_up_to=up_to).apply(text) == expected
