"""OpenAI's realtime transcription, the server's side: what clients say, what they are told.

A client appends audio. Where the server detects turns, it says ``SpeechStarted`` and
``SpeechStopped``; where it does not, the client commits. Either way an item follows: ``Committed``,
``ItemAdded``, ``ItemDone``, then ``Delta`` after ``Delta`` of its text, and one ``Completed`` or
``Failed``. Names and keys are those of ``openai.types.realtime`` (openai 3.54), and of its
``types.beta.realtime`` where a client speaks the beta's dialect.
"""

from __future__ import annotations

import binascii
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import orjson
import pybase64

from capswriter.protocols.openai_fields import BadEvent, Code, Fields
from capswriter.protocols.openai_session import Dialect, SessionSettings

if TYPE_CHECKING:
    from collections.abc import Callable

SUBPROTOCOL = "realtime"
"""What browsers offer, and must be answered with; others offer nothing."""

LARGEST_APPEND = 15 * 2**20
"""Bytes of audio in one event; OpenAI's own limit."""

SHORTEST_COMMIT_MS = 100
"""Milliseconds of audio that a client may commit."""

CONTENT_INDEX = 0
"""An item of ours has one part."""

ErrorType = Literal["invalid_request_error", "server_error"]


@dataclass(frozen=True, slots=True)
class SessionUpdate:
    """Client to server: other settings, from now on.

    Args:
        event_id: the client's name for this event, where it gave one.
        dialect: what it was said in, and is to be answered in.
        session: the settings given, known to be right.
    """

    event_id: str | None
    dialect: Dialect
    session: Fields

    def applied_to(self, settings: SessionSettings) -> SessionSettings:
        """Make the settings that hold from now on; what is not given stays as it was."""
        return settings.merged(self.session, self.dialect)


@dataclass(frozen=True, slots=True)
class Append:
    """Client to server: more audio, in the session's format; it need not end between samples."""

    event_id: str | None
    audio: bytes


@dataclass(frozen=True, slots=True)
class Commit:
    """Client to server: what was appended is an utterance."""

    event_id: str | None


@dataclass(frozen=True, slots=True)
class Clear:
    """Client to server: forget what was appended."""

    event_id: str | None


ClientEvent: TypeAlias = SessionUpdate | Append | Commit | Clear

_UPDATES = {
    "session.update": Dialect.CURRENT,
    "transcription_session.update": Dialect.BETA,
}
_BUFFER = ("input_audio_buffer.append", "input_audio_buffer.commit", "input_audio_buffer.clear")


def parse(text: str | bytes, *, largest: int = LARGEST_APPEND) -> ClientEvent:
    """Read what a client says; unknown keys are ignored.

    Args:
        text: a message.
        largest: bytes of audio in one ``Append``.

    Raises:
        BadEvent: it is not JSON, its type is none of ours, or a key is missing or wrong.
    """
    event = Fields.of_event(text)
    match kind := event.string("type"):
        case "session.update" | "transcription_session.update":
            update = SessionUpdate(event.event_id, _UPDATES[kind], event.object("session"))
            update.applied_to(SessionSettings())  # so that it is known to be right
            return update
        case "input_audio_buffer.append":
            return Append(event.event_id, _audio(event, largest))
        case "input_audio_buffer.commit":
            return Commit(event.event_id)
        case "input_audio_buffer.clear":
            return Clear(event.event_id)
        case _:
            raise event.wrong("type", "one of " + ", ".join((*_UPDATES, *_BUFFER)))


def _audio(event: Fields, largest: int) -> bytes:
    encoded = event.string("audio")
    padding = encoded[-2:].count("=")
    if len(encoded) // 4 * 3 - padding > largest:
        raise event.wrong("audio", f"at most {largest:,} bytes", code=Code.TOO_LONG)
    try:
        return pybase64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError) as error:
        raise event.wrong("audio", "base64 of the standard alphabet") from error


def commit_empty(milliseconds: float, *, event_id: str | None) -> BadEvent:
    """Make the error for a commit of less than ``SHORTEST_COMMIT_MS``.

    Clients know it by its code, and take it for harmless after turns that the server has detected.
    """
    message = (
        f"the buffer has {milliseconds:.0f} ms of audio, less than the {SHORTEST_COMMIT_MS} ms"
        " that can be committed"
    )
    return BadEvent(message, code=Code.COMMIT_EMPTY, event_id=event_id)


class ServerEvent(ABC):
    """Server to client: any event."""

    __slots__ = ()

    def encode(self, new_id: Callable[[], str]) -> str:
        """Write the event.

        Args:
            new_id: makes the event's own id, one that no other event has.
        """
        return orjson.dumps({"event_id": new_id(), **self._told()}).decode()

    @abstractmethod
    def _told(self) -> dict[str, Any]: ...


@dataclass(frozen=True, slots=True)
class SessionCreated(ServerEvent):
    """The first event: the session is there, with these settings.

    Args:
        session_id: such as ``"sess_…"``.
        settings: that hold.
        expires_at: Unix seconds at which the server ends the session, if it does.
        dialect: of the handshake.
    """

    session_id: str
    settings: SessionSettings
    expires_at: int | None = None
    dialect: Dialect = Dialect.CURRENT

    def _told(self) -> dict[str, Any]:
        return _told_session("created", self)


@dataclass(frozen=True, slots=True)
class SessionUpdated(ServerEvent):
    """The answer to ``SessionUpdate``: these settings hold from now on.

    Args:
        session_id: such as ``"sess_…"``.
        settings: all of them, not just the new ones.
        expires_at: Unix seconds at which the server ends the session, if it does.
        dialect: of the update.
    """

    session_id: str
    settings: SessionSettings
    expires_at: int | None = None
    dialect: Dialect = Dialect.CURRENT

    def _told(self) -> dict[str, Any]:
        return _told_session("updated", self)


@dataclass(frozen=True, slots=True)
class SpeechStarted(ServerEvent):
    """Somebody began to speak.

    Args:
        item_id: of the item that the speech will become.
        audio_start_ms: milliseconds of audio appended in the session before what is kept of it.
    """

    item_id: str
    audio_start_ms: int

    def _told(self) -> dict[str, Any]:
        return {
            "type": "input_audio_buffer.speech_started",
            "audio_start_ms": self.audio_start_ms,
            "item_id": self.item_id,
        }


@dataclass(frozen=True, slots=True)
class SpeechStopped(ServerEvent):
    """Whoever spoke has stopped.

    Args:
        item_id: of the item that the speech becomes.
        audio_end_ms: milliseconds of audio appended in the session up to its end.
    """

    item_id: str
    audio_end_ms: int

    def _told(self) -> dict[str, Any]:
        return {
            "type": "input_audio_buffer.speech_stopped",
            "audio_end_ms": self.audio_end_ms,
            "item_id": self.item_id,
        }


@dataclass(frozen=True, slots=True)
class Committed(ServerEvent):
    """What was in the buffer is an item now.

    Args:
        item_id: the item's.
        previous_item_id: that of the item before, if there is one.
    """

    item_id: str
    previous_item_id: str | None

    def _told(self) -> dict[str, Any]:
        return {
            "type": "input_audio_buffer.committed",
            "previous_item_id": self.previous_item_id,
            "item_id": self.item_id,
        }


@dataclass(frozen=True, slots=True)
class Cleared(ServerEvent):
    """The answer to ``Clear``."""

    def _told(self) -> dict[str, Any]:
        return {"type": "input_audio_buffer.cleared"}


@dataclass(frozen=True, slots=True)
class ItemAdded(ServerEvent):
    """The item is part of the conversation; ``conversation.item.created`` in the beta.

    Args:
        item_id: the item's.
        previous_item_id: that of the item before, if there is one.
        dialect: of the session.
    """

    item_id: str
    previous_item_id: str | None
    dialect: Dialect = Dialect.CURRENT

    def _told(self) -> dict[str, Any]:
        what = "created" if self.dialect is Dialect.BETA else "added"
        return _told_item(what, self.item_id, self.previous_item_id)


@dataclass(frozen=True, slots=True)
class ItemDone(ServerEvent):
    """The item will not change, but for its text; follows ``ItemAdded``, and not in the beta.

    Args:
        item_id: the item's.
        previous_item_id: that of the item before, if there is one.
    """

    item_id: str
    previous_item_id: str | None

    def _told(self) -> dict[str, Any]:
        return _told_item("done", self.item_id, self.previous_item_id)


@dataclass(frozen=True, slots=True)
class Delta(ServerEvent):
    """More of an item's text.

    Args:
        item_id: the item's.
        delta: what follows on the text told before, spaces included.
    """

    item_id: str
    delta: str

    def _told(self) -> dict[str, Any]:
        return _told_text("delta", self.item_id) | {"delta": self.delta}


@dataclass(frozen=True, slots=True)
class Completed(ServerEvent):
    """All of an item's text; nothing follows.

    Args:
        item_id: the item's.
        transcript: its text; empty where nothing was said.
        seconds: of audio in the item.
    """

    item_id: str
    transcript: str
    seconds: float

    def _told(self) -> dict[str, Any]:
        usage = {"type": "duration", "seconds": self.seconds}
        told = {"transcript": self.transcript, "usage": usage}
        return _told_text("completed", self.item_id) | told


@dataclass(frozen=True, slots=True)
class Failed(ServerEvent):
    """There will be no text for an item.

    Args:
        item_id: the item's.
        code: what happened, for a program.
        message: what happened, for a person, in one line.
        kind: whose fault it is.
    """

    item_id: str
    code: str
    message: str
    kind: ErrorType = "server_error"

    def _told(self) -> dict[str, Any]:
        error = {"type": self.kind, "code": self.code, "message": self.message, "param": None}
        return _told_text("failed", self.item_id) | {"error": error}


@dataclass(frozen=True, slots=True)
class Error(ServerEvent):
    """Something went wrong that is no item's; the session goes on.

    Args:
        code: what happened, for a program.
        message: what happened, for a person, in one line.
        kind: whose fault it is.
        param: path of the key that is wrong.
        client_event_id: of the event that is wrong, where the client gave it one.
    """

    code: str
    message: str
    kind: ErrorType = "server_error"
    param: str | None = None
    client_event_id: str | None = None

    @classmethod
    def of(cls, bad: BadEvent) -> Error:
        """Make the answer to an event that was refused."""
        return cls(
            code=bad.code.value,
            message=str(bad),
            kind="invalid_request_error",
            param=bad.param,
            client_event_id=bad.event_id,
        )

    def _told(self) -> dict[str, Any]:
        error = {
            "type": self.kind,
            "code": self.code,
            "message": self.message,
            "param": self.param,
            "event_id": self.client_event_id,
        }
        return {"type": "error", "error": error}


def _told_session(what: str, event: SessionCreated | SessionUpdated) -> dict[str, Any]:
    prefix = "transcription_" if event.dialect is Dialect.BETA else ""
    session = event.settings.told(
        event.dialect, session_id=event.session_id, expires_at=event.expires_at
    )
    return {"type": f"{prefix}session.{what}", "session": session}


def _told_item(what: str, item_id: str, previous_item_id: str | None) -> dict[str, Any]:
    item = {
        "id": item_id,
        "object": "realtime.item",
        "type": "message",
        "status": "completed",
        "role": "user",
        "content": [{"type": "input_audio", "transcript": None}],
    }
    return {
        "type": f"conversation.item.{what}",
        "previous_item_id": previous_item_id,
        "item": item,
    }


def _told_text(what: str, item_id: str) -> dict[str, Any]:
    return {
        "type": f"conversation.item.input_audio_transcription.{what}",
        "item_id": item_id,
        "content_index": CONTENT_INDEX,
    }
