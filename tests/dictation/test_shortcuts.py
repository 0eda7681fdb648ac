"""The state machine of the shortcuts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from capswriter.dictation.shortcuts import (
    REPEAT_GAP_S,
    Ask,
    Cancel,
    Command,
    Mode,
    Press,
    Release,
    Replay,
    Shortcut,
    Shortcuts,
    Start,
    Stop,
    Tick,
    Why,
)
from capswriter.errors import UsageError

CAPS, F9, SIDE = "caps_lock", "f9", "mouse_x2"


def machine(mode: Mode = Mode.HOLD, **options) -> Shortcuts:
    return Shortcuts([Shortcut(CAPS, mode)], **options)


def feed(shortcuts: Shortcuts, *events) -> list:
    return [action for event in events for action in shortcuts.feed(event)]


def test_a_dictation_starts_when_the_key_goes_down():
    assert feed(machine(), Press(CAPS, 1.0)) == [Start(CAPS, 1.0)]


def test_in_hold_mode_letting_go_stops():
    shortcuts = machine()
    assert feed(shortcuts, Press(CAPS, 1.0), Release(CAPS, 3.0)) == [Start(CAPS, 1.0), Stop(3.0)]
    assert not shortcuts.running


def test_in_hold_mode_a_tap_cancels_and_is_the_keys_own_once():
    assert feed(machine(), Press(CAPS, 1.0), Release(CAPS, 1.29)) == [
        Start(CAPS, 1.0),
        Cancel(1.29, Why.TAP),
        Replay(CAPS),
    ]


def test_exactly_the_threshold_is_held():
    assert feed(machine(), Press(CAPS, 0.0), Release(CAPS, 0.3))[-1] == Stop(0.3)


def test_the_threshold_can_be_chosen():
    shortcuts = Shortcuts([Shortcut(CAPS, threshold=0.1)])
    assert feed(shortcuts, Press(CAPS, 0.0), Release(CAPS, 0.2))[-1] == Stop(0.2)


@pytest.mark.parametrize("held", [0.1, 2.0])
def test_in_toggle_mode_the_second_press_stops(held):
    shortcuts = machine(Mode.TOGGLE)
    assert feed(shortcuts, Press(CAPS, 0.0), Release(CAPS, held)) == [Start(CAPS, 0.0)]
    assert feed(shortcuts, Press(CAPS, 5.0), Release(CAPS, 5.1)) == [Stop(5.0)]
    assert feed(shortcuts, Press(CAPS, 6.0)) == [Start(CAPS, 6.0)]


def test_in_auto_mode_a_tap_toggles():
    shortcuts = machine(Mode.AUTO)
    assert feed(shortcuts, Press(CAPS, 0.0), Release(CAPS, 0.1)) == [Start(CAPS, 0.0)]
    assert feed(shortcuts, Press(CAPS, 5.0), Release(CAPS, 9.0)) == [Stop(5.0)]


def test_in_auto_mode_holding_is_push_to_talk():
    shortcuts = machine(Mode.AUTO)
    assert feed(shortcuts, Press(CAPS, 0.0), Release(CAPS, 2.0)) == [Start(CAPS, 0.0), Stop(2.0)]


@pytest.mark.parametrize("mode", Mode)
def test_the_repetition_of_a_held_key_means_nothing(mode):
    shortcuts = machine(mode)
    repeats = [Press(CAPS, 0.6 + 0.04 * number) for number in range(50)]
    assert feed(shortcuts, Press(CAPS, 0.0), *repeats) == [Start(CAPS, 0.0)]


@pytest.mark.parametrize("mode", Mode)
def test_escape_cancels_and_letting_go_means_nothing_more(mode):
    shortcuts = machine(mode)
    told = feed(shortcuts, Press(CAPS, 0.0), Press("esc", 0.2), Release("esc", 0.25))
    assert told == [Start(CAPS, 0.0), Cancel(0.2, Why.ESCAPE)]
    assert feed(shortcuts, Release(CAPS, 0.28)) == []


def test_escape_means_nothing_while_no_dictation_runs():
    assert feed(machine(), Press("esc", 0.0), Release("esc", 0.1)) == []


def test_a_key_that_repeats_after_escape_does_not_start_again():
    told = feed(machine(), Press(CAPS, 0.0), Press("esc", 0.5), Press(CAPS, 0.6), Press(CAPS, 0.64))
    assert told == [Start(CAPS, 0.0), Cancel(0.5, Why.ESCAPE)]


def test_a_dictation_that_nobody_stops_is_stopped_and_not_lost():
    shortcuts = machine(longest=60.0)
    feed(shortcuts, Press(CAPS, 1.0))
    assert shortcuts.due == 61.0
    assert feed(shortcuts, Tick(60.9)) == []
    assert feed(shortcuts, Tick(61.0)) == [Stop(61.0, Why.TOO_LONG)]
    assert shortcuts.due is None
    assert feed(shortcuts, Release(CAPS, 61.1)) == []


def test_a_press_after_a_lost_release_is_a_new_one():
    shortcuts = machine()
    feed(shortcuts, Press(CAPS, 0.0))
    assert feed(shortcuts, Press(CAPS, 10.0), Release(CAPS, 12.0)) == [
        Stop(10.0),
        Start(CAPS, 10.0),
        Stop(12.0),
    ]


def test_a_release_without_a_press_means_nothing():
    assert feed(machine(), Release(CAPS, 1.0)) == []


def test_other_keys_mean_nothing():
    assert feed(machine(), Press("a", 1.0), Release("a", 2.0)) == []


def test_the_shortcut_that_started_holds_and_others_are_ignored():
    shortcuts = Shortcuts([Shortcut(CAPS), Shortcut(F9), Shortcut(SIDE, Mode.TOGGLE)])
    feed(shortcuts, Press(CAPS, 0.0))
    ignored = [Press(F9, 0.5), Press(SIDE, 0.6), Release(SIDE, 0.7), Release(F9, 1.5)]
    assert feed(shortcuts, *ignored) == []
    assert feed(shortcuts, Release(CAPS, 2.0)) == [Stop(2.0)]


def test_a_shortcut_held_since_before_the_end_of_another_needs_a_new_press():
    shortcuts = Shortcuts([Shortcut(CAPS), Shortcut(F9)])
    feed(shortcuts, Press(CAPS, 0.0), Press(F9, 0.5), Release(CAPS, 2.0))
    assert feed(shortcuts, Press(F9, 2.1), Release(F9, 3.0)) == []
    assert feed(shortcuts, Press(F9, 4.0)) == [Start(F9, 4.0)]


def test_a_tap_on_another_key_in_hold_mode_is_still_its_own():
    shortcuts = Shortcuts([Shortcut(CAPS), Shortcut(SIDE, Mode.TOGGLE)])
    feed(shortcuts, Press(SIDE, 0.0), Release(SIDE, 0.1))
    assert feed(shortcuts, Press(CAPS, 1.0), Release(CAPS, 1.1)) == [Replay(CAPS)]
    assert shortcuts.running


def test_commands_start_and_stop_without_a_key():
    shortcuts = machine()
    assert feed(shortcuts, Ask(Command.START, 0.0)) == [Start(None, 0.0)]
    assert feed(shortcuts, Ask(Command.START, 1.0)) == []
    assert feed(shortcuts, Ask(Command.STOP, 2.0)) == [Stop(2.0, Why.COMMAND)]
    assert feed(shortcuts, Ask(Command.STOP, 3.0), Ask(Command.CANCEL, 3.1)) == []
    assert feed(shortcuts, Ask(Command.TOGGLE, 4.0)) == [Start(None, 4.0)]
    assert feed(shortcuts, Ask(Command.TOGGLE, 5.0)) == [Stop(5.0, Why.COMMAND)]
    assert feed(shortcuts, Ask(Command.TOGGLE, 6.0), Ask(Command.CANCEL, 7.0)) == [
        Start(None, 6.0),
        Cancel(7.0, Why.COMMAND),
    ]


def test_a_command_may_stop_what_a_held_key_started():
    shortcuts = machine()
    feed(shortcuts, Press(CAPS, 0.0))
    assert feed(shortcuts, Ask(Command.STOP, 0.1), Release(CAPS, 0.2)) == [Stop(0.1, Why.COMMAND)]


def test_a_tap_while_a_command_dictates_is_the_keys_own():
    shortcuts = machine()
    feed(shortcuts, Ask(Command.START, 0.0))
    assert feed(shortcuts, Press(CAPS, 1.0), Release(CAPS, 1.1)) == [Replay(CAPS)]


def test_two_shortcuts_cannot_share_a_key():
    with pytest.raises(UsageError, match="f9"):
        Shortcuts([Shortcut(F9), Shortcut(F9, Mode.AUTO)])


def test_escape_cannot_be_a_shortcut():
    with pytest.raises(UsageError, match="Esc"):
        Shortcuts([Shortcut("esc")])


KEYS = [CAPS, F9, SIDE, "esc", "a"]
GAPS = st.sampled_from([0.0, 0.01, 0.1, 0.29, 0.3, 0.31, 1.0, REPEAT_GAP_S, 5.0, 30.0, 61.0, -1.0])
KINDS = st.one_of(
    st.tuples(st.just(Press), st.sampled_from(KEYS)),
    st.tuples(st.just(Release), st.sampled_from(KEYS)),
    st.tuples(st.just(Ask), st.sampled_from(list(Command))),
    st.tuples(st.just(Tick), st.none()),
)
SHORTCUTS = st.lists(st.sampled_from(list(Mode)), min_size=1, max_size=3)


def played(steps) -> list:
    now, events = 0.0, []
    for gap, (kind, what) in steps:
        now = max(0.0, now + gap)
        events.append(Tick(now) if kind is Tick else kind(what, now))
    return events


@given(SHORTCUTS, st.lists(st.tuples(GAPS, KINDS), max_size=60))
def test_whatever_happens_nothing_sticks_and_every_start_has_one_end(modes, steps):
    keys = KEYS[: len(modes)]
    shortcuts = Shortcuts([Shortcut(*pair) for pair in zip(keys, modes, strict=True)], longest=60.0)
    running, presses, replays = False, dict.fromkeys(KEYS, 0), dict.fromkeys(KEYS, 0)
    latest = 0.0
    for event in played(steps):
        latest = max(latest, event.at)
        if isinstance(event, Press):
            presses[event.key] += 1
        for action in shortcuts.feed(event):
            if isinstance(action, Start):
                assert not running
                running = True
            elif isinstance(action, Stop | Cancel):
                assert running
                running = False
            else:
                replays[action.key] += 1
                assert modes[keys.index(action.key)] is Mode.HOLD
                assert replays[action.key] <= presses[action.key]
        assert running == shortcuts.running
    if running:
        assert shortcuts.due is not None
        ended = shortcuts.feed(Tick(latest + 60.0))
        assert len(ended) == 1
        assert isinstance(ended[0], Stop)
    # However it was left, a press that is surely a new one dictates.
    later = latest + 100.0
    for key in keys:
        assert feed(shortcuts, Press(key, later))[-1:] == [Start(key, later)]
        assert feed(shortcuts, Press("esc", later + 1.0), Release(key, later + 2.0)) == [
            Cancel(later + 1.0, Why.ESCAPE)
        ]
        later += 10.0


@given(SHORTCUTS, st.lists(st.tuples(GAPS, KINDS), max_size=60))
def test_no_press_is_replayed_twice(modes, steps):
    keys = KEYS[: len(modes)]
    shortcuts = Shortcuts([Shortcut(*pair) for pair in zip(keys, modes, strict=True)])
    since_press = dict.fromkeys(keys, 1)
    for event in played(steps):
        told = shortcuts.feed(event)
        for action in told:
            if isinstance(action, Replay):
                since_press[action.key] += 1
                assert since_press[action.key] == 1
        if isinstance(event, Press) and event.key in since_press:
            since_press[event.key] = 0
