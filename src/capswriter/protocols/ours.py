"""What our own endpoints, ``/ws/asr`` and ``/ws/transcribe``, have in common.

How a client names a command, what it may say of its audio, ping and pong, errors, and the words in
which each endpoint's table says what to do with a message.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any

import orjson

from capswriter.protocols.languages import language_code
from capswriter.protocols.reading import UNSUPPORTED_ENCODING, BadMessage, Fields, read_object

if TYPE_CHECKING:
    from collections.abc import Collection

NOT_STARTED = "not_started"
UNKNOWN_MESSAGE = "unknown_message"

LARGEST = 2**20
"""Characters of a message that is read; audio does not come in text."""

SAMPLE_RATES = (8_000, 48_000)
"""Hz: the lowest and the highest."""

MOST_HOTWORDS = 1_000
LONGEST_HOTWORD = 100

_COMMAND_KEYS = ("type", "action", "command")


class Format(Enum):
    """How binary frames hold sound; PCM is mono."""

    PCM_S16LE = "pcm_s16le"
    PCM_F32LE = "pcm_f32le"
    WAV = "wav"
    WEBM = "webm"
    OGG = "ogg"
    MP3 = "mp3"
    MP4 = "mp4"
    FLAC = "flac"

    @property
    def is_pcm(self) -> bool:
        """Whether it is bare samples; otherwise, a container that knows its own sample rate."""
        return self in {Format.PCM_S16LE, Format.PCM_F32LE}


@dataclass(frozen=True, slots=True)
class Options:
    """What a client says of the audio that follows.

    Args:
        language: ISO 639-1 code, or ``"auto"``.
        format: of the binary frames.
        sample_rate: of PCM, in Hz.
        hotwords: words that are likely to occur.
        partials: whether to tell what is known before the end.
    """

    language: str = "auto"
    format: Format = Format.PCM_S16LE
    sample_rate: int = 16_000
    hotwords: tuple[str, ...] = ()
    partials: bool = True


@dataclass(frozen=True, slots=True)
class Ping:
    """Client to server: are you there?"""


@dataclass(frozen=True, slots=True)
class Pong:
    """Server to client: yes.

    Args:
        time: Unix seconds by the server's clock.
    """

    time: float

    def encode(self) -> str:
        """Write the message."""
        return encode_message("pong", time=self.time)


@dataclass(frozen=True, slots=True)
class Failure:
    """Server to client: something cannot be done.

    Args:
        code: for programs.
        message: one line for a person.
        retryable: whether the same may work later.
        retry_after: seconds after which, where known.
        session_id: which session has ended by it; None where none has.
    """

    code: str
    message: str
    retryable: bool = False
    retry_after: float | None = None
    session_id: str | None = None

    def encode(self) -> str:
        """Write the message."""
        told: dict[str, Any] = {
            "code": self.code,
            "message": self.message,
            "retryable": self.retryable,
        }
        if self.retry_after is not None:
            told["retry_after"] = self.retry_after
        if self.session_id is not None:
            told["session_id"] = self.session_id
        return encode_message("error", **told)


class State(Enum):
    """What a connection is in the middle of."""

    IDLE = "idle"
    """Nobody speaks; the texts of earlier sessions may still be to come."""

    SPEAKING = "speaking"
    """Audio is coming."""

    FAILED = "failed"
    """The session has failed, and the client may still be sending audio to it."""

    REFUSED = "refused"
    """Audio came without a start, and the client has been told so."""

    ENDED = "ended"
    """Nobody speaks, and somebody has."""


class Event(Enum):
    """What happens to a connection."""

    START = "start"
    AUDIO = "audio"
    STOP = "stop"
    RESET = "reset"
    FAILURE = "failure"
    """The session that is being spoken to fails; of one that has been stopped, no table knows."""


class Step(Enum):
    """What the server does about it."""

    BEGIN = "begin"
    """Begin a session with an id of its own, and tell the client."""

    SAY_AGAIN = "say again"
    """Tell the client which session it has."""

    TAKE = "take"
    """Take the audio."""

    FINISH = "finish"
    """No more audio comes; the session's last message follows when its text is there."""

    DROP = "drop"
    """Drop the session, and tell the client; nothing more follows of it."""

    REFUSE = "refuse"
    """Tell the client that it has not started: ``not_started()``."""

    REPORT = "report"
    """Tell the client that the session has failed."""

    IGNORE = "ignore"
    """Do nothing: the client has been told."""


def not_started() -> Failure:
    """Make what is told to a client that sends audio, or stops, without having started."""
    return Failure(NOT_STARTED, "no session has been started")


def read_command(message: str, known: Collection[str]) -> tuple[str, Fields]:
    """Read which command a message is.

    Clients write ``{"type": "start"}``, with ``action`` or ``command`` for ``type``, or the bare
    word. The first of these keys that names a known command counts.

    Args:
        message: as it came.
        known: commands.

    Returns:
        The command, and the keys of the message.

    Raises:
        BadMessage: it is none of them.
    """
    if len(message) > LARGEST:
        raise BadMessage(f"the message has more than {LARGEST} characters")
    expected = "one of " + ", ".join(known)
    word = re.fullmatch(r'\s*("?)(\w{1,40})\1\s*', message)
    if word:
        fields: Any = {"type": word[2]}
    else:
        fields = read_object(message)
    take = Fields(fields)
    there = [key for key in _COMMAND_KEYS if take.has(key)]
    for key in there:
        sent = take.value(key)
        name = sent.strip().lower() if isinstance(sent, str) else ""
        if name in known:
            return name, take
    raise take.wrong(there[0] if there else "type", expected, code=UNKNOWN_MESSAGE)


def read_options(take: Fields) -> Options:
    """Read what a client says of its audio; what it does not say has a default.

    Raises:
        BadMessage: a key is wrong.
    """
    partials = take.optional_flag("partials")
    return Options(
        language=language_code(take.optional_string("language")),
        format=_format(take),
        sample_rate=take.optional_whole("sample_rate", *SAMPLE_RATES) or Options().sample_rate,
        hotwords=_hotwords(take),
        partials=True if partials is None else partials,
    )


def _format(take: Fields) -> Format:
    sent = take.optional_string("format")
    if sent is None:
        return Options().format
    try:
        return Format(sent.strip().lower())
    except ValueError:
        expected = "one of " + ", ".join(each.value for each in Format)
        raise take.wrong("format", expected, code=UNSUPPORTED_ENCODING) from None


def _hotwords(take: Fields) -> tuple[str, ...]:
    if not take.has("hotwords"):
        return ()
    words = [word.strip() for word in take.strings("hotwords")]
    if len(words) > MOST_HOTWORDS or any(len(word) > LONGEST_HOTWORD for word in words):
        expected = f"at most {MOST_HOTWORDS} words of at most {LONGEST_HOTWORD} characters"
        raise take.wrong("hotwords", expected)
    return tuple(dict.fromkeys(filter(None, words)))


def encode_message(kind: str, **fields: Any) -> str:
    """Write a message of the server."""
    return orjson.dumps({"type": kind, **fields}).decode()
