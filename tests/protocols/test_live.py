"""``/ws/transcribe``: the server's messages, and what each event does in each state."""

from __future__ import annotations

import json

import pytest

from capswriter.protocols.live import (
    STEPS,
    Failed,
    ModelLoading,
    Started,
    Starting,
    Stopped,
    Update,
)
from capswriter.protocols.ours import Event, State

MESSAGES = [
    (
        Starting("s1", "soon"),
        {"type": "transcription_starting", "session_id": "s1", "message": "soon"},
    ),
    (
        ModelLoading("s1", "wait"),
        {"type": "model_loading_started", "session_id": "s1", "message": "wait"},
    ),
    (Started("s1"), {"type": "transcription_started", "session_id": "s1"}),
    (
        Update("s1", "你好", True, 0.5, 1.25),
        {
            "type": "transcription_update",
            "session_id": "s1",
            "text": "你好",
            "is_final": True,
            "start": 0.5,
            "end": 1.25,
        },
    ),
    (
        Stopped("s1", "你好", 2.0),
        {"type": "transcription_stopped", "session_id": "s1", "text": "你好", "duration": 2.0},
    ),
    (
        Failed("s1", "decode_failed", "no sound"),
        {
            "type": "transcription_failed",
            "session_id": "s1",
            "error": "decode_failed",
            "message": "no sound",
            "retryable": False,
        },
    ),
]


@pytest.mark.parametrize(("message", "expected"), MESSAGES, ids=repr)
def test_a_message_has_the_keys_of_the_document(message, expected):
    assert json.loads(message.encode()) == expected


def test_a_failure_says_when_to_come_again():
    told = json.loads(Failed("s1", "overloaded", "busy", True, 2.5).encode())
    assert (told["retryable"], told["retry_after"]) == (True, 2.5)


@pytest.mark.parametrize("message", [Starting("s1"), ModelLoading("s1")])
def test_who_shows_the_message_has_something_to_show(message):
    assert json.loads(message.encode())["message"]


def walk(events: str) -> str:
    """Follow events by their initials; give the steps, ``,`` between them."""
    by_initial = {"S": Event.START, "A": Event.AUDIO, "E": Event.STOP, "F": Event.FAILURE}
    state, steps = State.IDLE, []
    for initial in events:
        step, state = STEPS[state, by_initial[initial]]
        steps.append(step.value)
    return ", ".join(steps)


# S start, A audio, E stop (end), F failure
@pytest.mark.parametrize(
    ("events", "steps"),
    [
        ("SAAE", "begin, take, take, finish"),
        ("SASAE", "begin, take, say again, take, finish"),
        ("SEE", "begin, finish, ignore"),
        ("SEAA", "begin, finish, ignore, ignore"),
        ("SESAE", "begin, finish, begin, take, finish"),
        ("SAFAEE", "begin, take, report, ignore, ignore, ignore"),
        ("SFSA", "begin, report, begin, take"),
        ("AAAE", "refuse, ignore, ignore, refuse"),
        ("AS", "refuse, begin"),
        ("E", "refuse"),
    ],
)
def test_what_each_event_does(events, steps):
    assert walk(events) == steps


def test_every_event_has_its_step_in_every_state_that_can_be():
    reachable = {State.IDLE} | {state for _, state in STEPS.values()}
    wanted = {(state, event) for state in reachable for event in Event if event is not Event.RESET}
    failures = {(state, Event.FAILURE) for state in reachable - {State.SPEAKING}}
    assert set(STEPS) == wanted - failures
