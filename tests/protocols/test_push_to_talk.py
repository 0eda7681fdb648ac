"""``/ws/asr``: the server's messages, and what each event does in each state."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from capswriter.protocols.ours import Event, State, Step
from capswriter.protocols.push_to_talk import (
    STEPS,
    Final,
    Partial,
    Segment,
    Started,
    WasReset,
)

MESSAGES = [
    (Started("s1"), {"type": "started", "session_id": "s1"}),
    (
        Partial("s1", "你好", 0.5, 1.25),
        {"type": "partial", "session_id": "s1", "text": "你好", "start": 0.5, "end": 1.25},
    ),
    (
        Final("s1", "你好", [Segment(0.0, 1.5, "你好")], 2.0, 120.5),
        {
            "type": "final",
            "session_id": "s1",
            "text": "你好",
            "segments": [{"start": 0.0, "end": 1.5, "text": "你好"}],
            "duration": 2.0,
            "latency_ms": 120.5,
        },
    ),
    (
        Final("s1", "", [], 0.0, 0.0),
        {
            "type": "final",
            "session_id": "s1",
            "text": "",
            "segments": [],
            "duration": 0.0,
            "latency_ms": 0.0,
        },
    ),
    (WasReset("s1"), {"type": "reset", "session_id": "s1"}),
    (WasReset(None), {"type": "reset", "session_id": None}),
]


@pytest.mark.parametrize(("message", "expected"), MESSAGES, ids=repr)
def test_a_message_has_the_keys_of_the_document(message, expected):
    assert json.loads(message.encode()) == expected


def walk(events: str) -> str:
    """Follow events by their initials (``F`` is a failure); give the steps, ``,`` between them."""
    by_initial = {event.name[0]: event for event in Event if event is not Event.STOP}
    state, steps = State.IDLE, []
    for initial in events:
        event = Event.STOP if initial == "E" else by_initial[initial]
        step, state = STEPS[state, event]
        steps.append(step.value)
    return ", ".join(steps)


# S start, A audio, E stop (end), R reset, F failure
@pytest.mark.parametrize(
    ("events", "steps"),
    [
        ("SAAE", "begin, take, take, finish"),
        ("SE", "begin, finish"),
        ("SAESAE", "begin, take, finish, begin, take, finish"),
        ("SASAE", "begin, take, say again, take, finish"),
        ("AAAS", "refuse, ignore, ignore, begin"),
        ("E", "refuse"),
        ("AE", "refuse, refuse"),
        ("SEE", "begin, finish, refuse"),
        ("SEAA", "begin, finish, refuse, ignore"),
        ("SARA", "begin, take, drop, refuse"),
        ("SARE", "begin, take, drop, refuse"),
        ("SER", "begin, finish, drop"),
        ("R", "drop"),
        ("RR", "drop, drop"),
        ("SAFAAE", "begin, take, report, ignore, ignore, ignore"),
        ("SAFESAE", "begin, take, report, ignore, begin, take, finish"),
        ("SAFAS", "begin, take, report, ignore, begin"),
        ("SAFR", "begin, take, report, drop"),
    ],
)
def test_what_each_event_does(events, steps):
    assert walk(events) == steps


def test_every_event_has_its_step_in_every_state_that_can_be():
    reachable = {State.IDLE} | {state for _, state in STEPS.values()}
    wanted = {(state, event) for state in reachable for event in Event}
    failures = {(state, Event.FAILURE) for state in reachable - {State.SPEAKING}}
    assert set(STEPS) == wanted - failures


@given(st.lists(st.sampled_from(Event)))
def test_each_round_begins_once_and_ends_once(events):
    state, open_rounds = State.IDLE, 0
    for event in events:
        if (state, event) not in STEPS:
            continue  # nothing can fail that does not run
        was_speaking = state is State.SPEAKING
        step, state = STEPS[state, event]
        open_rounds += step is Step.BEGIN
        open_rounds -= was_speaking and step in {Step.FINISH, Step.DROP, Step.REPORT}
        assert open_rounds == (state is State.SPEAKING)
        assert step is not Step.TAKE or was_speaking
