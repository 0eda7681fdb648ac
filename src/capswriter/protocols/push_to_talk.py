"""``/ws/asr``, push to talk: a client starts, sends audio while a key is down, stops, gets a text.

A connection carries any number of such rounds, each a session with an id. Each start is answered
by one ``Started`` and then by exactly one ``Final`` or ``Failure``, unless a ``Reset`` takes it
back. A round may begin while the texts of earlier ones are still to come.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from capswriter.protocols.ours import (
    Event,
    Options,
    Ping,
    State,
    Step,
    encode_message,
    read_command,
    read_options,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


@dataclass(frozen=True, slots=True)
class Start:
    """Client to server: the key is down.

    Args:
        options: what the audio is.
    """

    options: Options


@dataclass(frozen=True, slots=True)
class Stop:
    """Client to server: the key is up; the text, please."""


@dataclass(frozen=True, slots=True)
class Reset:
    """Client to server: forget it."""


Message = Start | Stop | Reset | Ping

COMMANDS = ("start", "stop", "reset", "ping")


def parse(message: str) -> Message:
    """Read a text message; unknown keys are ignored.

    Raises:
        BadMessage: it is none of ours, or a key is wrong. The connection lives on.
    """
    command, take = read_command(message, COMMANDS)
    if command == "start":
        return Start(read_options(take))
    others: Mapping[str, Message] = {"stop": Stop(), "reset": Reset(), "ping": Ping()}
    return others[command]


@dataclass(frozen=True, slots=True)
class Started:
    """Server to client: audio is welcome.

    Args:
        session_id: ours for the round.
    """

    session_id: str

    def encode(self) -> str:
        """Write the message."""
        return encode_message("started", session_id=self.session_id)


@dataclass(frozen=True, slots=True)
class Segment:
    """A piece of a text with its times.

    Args:
        start: seconds from the start of the round.
        end: likewise.
        text: the piece.
    """

    start: float
    end: float
    text: str


@dataclass(frozen=True, slots=True)
class Partial:
    """Server to client: what is known so far; a newer one takes the place of this one.

    Args:
        session_id: which round.
        text: since the start of the round.
        start: seconds from the start of the round, where ``text`` begins.
        end: where it ends.
    """

    session_id: str
    text: str
    start: float
    end: float

    def encode(self) -> str:
        """Write the message."""
        return encode_message(
            "partial", session_id=self.session_id, text=self.text, start=self.start, end=self.end
        )


@dataclass(frozen=True, slots=True)
class Final:
    """Server to client: the text of a round.

    Args:
        session_id: which round.
        text: all of it; empty where nothing was said.
        segments: the text in pieces.
        duration: seconds of audio.
        latency_ms: from the arrival of the stop to now.
    """

    session_id: str
    text: str
    segments: Sequence[Segment]
    duration: float
    latency_ms: float

    def encode(self) -> str:
        """Write the message."""
        return encode_message(
            "final",
            session_id=self.session_id,
            text=self.text,
            segments=[
                {"start": segment.start, "end": segment.end, "text": segment.text}
                for segment in self.segments
            ],
            duration=self.duration,
            latency_ms=self.latency_ms,
        )


@dataclass(frozen=True, slots=True)
class WasReset:
    """Server to client: it is forgotten; nothing more follows of it.

    Args:
        session_id: which round; None where there has been none.
    """

    session_id: str | None

    def encode(self) -> str:
        """Write the message."""
        return encode_message("reset", session_id=self.session_id)


STEPS: Mapping[tuple[State, Event], tuple[Step, State]] = {
    (State.IDLE, Event.START): (Step.BEGIN, State.SPEAKING),
    (State.IDLE, Event.AUDIO): (Step.REFUSE, State.REFUSED),
    (State.IDLE, Event.STOP): (Step.REFUSE, State.IDLE),
    # Who has released the key and then resets wants none of the texts that are still to come.
    (State.IDLE, Event.RESET): (Step.DROP, State.IDLE),
    (State.SPEAKING, Event.START): (Step.SAY_AGAIN, State.SPEAKING),
    (State.SPEAKING, Event.AUDIO): (Step.TAKE, State.SPEAKING),
    (State.SPEAKING, Event.STOP): (Step.FINISH, State.IDLE),
    (State.SPEAKING, Event.RESET): (Step.DROP, State.IDLE),
    (State.SPEAKING, Event.FAILURE): (Step.REPORT, State.FAILED),
    # The failure has answered the start: neither the audio on its way nor the stop gets another.
    (State.FAILED, Event.START): (Step.BEGIN, State.SPEAKING),
    (State.FAILED, Event.AUDIO): (Step.IGNORE, State.FAILED),
    (State.FAILED, Event.STOP): (Step.IGNORE, State.IDLE),
    (State.FAILED, Event.RESET): (Step.DROP, State.IDLE),
    # One error is enough for audio that comes in twenty frames a second.
    (State.REFUSED, Event.START): (Step.BEGIN, State.SPEAKING),
    (State.REFUSED, Event.AUDIO): (Step.IGNORE, State.REFUSED),
    (State.REFUSED, Event.STOP): (Step.REFUSE, State.IDLE),
    (State.REFUSED, Event.RESET): (Step.DROP, State.IDLE),
}
"""What each event does in each state, and the state after it.

``DROP`` drops the round that is being spoken; where there is none, those that are being finished.
"""
