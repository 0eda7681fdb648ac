"""``/ws/transcribe``, a live session with its lifecycle: what the server is doing, as it does it.

The server's messages come in this order: ``Starting`` at once, ``ModelLoading`` where a worker has
yet to load, ``Started``, any number of ``Update``, ``Stopped``; or ``Failed`` at any point. What
ends no session, such as a message that cannot be understood, is answered by a ``Failure``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

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
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Start:
    """Client to server: a session, please.

    Args:
        options: what the audio is.
    """

    options: Options


@dataclass(frozen=True, slots=True)
class Stop:
    """Client to server: that was all."""


Message = Start | Stop | Ping

COMMANDS = ("start_transcription", "stop_transcription", "ping")


def parse(message: str) -> Message:
    """Read a text message; unknown keys are ignored.

    Raises:
        BadMessage: it is none of ours, or a key is wrong. The connection lives on.
    """
    command, take = read_command(message, COMMANDS)
    if command == "start_transcription":
        return Start(read_options(take))
    return Stop() if command == "stop_transcription" else Ping()


@dataclass(frozen=True, slots=True)
class Starting:
    """Server to client: the wish has been heard; before anything slow.

    Args:
        session_id: ours.
        message: one line for a person.
    """

    session_id: str
    message: str = "the transcription is starting"

    def encode(self) -> str:
        """Write the message."""
        return encode_message(
            "transcription_starting", session_id=self.session_id, message=self.message
        )


@dataclass(frozen=True, slots=True)
class ModelLoading:
    """Server to client: a worker has yet to load the model.

    Args:
        session_id: ours.
        message: one line for a person.
    """

    session_id: str
    message: str = "the model is being loaded"

    def encode(self) -> str:
        """Write the message."""
        return encode_message(
            "model_loading_started", session_id=self.session_id, message=self.message
        )


@dataclass(frozen=True, slots=True)
class Started:
    """Server to client: speak.

    Args:
        session_id: ours.
    """

    session_id: str

    def encode(self) -> str:
        """Write the message."""
        return encode_message("transcription_started", session_id=self.session_id)


@dataclass(frozen=True, slots=True)
class Update:
    """Server to client: a phrase.

    Args:
        session_id: ours.
        text: of the phrase.
        is_final: it is to be appended to those before; if not, the next update takes its place.
        start: seconds from the start of the session.
        end: likewise.
    """

    session_id: str
    text: str
    is_final: bool
    start: float
    end: float

    def encode(self) -> str:
        """Write the message."""
        return encode_message(
            "transcription_update",
            session_id=self.session_id,
            text=self.text,
            is_final=self.is_final,
            start=self.start,
            end=self.end,
        )


@dataclass(frozen=True, slots=True)
class Stopped:
    """Server to client: the session is over, and nothing more follows of it.

    Args:
        session_id: ours.
        text: all of it.
        duration: seconds of audio.
    """

    session_id: str
    text: str
    duration: float

    def encode(self) -> str:
        """Write the message."""
        return encode_message(
            "transcription_stopped",
            session_id=self.session_id,
            text=self.text,
            duration=self.duration,
        )


@dataclass(frozen=True, slots=True)
class Failed:
    """Server to client: the session is over without (the rest of) its text.

    Args:
        session_id: ours.
        error: for programs.
        message: one line for a person.
        retryable: whether the same may work later.
        retry_after: seconds after which, where known.
    """

    session_id: str
    error: str
    message: str
    retryable: bool = False
    retry_after: float | None = None

    def encode(self) -> str:
        """Write the message."""
        told: dict[str, Any] = {"retryable": self.retryable}
        if self.retry_after is not None:
            told["retry_after"] = self.retry_after
        return encode_message(
            "transcription_failed",
            session_id=self.session_id,
            error=self.error,
            message=self.message,
            **told,
        )


STEPS: Mapping[tuple[State, Event], tuple[Step, State]] = {
    (State.IDLE, Event.START): (Step.BEGIN, State.SPEAKING),
    (State.IDLE, Event.AUDIO): (Step.REFUSE, State.REFUSED),
    (State.IDLE, Event.STOP): (Step.REFUSE, State.IDLE),
    (State.SPEAKING, Event.START): (Step.SAY_AGAIN, State.SPEAKING),
    (State.SPEAKING, Event.AUDIO): (Step.TAKE, State.SPEAKING),
    (State.SPEAKING, Event.STOP): (Step.FINISH, State.ENDED),
    (State.SPEAKING, Event.FAILURE): (Step.REPORT, State.ENDED),
    # A browser's recorder gives its last block after it has been stopped, and stopping twice is
    # harmless.
    (State.ENDED, Event.START): (Step.BEGIN, State.SPEAKING),
    (State.ENDED, Event.AUDIO): (Step.IGNORE, State.ENDED),
    (State.ENDED, Event.STOP): (Step.IGNORE, State.ENDED),
    # One error is enough for audio that comes in twenty frames a second.
    (State.REFUSED, Event.START): (Step.BEGIN, State.SPEAKING),
    (State.REFUSED, Event.AUDIO): (Step.IGNORE, State.REFUSED),
    (State.REFUSED, Event.STOP): (Step.REFUSE, State.IDLE),
}
"""What each event does in each state, and the state after it."""
