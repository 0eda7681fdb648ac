"""The settings of an OpenAI realtime transcription session, and what a client changes of them.

Two dialects say the same: the one in use, where settings are nested, and the beta's, where they are
flat. A client that gives only some settings keeps the others; where it gives null, it gets the
default, but for ``turn_detection``, where null means that the client commits the audio itself.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from enum import Enum
from typing import TYPE_CHECKING, Any

from capswriter.protocols.languages import language_code
from capswriter.protocols.openai_fields import LONGEST_NAME, Fields

if TYPE_CHECKING:
    from collections.abc import Sequence

LONGEST_PROMPT = 16_384
"""Characters."""

LONGEST_PAUSE = 60_000
"""Milliseconds that turn detection may be told to wait, or to go back."""

KIND = "transcription"
"""The only type of session that we have."""

SERVER_VAD = "server_vad"
SEMANTIC_VAD = "semantic_vad"

INCLUDES = ("item.input_audio_transcription.logprobs",)
"""What a client may ask to be told besides; asking for anything else has no effect."""

BETA_HEADER = "realtime=v1"
"""What clients of the beta send as ``OpenAI-Beta``."""

BETA_SUBPROTOCOL = "openai-beta.realtime-v1"
"""What they offer in browsers, which cannot send headers."""


class Dialect(Enum):
    """Which names the events of a session have."""

    CURRENT = "current"
    BETA = "beta"

    @classmethod
    def of_handshake(cls, *, header: str | None, subprotocols: Sequence[str]) -> Dialect:
        """Tell it from how a client connects.

        Args:
            header: ``OpenAI-Beta``, where there is one.
            subprotocols: what the client offers.
        """
        beta = header is not None and BETA_HEADER in {each.strip() for each in header.split(",")}
        return cls.BETA if beta or BETA_SUBPROTOCOL in subprotocols else cls.CURRENT


class Encoding(Enum):
    """How a byte or two hold a sample."""

    PCM = "audio/pcm"
    ULAW = "audio/pcmu"
    ALAW = "audio/pcma"


LARGEST_RATE = 768_000

RATES = {"audio/pcm": (24_000, 16_000), "audio/pcmu": (8_000,), "audio/pcma": (8_000,)}
"""Samples per second that an encoding may have, the usual first; 16,000 is our own addition."""

BETA_FORMATS = {Encoding.PCM: "pcm16", Encoding.ULAW: "g711_ulaw", Encoding.ALAW: "g711_alaw"}
"""What the beta calls them."""


@dataclass(frozen=True, slots=True)
class AudioFormat:
    """How the bytes of a session hold sound; one channel.

    Args:
        encoding: of a sample; PCM is signed 16-bit little-endian.
        rate: samples per second.
    """

    encoding: Encoding = Encoding.PCM
    rate: int = 24_000

    @property
    def width(self) -> int:
        """Bytes of a sample."""
        return 2 if self.encoding is Encoding.PCM else 1

    def milliseconds(self, size: int) -> float:
        """Tell how long so many bytes sound."""
        return size / self.width / self.rate * 1000


@dataclass(frozen=True, slots=True)
class Transcription:
    """How speech shall become text.

    Args:
        model: wished model; None leaves it to the server.
        language: as the client names it; None if it names none.
        prompt: words that came before, or that are likely to come.
        keywords: words that are likely to occur.
        languages: those that may occur.
    """

    model: str | None = None
    language: str | None = None
    prompt: str = ""
    keywords: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()

    @property
    def spoken(self) -> str:
        """The language to recognise: an ISO 639 code, or ``"auto"``.

        One of several possible ones is for the engine to find; ``zh-CN`` is ``zh``.
        """
        only = self.languages[0] if len(self.languages) == 1 else ""
        name = (self.language or only).replace("_", "-")
        return language_code(name.partition("-")[0].strip() or None)


@dataclass(frozen=True, slots=True)
class TurnDetection:
    """When the server takes an utterance for finished.

    Args:
        threshold: probability from which sound is speech, 0 to 1.
        prefix_padding_ms: sound kept before speech.
        silence_duration_ms: a pause that ends an utterance.
    """

    threshold: float = 0.5
    prefix_padding_ms: int = 300
    silence_duration_ms: int = 500


EAGERNESS = {"low": 1_000, "medium": 500, "auto": 500, "high": 300}
"""``silence_duration_ms`` that stand in for OpenAI's semantic turn detection, which we have not."""


@dataclass(frozen=True, slots=True)
class SessionSettings:
    """All that holds in a session.

    Args:
        format: of the audio that comes.
        transcription: how speech shall become text.
        turn_detection: None where the client commits the audio itself: push to talk.
        include: what else the client wishes to be told, of what ``INCLUDES`` has.
    """

    format: AudioFormat = AudioFormat()
    transcription: Transcription = Transcription()
    turn_detection: TurnDetection | None = TurnDetection()
    include: tuple[str, ...] = ()

    def merged(self, session: Fields, dialect: Dialect) -> SessionSettings:
        """Make the settings that hold after an update.

        Args:
            session: what the update says of the session.
            dialect: of the update.

        Raises:
            BadEvent: a key is missing or wrong. Whether one is does not depend on ``self``.
        """
        if dialect is Dialect.BETA:
            spoken, heard, prefix = session, _beta_format, "input_audio_"
        else:
            if session.string("type") != KIND:
                raise session.wrong("type", f'"{KIND}": this server gives no spoken answers')
            spoken = session.optional_object("audio").optional_object("input")
            heard, prefix = _format, ""
        return SessionSettings(
            format=heard(spoken, self.format),
            transcription=_transcription(spoken, f"{prefix}transcription", self.transcription),
            turn_detection=_turn_detection(spoken, self.turn_detection),
            include=_include(session, self.include),
        )

    def told(self, dialect: Dialect, *, session_id: str, expires_at: int | None) -> dict[str, Any]:
        """Write them as the session object of a server's event, with all that OpenAI's has.

        Args:
            dialect: of the event.
            session_id: such as ``"sess_…"``.
            expires_at: Unix seconds at which the server ends the session, if it does.
        """
        told: dict[str, Any] = {"id": session_id, "object": "realtime.transcription_session"}
        turns = None if (found := self.turn_detection) is None else _told_turns(found)
        if dialect is Dialect.BETA:
            told |= {
                "client_secret": None,  # there is one only where a session is asked for by HTTP
                "input_audio_format": BETA_FORMATS[self.format.encoding],
                "input_audio_transcription": _told_transcription(self.transcription),
                "input_audio_noise_reduction": None,
                "turn_detection": turns,
            }
        else:
            heard = {
                "format": _told_format(self.format),
                "transcription": _told_transcription(self.transcription),
                "noise_reduction": None,  # the engines do without
                "turn_detection": turns,
            }
            told |= {"type": KIND, "audio": {"input": heard}}
        return told | {"include": list(self.include) or None, "expires_at": expires_at}


def _format(heard: Fields, old: AudioFormat) -> AudioFormat:
    if not heard.given("format"):
        return old
    take = heard.optional_object("format")
    pcm = Encoding.PCM.value
    name = take.text("type", longest=LONGEST_NAME, missing=pcm, null=pcm)
    if name not in RATES:
        raise take.wrong("type", "one of " + ", ".join(RATES))
    rates = RATES[name]
    rate = take.whole("rate", largest=LARGEST_RATE, missing=rates[0], null=rates[0])
    if rate not in rates:
        raise take.wrong("rate", " or ".join(map(str, rates)))
    return AudioFormat(Encoding(name), rate)


def _beta_format(heard: Fields, old: AudioFormat) -> AudioFormat:
    key = "input_audio_format"
    if not heard.given(key):
        return old
    pcm = BETA_FORMATS[Encoding.PCM]
    name = heard.text(key, longest=LONGEST_NAME, missing=pcm, null=pcm)
    for encoding, beta_name in BETA_FORMATS.items():
        if name == beta_name:
            return AudioFormat(encoding, RATES[encoding.value][0])
    raise heard.wrong(key, "one of " + ", ".join(BETA_FORMATS.values()))


def _transcription(heard: Fields, key: str, old: Transcription) -> Transcription:
    if heard.null(key):
        return Transcription()  # a session of ours does nothing else: null cannot mean none
    take = heard.optional_object(key)
    return Transcription(
        model=take.text("model", longest=LONGEST_NAME, missing=old.model, null=None),
        language=take.text("language", longest=LONGEST_NAME, missing=old.language, null=None),
        prompt=take.text("prompt", longest=LONGEST_PROMPT, missing=old.prompt, null=""),
        keywords=take.names("keywords", missing=old.keywords),
        languages=take.names("languages", missing=old.languages),
    )


def _turn_detection(heard: Fields, old: TurnDetection | None) -> TurnDetection | None:
    key = "turn_detection"
    if heard.null(key):
        return None
    if not heard.given(key):
        return old
    take, usual = heard.object(key), TurnDetection()
    old = old or usual
    kind = take.text("type", longest=LONGEST_NAME, missing=SERVER_VAD, null=SERVER_VAD)
    if kind == SEMANTIC_VAD:
        eagerness = take.text("eagerness", longest=LONGEST_NAME, missing="auto", null="auto")
        if eagerness not in EAGERNESS:
            raise take.wrong("eagerness", "one of " + ", ".join(EAGERNESS))
        return replace(old, silence_duration_ms=EAGERNESS[eagerness])
    if kind != SERVER_VAD:
        raise take.wrong("type", f'"{SERVER_VAD}" or null')
    return TurnDetection(
        threshold=take.number("threshold", largest=1, missing=old.threshold, null=usual.threshold),
        prefix_padding_ms=take.whole(
            "prefix_padding_ms",
            largest=LONGEST_PAUSE,
            missing=old.prefix_padding_ms,
            null=usual.prefix_padding_ms,
        ),
        silence_duration_ms=take.whole(
            "silence_duration_ms",
            largest=LONGEST_PAUSE,
            missing=old.silence_duration_ms,
            null=usual.silence_duration_ms,
        ),
    )


def _include(session: Fields, old: tuple[str, ...]) -> tuple[str, ...]:
    wished = session.names("include", missing=old)
    return tuple(name for name in INCLUDES if name in wished)


def _told_format(heard: AudioFormat) -> dict[str, Any]:
    told: dict[str, Any] = {"type": heard.encoding.value}
    if heard.encoding is Encoding.PCM:
        told["rate"] = heard.rate  # the others have none: it is 8,000
    return told


def _told_transcription(wished: Transcription) -> dict[str, Any]:
    told: dict[str, Any] = {
        "model": wished.model,
        "language": wished.language,
        "prompt": wished.prompt,
    }
    if wished.keywords:
        told["keywords"] = wished.keywords
    if wished.languages:
        told["languages"] = wished.languages
    return told


def _told_turns(found: TurnDetection) -> dict[str, Any]:
    return {"type": SERVER_VAD, **asdict(found)}
