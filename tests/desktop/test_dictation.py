"""Dictation end to end: a real keyboard, microphone, server and text field; driven from outside.

What is dictated has to be what the same server makes of the recording.
"""

from __future__ import annotations

import os
import re
import shutil
import time

import numpy as np
import pytest

pytest.importorskip("Xlib", reason="python-xlib is not installed")

from desktop.clients import LATENCY_S, arrives, hold, plain
from desktop.x_server import Window, until
from recordings import samples_of

from capswriter.audio import SAMPLE_RATE
from capswriter.dictation.journal import State

pytestmark = [pytest.mark.model, pytest.mark.timeout(240)]


def test_what_is_said_while_caps_lock_is_held_is_in_the_text_field(
    dictate, hand, sound, text_field, sentence, texts
):
    client = dictate()
    hold(hand, sound, sentence)
    client.until_states(State.DELIVERED)
    wanted = plain(texts(sentence))
    arrives(text_field, client, wanted)
    assert not hand.capitals()
    [times] = client.times()
    assert times["first sample"] < -0.2


def test_chinese_is_typed_as_it_is_recognised(dictate, hand, sound, text_field, speech, texts):
    client = dictate()
    chinese = samples_of(speech / "zh_mid.wav")
    hold(hand, sound, chinese)
    client.until_states(State.DELIVERED)
    wanted = plain(texts(chinese))
    arrives(text_field, client, wanted)
    assert re.search(r"[\u4e00-\u9fff]", text_field.text)


def test_a_tap_toggles_capitals_and_escape_types_nothing_of_what_was_said(
    dictate, hand, sound, text_field, sentence
):
    client = dictate()
    for is_on in (True, False):
        hand.tap("Caps_Lock")
        until(lambda is_on=is_on: hand.capitals() == is_on, "the tap")
    hand.down("Caps_Lock")
    sound.play(sentence, SAMPLE_RATE)
    hand.tap("Escape")
    client.until_states(*[State.CANCELLED] * 3)
    hand.up("Caps_Lock")
    time.sleep(2)  # in which it would be recognised
    assert not hand.capitals()
    assert text_field.text == ""


def test_two_shortcuts_one_toggles_and_one_does_both(
    dictate, hand, sound, text_field, sentence, texts
):
    client = dictate("--shortcut", "f9:toggle", "--shortcut", "f8:auto")
    short = sentence[: 3 * SAMPLE_RATE]
    wanted = ""
    for number, (key, is_tapped) in enumerate([("F9", True), ("F8", True), ("F8", False)], 1):
        if is_tapped:
            hand.tap(key)
            sound.play(short, SAMPLE_RATE)
            time.sleep(LATENCY_S)
            hand.tap(key)
        else:
            hold(hand, sound, short, key)
        client.until_states(*[State.DELIVERED] * number)
        wanted += texts(short)
        arrives(text_field, client, plain(wanted))


def test_commands_dictate_without_any_key(dictate, sound, text_field, sentence, texts):
    client = dictate("--keys", "none")
    assert client.tell("toggle") == "started"
    sound.play(sentence, SAMPLE_RATE)
    time.sleep(LATENCY_S)
    assert client.tell("toggle") == "stopped"
    client.until_states(State.DELIVERED)
    wanted = plain(texts(sentence))
    arrives(text_field, client, wanted)


def test_a_text_whose_window_lost_the_focus_goes_to_the_clipboard(
    dictate, hand, sound, text_field, sentence, texts, display
):
    if shutil.which("xclip") is None:
        pytest.skip("not installed: xclip")
    client = dictate()
    hold(hand, sound, sentence)
    client.until_shown("waiting for the text")
    time.sleep(0.05)  # in which it is noted who has the focus; the tail alone takes 0.2 s
    other = Window(display)
    try:
        client.until_states(State.DELIVERED)
        client.until_shown("moved")
        copied = hand.run("xclip", "-o", "-selection", "clipboard")
        assert plain(copied) == plain(texts(sentence))
        assert text_field.text == ""
        assert other.pressed() == []
    finally:
        other.close()


def test_ten_dictations_in_a_row_leave_nothing_behind(
    dictate, hand, sound, text_field, sentence, texts, display
):
    client = dictate()
    short = sentence[: 3 * SAMPLE_RATE]
    for _ in range(10):
        hold(hand, sound, short)
    client.until_states(*[State.DELIVERED] * 10)
    wanted = plain(texts(short))
    assert [plain(record.text) for record in client.records()] == 10 * [wanted]
    arrives(text_field, client, 10 * wanted)
    assert not hand.capitals()
    window = Window(display)
    try:
        assert window.keys_down() == []
        assert window.modifiers() == 0
    finally:
        window.close()
    assert client.end() == 0
    assert sound.recorders() == []


@pytest.mark.timeout(3600)  # it takes a minute for each round
def test_figures(dictate, hand, sound, text_field, samples):
    """How long each step takes; ``scripts/bench-dictation`` prints it."""
    rounds = int(os.environ.get("CAPSWRITER_TEST_ROUNDS", "0"))
    if not rounds:
        pytest.skip("scripts/bench-dictation measures")
    client, whole = dictate(), samples_of(samples / "01.mp3")
    done = 0
    for seconds in (2, 10, 30):
        for _ in range(rounds):
            hold(hand, sound, whole[: seconds * SAMPLE_RATE])
            done += 1
            client.until_states(*[State.DELIVERED] * done)
        until(lambda done=done: len(client.times()) == done, "the times")
        found = client.times()[-rounds:]
        for step in found[0]:
            p50, p95 = np.percentile([each[step] for each in found], [50, 95])
            print(f"{seconds:3} s  {step:16} p50 {p50:7.3f} s  p95 {p95:7.3f} s")
