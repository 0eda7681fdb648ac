"""The microphone is unplugged and plugged in under the whole client."""

from __future__ import annotations

import time

import pytest

pytest.importorskip("Xlib", reason="python-xlib is not installed")

from desktop.clients import LATENCY_S, arrives, hold, plain
from desktop.x_server import until

from capswriter.audio import SAMPLE_RATE
from capswriter.dictation.journal import State

pytestmark = [pytest.mark.model, pytest.mark.timeout(240)]

GONE, THERE = "is gone; waiting for it", "the microphone is there"


def unplug(client, sound) -> None:
    told = client.told(GONE)
    sound.unplug("speaker")
    until(lambda: client.told(GONE) > told, f"{GONE!r}: {client.lines}")


def plug(client, sound) -> None:
    told = client.told(THERE)
    sound.plug("speaker")
    until(lambda: client.told(THERE) > told, f"{THERE!r}: {client.lines}")


@pytest.fixture
def plugged(sound):
    """A microphone, whatever becomes of it in the test."""
    yield
    if "speaker" not in sound.plugged:
        sound.plug("speaker")


def words(text: str) -> set[str]:
    return {plain(word) for word in text.split()}


def test_a_microphone_that_comes_back_while_a_key_is_held_loses_nothing_around_it(
    dictate, hand, sound, text_field, first, texts, plugged
):
    client = dictate()
    parts = first[: 4 * SAMPLE_RATE], first[20 * SAMPLE_RATE : 26 * SAMPLE_RATE]
    hand.down("Caps_Lock")
    sound.play(parts[0], SAMPLE_RATE)
    time.sleep(LATENCY_S)
    unplug(client, sound)
    plug(client, sound)
    time.sleep(0.5)
    sound.play(parts[1], SAMPLE_RATE)
    time.sleep(LATENCY_S)
    hand.up("Caps_Lock")
    client.until_states(State.DELIVERED)
    [record] = client.records()
    assert record.seconds > 10
    arrives(text_field, client, plain(record.text))
    for part in parts:
        wanted = words(texts(part))
        assert len(wanted & words(record.text)) >= 0.6 * len(wanted), (wanted, record.text)


def test_what_was_said_before_the_microphone_was_unplugged_is_typed(
    dictate, hand, sound, text_field, sentence, texts, plugged
):
    client = dictate()
    hand.down("Caps_Lock")
    sound.play(sentence, SAMPLE_RATE)
    time.sleep(LATENCY_S)
    unplug(client, sound)
    hand.up("Caps_Lock")
    client.until_states(State.DELIVERED)
    wanted = plain(texts(sentence))
    arrives(text_field, client, wanted)

    # Between dictations: a key that is held meanwhile is told that nothing is recorded.
    hand.down("Caps_Lock")
    client.until_shown("nothing was recorded: ")
    time.sleep(0.4)  # a shorter press is the key's own
    hand.up("Caps_Lock")
    client.until_states(State.DELIVERED, State.CANCELLED)
    plug(client, sound)
    time.sleep(0.5)
    hold(hand, sound, sentence)
    client.until_states(State.DELIVERED, State.CANCELLED, State.DELIVERED)
    arrives(text_field, client, 2 * wanted)
    assert not hand.capitals()


def test_a_microphone_unplugged_again_and_again_between_dictations_is_found_each_time(
    dictate, hand, sound, text_field, sentence, texts, plugged
):
    client = dictate()
    short = sentence[: 3 * SAMPLE_RATE]
    wanted = plain(texts(short))
    for number in range(1, 4):
        unplug(client, sound)
        plug(client, sound)
        time.sleep(0.5)
        hold(hand, sound, short)
        client.until_states(*number * [State.DELIVERED])
        arrives(text_field, client, number * wanted)
    assert client.told(GONE) == client.told(THERE) == 3
    assert len(sound.recorders()) == 1
