from __future__ import annotations

import pytest
from hotword_score import CASES, corrections_of, figures_of, many_hotwords, seconds_each

MISSES = {"chinese": 0, "english": 0, "changed, held out": 1}
"""Cases that are known to be missed: what would find them would change ordinary sentences."""


def test_there_are_as_many_cases_as_the_figures_say():
    assert [len(CASES[name]) for name in ("chinese", "english", "unchanged")] == [50, 50, 100]


@pytest.mark.parametrize("further", [0, 5000])
def test_hotwords_are_heard_and_ordinary_sentences_stay(tmp_path, further):
    figures = figures_of(corrections_of(tmp_path, many_hotwords(further)))
    print(figures.right, *figures.wrong, sep="\n")
    assert figures.right["unchanged"] == 100, figures.wrong
    assert figures.right["unchanged, held out"] == 60, figures.wrong
    for name, misses in MISSES.items():
        assert figures.right[name] >= figures.cases[name] - misses, figures.wrong
    missed = [(text, got) for _, text, _, got in figures.wrong]
    assert all(text == got for text, got in missed), "missed is better than wrong"


def test_a_sentence_costs_at_most_20_ms_with_5000_hotwords(tmp_path):
    spent = seconds_each(corrections_of(tmp_path, many_hotwords()))
    assert spent[int(0.95 * len(spent))] < 0.020
