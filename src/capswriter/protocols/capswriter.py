"""CapsWriter's wire format, v1 and v2: both directions, for the server and for the client.

A client sends ``AudioFrame`` after ``AudioFrame`` of one task, the last with ``is_final``. The
server answers with ``Result`` frames, each with all the text so far, and one with ``is_final``; or
with one ``Failure``. v1 (CapsWriter v1.0 to v2.6) knows no failures and no encodings; v2 (the fork
CapsWriter-ASR-Server) is what a client speaks that names an ``encoding``.
"""

from __future__ import annotations

import binascii
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any, Literal

import orjson
import pybase64

from capswriter.protocols.languages import NAMES, language_code
from capswriter.protocols.reading import UNSUPPORTED_ENCODING, BadMessage, Fields, read_object

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

SUBPROTOCOL = "binary"
"""What most clients offer; those that offer nothing are served all the same."""

SAMPLE_RATE = 16_000
LONGEST_TASK_ID = 200

LARGE = 2**14
"""Characters of a frame that are more than its other keys take."""

_DATA, _CUT_OUT = '"data":', "-"
"""The key, and what stands for its value meanwhile, which is no base64."""

LARGEST = 2**53
"""Whole numbers up to this arrive as they were sent, whatever reads the JSON."""

Source = Literal["mic", "file"]


class Dialect(Enum):
    """Which of the two a task speaks."""

    V1 = 1
    V2 = 2


class Encoding(Enum):
    """How the bytes in ``AudioFrame.audio`` hold sound: PCM is mono at 16 kHz."""

    F32LE = "f32le"
    S16LE = "s16le"
    FLAC = "flac"
    OGG_OPUS = "ogg_opus"


class Code(Enum):
    """What went wrong, in the words of v2."""

    BAD_REQUEST = "bad_request"
    UNSUPPORTED_ENCODING = "unsupported_encoding"
    DECODE_FAILED = "decode_failed"
    AUDIO_TOO_LONG = "audio_too_long"
    INFERENCE_FAILED = "inference_failed"
    INFERENCE_TIMEOUT = "inference_timeout"
    OVERLOADED = "overloaded"
    SLOW_CONSUMER = "slow_consumer"
    INTERNAL = "internal"


class BadFrame(Exception):
    """A frame that cannot be understood.

    Args:
        message: what is wrong, and what is right.
        code: ``BAD_REQUEST`` or ``UNSUPPORTED_ENCODING``.
        frame: what the frame said of itself, as far as that was legible.
    """

    def __init__(
        self,
        message: str,
        *,
        code: Code = Code.BAD_REQUEST,
        frame: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        frame = frame or {}
        task_id = frame.get("task_id")
        self.code = code
        self.task_id = task_id if isinstance(task_id, str) else ""
        self.source = frame.get("source")
        self.dialect = Dialect.V2 if frame.get("encoding") is not None else Dialect.V1


@dataclass(frozen=True, slots=True)
class AudioFrame:
    """Client to server: a piece of a task's audio.

    Args:
        task_id: the client's own name for the task.
        source: ``"mic"`` for dictation, ``"file"`` for a recording.
        audio: raw bytes; frames need not end between two samples.
        is_final: no more audio follows.
        time_start: Unix seconds; when the key went down, or when the frame was sent.
        seg_duration: wished length of segments in seconds; the first frame's counts.
        seg_overlap: wished overlap of segments in seconds.
        time_frame: Unix seconds of this block; v1.0 needs it in what a client sends.
        context: words that are likely to occur.
        language: ISO 639-1 code, or ``"auto"``.
        encoding: of ``audio``; None in v1, which knows f32le alone.
        samples_total: on the last frame, how many samples were sent in all.
        model: wished model; v2.
    """

    task_id: str
    source: Source
    audio: bytes
    is_final: bool
    time_start: float
    seg_duration: float | None = None
    seg_overlap: float | None = None
    time_frame: float | None = None
    context: str = ""
    language: str = "auto"
    encoding: Encoding | None = None
    samples_total: int | None = None
    model: str | None = None

    @property
    def dialect(self) -> Dialect:
        """What to answer in."""
        return Dialect.V1 if self.encoding is None else Dialect.V2

    def encode(self) -> str:
        """Write the frame; segment lengths as integers, which v1.0 and v2.0 insist on.

        Raises:
            ValueError: a number is none that JSON can carry.
        """
        frame: dict[str, Any] = {
            "task_id": self.task_id,
            "source": self.source,
            "data": pybase64.b64encode(self.audio).decode("ascii"),
            "is_final": self.is_final,
            "time_start": self.time_start,
            "time_frame": self.time_start if self.time_frame is None else self.time_frame,
            "seg_duration": _whole("seg_duration", self.seg_duration, default=15),
            "seg_overlap": _whole("seg_overlap", self.seg_overlap, default=2),
            "context": self.context,
            "language": NAMES.get(self.language, self.language),
        }
        if self.encoding is not None:
            frame["encoding"] = self.encoding.value
        if self.samples_total is not None:
            frame["samples_total"] = _whole("samples_total", self.samples_total)
        if self.model is not None:
            frame["model"] = self.model
        return orjson.dumps(frame).decode()

    @classmethod
    def parse(cls, text: str | bytes) -> AudioFrame:
        """Read a frame; unknown keys are ignored.

        Raises:
            BadFrame: it is not JSON, or a key is missing or wrong.
        """
        with _refusals():
            fields, data = _split(text)
        with _refusals(fields):
            take = Fields(fields)
            return cls(
                audio=_audio(take.string("data") if data is None else data),
                task_id=_task_id(take),
                source=_source(take),
                is_final=take.flag("is_final"),
                time_start=take.number("time_start"),
                seg_duration=take.optional_number("seg_duration"),
                seg_overlap=take.optional_number("seg_overlap"),
                time_frame=take.optional_number("time_frame"),
                context=take.optional_string("context") or "",
                language=language_code(take.optional_string("language")),
                encoding=_encoding(take),
                samples_total=_samples_total(take),
                model=take.optional_string("model"),
            )


@dataclass(frozen=True, slots=True)
class Result:
    """Server to client: all that has been recognised of a task so far.

    Args:
        task_id: the client's.
        is_final: nothing follows.
        text: what was said; joined, ``tokens`` are this.
        tokens: words, CJK characters, spaces and punctuation.
        timestamps: start of each token, seconds from the start of the audio.
        duration: seconds of audio that have been processed.
        time_start: echo of the client's.
        time_submit: Unix seconds by the server's clock, when the newest segment was queued.
        time_complete: likewise, when its text was there.
        text_accu: what v2.1 servers and later give for subtitles; ours is ``text``.
    """

    task_id: str
    is_final: bool
    text: str
    tokens: Sequence[str]
    timestamps: Sequence[float]
    duration: float
    time_start: float
    time_submit: float
    time_complete: float
    text_accu: str | None = None

    def encode(self, dialect: Dialect) -> str:
        """Write the frame, with every key that clients of any version ask for."""
        frame: dict[str, Any] = {"type": "result"} if dialect is Dialect.V2 else {}
        frame |= {
            "task_id": self.task_id,
            "is_final": self.is_final,
            "duration": self.duration,
            "time_start": self.time_start,
            "time_submit": self.time_submit,
            "time_complete": self.time_complete,
            "text": self.text,
            "text_accu": self.text if self.text_accu is None else self.text_accu,
            "tokens": self.tokens,
            "timestamps": self.timestamps,
        }
        return orjson.dumps(frame).decode()


@dataclass(frozen=True, slots=True)
class Failure:
    """Server to client: the task ends without its text.

    Args:
        task_id: the client's; empty where the frame did not tell.
        code: one of ``Code``, as text.
        message: one line for a person.
        retryable: whether the same may work later.
        retry_after: seconds after which, where known.
    """

    task_id: str
    code: str
    message: str
    retryable: bool = False
    retry_after: float | None = None

    def encode(self, dialect: Dialect) -> str:
        """Write the frame; in v1 as a complete final result without text, so that nobody waits."""
        frame: dict[str, Any] = {
            "type": "error",
            "task_id": self.task_id,
            "code": self.code,
            "message": self.message,
            "retryable": self.retryable,
        }
        if self.retry_after is not None:
            frame["retry_after"] = self.retry_after
        if dialect is Dialect.V1:
            frame |= {"is_final": True, "text": "", "text_accu": "", "tokens": [], "timestamps": []}
            frame |= dict.fromkeys(("duration", "time_start", "time_submit", "time_complete"), 0.0)
        return orjson.dumps(frame).decode()


def parse_reply(text: str | bytes) -> Result | Failure:
    """Read what a server of any version answers.

    Raises:
        BadFrame: it is not JSON, or a key is missing or wrong.
    """
    with _refusals():
        fields = read_object(text)
    with _refusals(fields):
        take = Fields(fields)
        if fields.get("type") == "error":
            return Failure(
                task_id=take.optional_string("task_id") or "",
                code=take.optional_string("code") or Code.INTERNAL.value,
                message=take.optional_string("message") or "the server gives no reason",
                retryable=fields.get("retryable") is True,
                retry_after=take.optional_number("retry_after"),
            )
        return Result(
            task_id=_task_id(take),
            is_final=take.flag("is_final"),
            text=take.string("text"),
            tokens=take.strings("tokens"),
            timestamps=take.numbers("timestamps"),
            duration=take.number("duration"),
            time_start=take.number("time_start"),
            time_submit=take.number("time_submit"),
            time_complete=take.number("time_complete"),
            text_accu=take.optional_string("text_accu"),
        )


def strip_v0_header(message: bytes) -> bytes:
    """Take sherpa's header off a v0.x message: f32le samples of one whole utterance.

    v0.2 to v0.5 put the sample rate and the number of bytes before them, each int32; v0.6 nothing.
    """
    header, audio = message[:8], message[8:]
    if header == SAMPLE_RATE.to_bytes(4, "little") + len(audio).to_bytes(4, "little"):
        return audio
    return message


def _whole(key: str, value: float | None, *, default: int = 0) -> int:
    if value is None:
        return default
    if not abs(value) <= LARGEST:  # nor is NaN
        raise ValueError(f"{key} is no number of at most {LARGEST}")
    return round(value)


@contextmanager
def _refusals(frame: Mapping[str, Any] | None = None) -> Iterator[None]:
    """Say of which frame it is what could not be read."""
    try:
        yield
    except BadMessage as error:
        raise BadFrame(str(error), code=Code(error.code), frame=frame) from error


def _split(text: str | bytes) -> tuple[Mapping[str, Any], str | None]:
    """Read a frame but for what is nearly all of it: base64 needs no reader of JSON.

    Returns:
        The keys, and the text of ``data``, or None where it is among the keys.

    Raises:
        BadMessage: it is no JSON object.
    """
    if isinstance(text, str) and len(text) > LARGE and (key := text.find(_DATA)) >= 0:
        start = text.find('"', key + len(_DATA)) + 1
        stop = text.find('"', start)
        with suppress(BadMessage):  # it may be of something inside, or no plain text
            fields = read_object(text[:start] + _CUT_OUT + text[stop:])
            if fields.get("data") == _CUT_OUT and text.find("\\", start, stop) < 0:
                return fields, text[start:stop]
    return read_object(text), None


def _audio(data: str) -> bytes:
    try:
        return pybase64.b64decode(data, validate=True)
    except (binascii.Error, ValueError) as error:
        raise BadMessage("data is not base64 of the standard alphabet") from error


def _task_id(take: Fields) -> str:
    value = take.string("task_id")
    if not 0 < len(value) <= LONGEST_TASK_ID:
        raise take.wrong("task_id", f"1 to {LONGEST_TASK_ID} characters")
    return value


def _source(take: Fields) -> Source:
    value = take.value("source")
    if value == "mic":
        return "mic"
    if value == "file":
        return "file"
    raise take.wrong("source", '"mic" or "file"')


def _encoding(take: Fields) -> Encoding | None:
    value = take.optional_string("encoding")
    if value is None:
        return None
    try:
        return Encoding(value)
    except ValueError:
        expected = "one of " + ", ".join(each.value for each in Encoding)
        raise take.wrong("encoding", expected, code=UNSUPPORTED_ENCODING) from None


def _samples_total(take: Fields) -> int | None:
    value = take.value("samples_total")
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise take.wrong("samples_total", "a whole number from 0")
    return value
