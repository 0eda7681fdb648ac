"""FunASR's wire format, the server's side: what its clients send, what they are told.

A client says how it will speak (``Start``), sends audio in binary frames, and says that it has
ended (``End``); then it may start again. The server answers with ``Result`` after ``Result``, the
last with ``is_final``, and with an ``Acknowledgement`` where the client asked for one; or with a
``Failure``. Facts about clients, each with its source: FunASR's ``runtime/`` directory.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from enum import Enum
from typing import TYPE_CHECKING, Any, Literal

import orjson

from capswriter.protocols.funasr_hotwords import BadHotwords, Hotwords, parse_hotwords
from capswriter.protocols.reading import BadMessage, Fields, read_object

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

SUBPROTOCOL = "binary"
"""What the Python client offers, and insists on; all others offer nothing."""

LARGEST = 2**20
"""Characters of a message that is read: FunASR's own servers take no more."""

LONGEST_NAME = 1_000
"""Characters of a ``wav_name``, which every answer repeats."""

SAMPLE_RATES = (1_000, 384_000)
"""Hz: the lowest and the highest."""

SVS_LANGUAGES = frozenset({"auto", "zh", "en", "yue", "ja", "ko"})

SAMPLES = frozenset({"pcm", "wav"})
"""Formats that are samples, perhaps behind the header of a WAV file."""

UNIT = 0.06
"""Seconds in which ``chunk_size`` counts."""

LONGEST_CHUNK = 1_000
"""Such units: a minute."""

_KEYS = frozenset(
    {
        "audio_fs",
        "chunk_interval",
        "chunk_size",
        "decoder_chunk_look_back",
        "encoder_chunk_look_back",
        "hotwords",
        "is_end",
        "is_finished",
        "is_speaking",
        "itn",
        "mode",
        "svs_itn",
        "svs_lang",
        "wav_format",
        "wav_name",
    }
)
_CAPSWRITERS_KEYS = frozenset({"data", "source", "task_id"})

AnswerMode = Literal["offline", "online", "2pass-online", "2pass-offline"]


class Mode(Enum):
    """What the client wants to hear, and when."""

    OFFLINE = "offline"
    """One result, at the end."""

    ONLINE = "online"
    """Increments as they form."""

    BOTH = "2pass"
    """Increments, and at each pause the sentence that replaces them."""


_MODES = {each.value: each for each in Mode} | {"office": Mode.OFFLINE}  # as C# misspells it


@dataclass(frozen=True, slots=True)
class Start:
    """Client to server: how it speaks from now on.

    Args:
        mode: see there.
        chunk_size: look-back, chunk and look-ahead, in units of 60 ms.
        chunk_interval: frames in which the client sends a chunk; nobody has to count on it.
        wav_name: the client's name for the audio, to be repeated in the answers.
        wav_format: in lower case: ``pcm``, or the extension of a file, or ``others``.
        sample_rate: of samples, in Hz; ``audio_fs`` on the wire.
        hotwords: with their weights.
        itn: whether spoken numbers are to be written as numbers.
        svs_lang: language for SenseVoice, or ``auto``.
        svs_itn: like ``itn``, for SenseVoice.
        ignored: what the message asked for in a way that cannot be understood, a line each, for
            the log. FunASR's servers pass over such things, so clients in the field have them.
    """

    mode: Mode = Mode.BOTH
    chunk_size: tuple[int, int, int] = (5, 10, 5)
    chunk_interval: int = 10
    wav_name: str = "microphone"
    wav_format: str = "pcm"
    sample_rate: int = 16_000
    hotwords: Hotwords = ()
    itn: bool = True
    svs_lang: str = "auto"
    svs_itn: bool = True
    ignored: tuple[str, ...] = ()

    @property
    def is_samples(self) -> bool:
        """Whether the audio is 16-bit samples, little-endian, mono; otherwise, a whole file.

        Even samples may have the header of a WAV file before them, which may tell otherwise.
        """
        return self.wav_format in SAMPLES

    @property
    def chunk_seconds(self) -> float:
        """Seconds of audio after which a client expects an increment."""
        return self.chunk_size[1] * UNIT

    @property
    def increments(self) -> AnswerMode | None:
        """The mode of results that are to be appended; None where there shall be none."""
        increments: dict[Mode, AnswerMode] = {Mode.ONLINE: "online", Mode.BOTH: "2pass-online"}
        return increments.get(self.mode)

    @property
    def sentences(self) -> AnswerMode | None:
        """The mode of results that stand for good; None where increments are all there is."""
        sentences: dict[Mode, AnswerMode] = {
            Mode.OFFLINE: "offline",
            Mode.BOTH: "2pass-offline",
        }
        return sentences.get(self.mode)

    @property
    def last(self) -> AnswerMode:
        """The mode of the result that is final."""
        return self.sentences or "online"


@dataclass(frozen=True, slots=True)
class End:
    """Client to server: the audio is complete.

    Args:
        start: what held for it; html5 says half of it again here.
        wants_acknowledgement: the client waits for one.
    """

    start: Start
    wants_acknowledgement: bool = False


def is_funasr(message: str) -> bool:
    """Tell whether the first text message of a connection is FunASR's; if not, it is CapsWriter's.

    CapsWriter's first one may be a whole file, hundreds of megabytes: such are not looked at.
    """
    if len(message) > LARGEST:
        return False
    try:
        keys = read_object(message).keys()
    except BadMessage:
        return False
    return bool(keys & _KEYS) and not keys & _CAPSWRITERS_KEYS


def parse(message: str, before: Start | None = None) -> Start | End:
    """Read a message; unknown keys are ignored.

    Args:
        message: as it came.
        before: the client's last start. What the message does not say stays as it was: C++ clients
            send their hotwords only with the first of several files.

    Raises:
        BadMessage: it is no JSON object, or says of the audio what cannot be.
    """
    if len(message) > LARGEST:
        raise BadMessage(f"the message has more than {LARGEST} characters")
    fields = read_object(message)
    take = Fields(fields)
    speaking, finished = take.optional_flag("is_speaking"), take.optional_flag("is_finished")
    start = _start(take, before)
    ended = bool(take.optional_flag("is_end"))
    if speaking is False or finished or ended:
        return End(start, wants_acknowledgement=ended)
    return start


def _start(take: Fields, before: Start | None) -> Start:
    changes: dict[str, Any] = {
        "mode": _mode(take),
        "wav_name": _wav_name(take),
        "wav_format": _wav_format(take),
        "sample_rate": take.optional_whole("audio_fs", *SAMPLE_RATES),
    }
    ignored: list[str] = []
    for key, read in _ADVICE.items():
        if not take.has(key):
            continue
        try:
            changes[key] = read(take)
        except (BadHotwords, BadMessage) as error:
            ignored.append(str(error))
    said = {key: value for key, value in changes.items() if value is not None}
    if before is None:
        said.setdefault("mode", _unsaid_mode(take))
    return replace(before or Start(), **said, ignored=tuple(ignored))


def _unsaid_mode(take: Fields) -> Mode:
    """Choose for who does not say it.

    The C++ client for files does not, and takes the first result for the only one. It says what
    its audio is, as those who stream hardly do.
    """
    says_audio = take.has("wav_format") or take.has("audio_fs")
    return Mode.OFFLINE if says_audio else Mode.BOTH


def _mode(take: Fields) -> Mode | None:
    sent = take.optional_string("mode")
    if sent is None:
        return None
    try:
        return _MODES[sent.strip().lower()]
    except KeyError:
        raise take.wrong("mode", "offline, online or 2pass") from None


def _wav_name(take: Fields) -> str | None:
    name = take.optional_string("wav_name")
    if name is not None and len(name) > LONGEST_NAME:
        raise take.wrong("wav_name", f"at most {LONGEST_NAME} characters")
    return name


def _wav_format(take: Fields) -> str | None:
    sent = take.optional_string("wav_format")
    return None if sent is None else sent.strip().lower().removeprefix(".") or "pcm"


def _chunk_size(take: Fields) -> tuple[int, int, int]:
    sent = take.value("chunk_size")
    if isinstance(sent, str):
        sent = re.findall(r"-?\d{1,6}", sent) if re.fullmatch(r"[\s\d,\[\]-]*", sent) else None
    try:
        back, chunk, ahead = (int(number) for number in sent)
    except (TypeError, ValueError):
        chunk = 0
    if not 1 <= chunk <= LONGEST_CHUNK:
        raise take.wrong("chunk_size", "three whole numbers")
    return back, chunk, ahead


def _svs_lang(take: Fields) -> str:
    language = take.string("svs_lang").strip().lower()
    if language not in SVS_LANGUAGES:
        raise take.wrong("svs_lang", "one of " + ", ".join(sorted(SVS_LANGUAGES)))
    return language


_ADVICE: Mapping[str, Callable[[Fields], Any]] = {
    "chunk_size": _chunk_size,
    "chunk_interval": lambda take: take.whole("chunk_interval", 1, 100_000),
    "hotwords": lambda take: parse_hotwords(take.value("hotwords")),
    "itn": lambda take: take.flag("itn"),
    "svs_lang": _svs_lang,
    "svs_itn": lambda take: take.flag("svs_itn"),
}
"""What the audio can be understood without."""


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence with its times; ``stamp_sents`` on the wire.

    Args:
        words: characters and words, without punctuation.
        punctuation: what stands after them.
        start: ms from the start of the audio.
        end: ms.
        times: start and end of each of ``words``, ms.
    """

    words: Sequence[str]
    punctuation: str
    start: int
    end: int
    times: Sequence[tuple[int, int]]

    def fields(self) -> Mapping[str, Any]:
        """Give it as it stands in a result."""
        return {
            "text_seg": " ".join(self.words),
            "punc": self.punctuation,
            "start": self.start,
            "end": self.end,
            "ts_list": self.times,
        }


@dataclass(frozen=True, slots=True)
class Result:
    """Server to client: some text.

    Args:
        mode: ``online`` and ``2pass-online``: to be appended; ``2pass-offline``: in place of all
            increments since the last such; ``offline``: all there is.
        text: what was said.
        wav_name: the client's.
        is_final: the last one after the end: some clients go then, others only then.
        times: start and end of each character, or word of Latin letters, in ms.
        sentences: with their times.
    """

    mode: AnswerMode
    text: str
    wav_name: str
    is_final: bool = False
    times: Sequence[tuple[int, int]] = ()
    sentences: Sequence[Sentence] = ()

    def encode(self) -> str:
        """Write the message.

        The times are a string: html5 parses it, Go has no other type for it. They are left out
        where html5 would look for more than there are, and lose the text over it.
        """
        message: dict[str, Any] = _envelope(self.mode, self.text, self.wav_name, self.is_final)
        if self.times and len(self.times) >= _times_needed(self.text):
            message["timestamp"] = orjson.dumps(self.times).decode()
        if self.sentences:
            message["stamp_sents"] = [sentence.fields() for sentence in self.sentences]
        return orjson.dumps(message).decode()


@dataclass(frozen=True, slots=True)
class Acknowledgement:
    """Server to client: all results have been sent; for those who ask for it.

    Args:
        mode: of the results.
        wav_name: the client's.
    """

    mode: AnswerMode
    wav_name: str

    def encode(self) -> str:
        """Write the message."""
        message = _envelope(self.mode, "", self.wav_name, is_final=True)
        return orjson.dumps(message | {"is_end": True}).decode()


@dataclass(frozen=True, slots=True)
class Failure:
    """Server to client: the audio stays without (the rest of) its text.

    Args:
        mode: of the results.
        wav_name: the client's.
        message: one line for a person.
        code: for programs.
        retryable: whether the same may work later.
        retry_after: seconds after which, where known.
        acknowledges: the client waits for an acknowledgement, and this is it.
    """

    mode: AnswerMode
    wav_name: str
    message: str
    code: str = "internal"
    retryable: bool = False
    retry_after: float | None = None
    acknowledges: bool = False

    def encode(self) -> str:
        """Write the message, so that nobody waits on.

        It is final, as those who wait for a result need it to be; who waits for an acknowledgement
        takes one that is final for success.
        """
        message = _envelope(self.mode, "", self.wav_name, is_final=not self.acknowledges)
        message |= {"error": self.message, "code": self.code, "retryable": self.retryable}
        if self.acknowledges:
            message["is_end"] = True
        if self.retry_after is not None:
            message["retry_after"] = self.retry_after
        return orjson.dumps(message).decode()


def _envelope(mode: AnswerMode, text: str, wav_name: str, is_final: bool) -> dict[str, Any]:  # noqa: FBT001
    """Give what has to be in every message, or Android's, C#'s and Go's clients fall over."""
    return {"mode": mode, "text": text, "wav_name": wav_name, "is_final": is_final}


def _times_needed(text: str) -> int:
    """Count how many times html5 looks up for a text, ``handleWithTimestamp`` in its main.js.

    It looks one up for each run of text between punctuation, and goes on by one after Latin
    letters, and by as many as there are UTF-16 units after anything else.
    """
    needed = index = 0
    for run in re.split(r"[。？，、?. ,]", text):
        if run:
            needed = index + 1
            is_word = re.fullmatch(r"[a-zA-Z]+", run)
            index += 1 if is_word else len(run.encode("utf-16-le", "surrogatepass")) // 2
    return needed
