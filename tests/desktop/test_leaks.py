"""After a hundred dictations and cancels everything is as it was before."""

from __future__ import annotations

import json
import signal
import time
from pathlib import Path

import pytest

pytest.importorskip("Xlib", reason="python-xlib is not installed")

from desktop.clients import arrives, plain
from desktop.x_server import Window, until
from servers import serving_fake

from capswriter.audio import SAMPLE_RATE
from capswriter.dictation.journal import State

HOLDING = str(Path(__file__).with_name("holding.py"))
SPEAKING_S = 0.6
"""Seconds of each dictation, besides what comes before and after."""

# Each is done ten times. A tap is neither a dictation nor a cancel of somebody's.
ROUND = [*5 * ["hold"], "toggle", "escape", "tap", "toggled escape", "hold", "escape"]
KEYCODES = (66, 75, 9)
"""Of Caps Lock, F9 and Esc."""

DICTATIONS, CANCELS, TAPS = 70, 30, 10


@pytest.fixture(scope="module")
def recogniser():
    """A server whose engine says a word whenever somebody has spoken, at once."""
    with serving_fake("fake_engine:load_brief", log_level="warning") as running:
        yield running


def held(client, path: Path) -> dict:
    """What the client holds now."""
    path.unlink(missing_ok=True)
    client.process.send_signal(signal.SIGUSR1)
    until(path.exists, f"the answer: {client.lines[-5:]}")
    return json.loads(path.read_text())


def do(what: str, hand) -> None:
    key = "F9" if "toggle" in what else "Caps_Lock"
    if what == "tap":
        hand.tap(key)
        return
    press, let_go = (hand.tap, hand.tap) if key == "F9" else (hand.down, hand.up)
    press(key)
    time.sleep(SPEAKING_S if "escape" not in what else 0.4)
    if "escape" in what:
        hand.tap("Escape")
        if key == "F9":
            return
    let_go(key)


def in_short(states: list[State]) -> str:
    return "".join({State.DELIVERED: "+", State.CANCELLED: "-"}.get(each, "?") for each in states)


@pytest.mark.timeout(240)
def test_a_hundred_dictations_and_cancels_leave_nothing_behind(
    dictate, hand, sound, text_field, first, display, tmp_path
):
    assert (ROUND.count("hold") + ROUND.count("toggle")) * 10 == DICTATIONS
    path = tmp_path / "held"
    hand.tap("Caps_Lock")
    assert hand.capitals()
    repeating = [hand.repeating(keycode) for keycode in KEYCODES]
    shortcuts = ("--shortcut", "caps_lock", "--shortcut", "f9:toggle")
    client = dictate(*shortcuts, program=(HOLDING, str(path)))
    with sound.playing(first, SAMPLE_RATE):
        for what in ("hold", "toggle", "escape"):  # what is made at the first need is there then
            do(what, hand)
        at_rest = [State.DELIVERED, State.DELIVERED, State.CANCELLED]
        client.until_states(*at_rest)
        time.sleep(0.5)
        before = held(client, path)
        for what in 10 * ROUND:
            do(what, hand)
    kinds = {"hold": State.DELIVERED, "toggle": State.DELIVERED}
    at_rest += [kinds.get(what, State.CANCELLED) for what in 10 * ROUND]
    until(lambda: all(state.is_at_rest for state in client.states()), "their ends")
    got, want = in_short(client.states()), in_short(at_rest)
    shown = [client.told(word) for word in ("dictating", "idle", "waiting for the text")]
    assert got == want, (len(got), len(want), shown)
    texts = [record.text for record in client.records() if record.state is State.DELIVERED]
    assert sum(map(bool, texts)) > DICTATIONS / 2
    wanted = "".join(texts)
    arrives(text_field, client, plain(wanted))
    assert text_field.text == wanted  # capitals, which were on all the time, have changed nothing
    assert hand.capitals()
    window = Window(display)
    try:
        assert window.keys_down() == []
        assert window.modifiers() == 2  # Lock
    finally:
        window.close()
    until(lambda: held(client, path) == before, "the same as before")
    assert len(sound.recorders()) == 1
    assert client.end() == 0
    assert sound.recorders() == []
    assert [hand.repeating(keycode) for keycode in KEYCODES] == repeating
    print(
        f"{DICTATIONS} dictations, {CANCELS} cancels, {TAPS} taps; held before and after: {before}"
    )
