"""A round of a live session: somebody speaks, phrases come back as they end, and at the end all."""

from __future__ import annotations

import time
from bisect import bisect_right
from contextlib import aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from capswriter.audio.segment import SegmentPolicy
from capswriter.pool import Options, Priority
from capswriter.server.task_log import logged
from capswriter.sessions import AudioFormat, Update, Utterance

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Sequence

    from capswriter.server.front import Front
    from capswriter.transcript import Token

PAUSE = 1.0
"""Seconds of silence that end a phrase: what was said is recognised while the key is still down."""


@dataclass(frozen=True, slots=True)
class Phrase:
    """What was said between two pauses; nothing changes it any more but the finishing at the end.

    Args:
        text: without white space at its ends.
        start: seconds from the start of the round.
        end: likewise.
        tokens: with the space that separates it from the phrase before.
    """

    text: str
    start: float
    end: float
    tokens: tuple[Token, ...]


@dataclass(frozen=True, slots=True)
class Partial:
    """What the open phrase sounds like so far; the next event replaces it."""

    text: str
    start: float
    end: float


@dataclass(frozen=True, slots=True)
class Final:
    """The end of a round.

    Args:
        phrases: all of them, as they are to be written.
        duration: seconds of audio that the round has had, all of it dealt with.
        latency: seconds from the end of the audio.
        language: of the last phrase, ISO 639-1; empty where nothing was said.
    """

    phrases: tuple[Phrase, ...]
    duration: float
    latency: float
    language: str

    @property
    def text(self) -> str:
        """The whole of it."""
        return "".join(token.text for phrase in self.phrases for token in phrase.tokens).strip()


Event: TypeAlias = "Partial | Phrase | Final"


class Round:
    """Audio in by ``write``, then ``end``; what is heard out by ``events`` meanwhile.

    Args:
        front: what the server's doors share.
        client: whose round it is.
        audio_format: of the bytes.
        rate: samples in a second, outside of containers.
        options: for the engine.
        partials: whether guesses are wanted.
        pause: seconds of silence that end a phrase; at least 1.

    Raises:
        Overloaded: too much waits already.
        RecogniserClosed: the server is stopping.
    """

    def __init__(
        self,
        front: Front,
        *,
        client: str,
        audio_format: AudioFormat = AudioFormat.S16LE,
        rate: int = 16_000,
        options: Options | None = None,
        partials: bool = True,
        pause: float = PAUSE,
    ) -> None:
        self._front = front
        self._ended: float | None = None
        self._utterance = Utterance(
            front.recogniser,
            front.ears,
            audio_format=audio_format,
            rate=rate,
            options=options,
            policy=SegmentPolicy(pause=max(PAUSE, pause)),
            priority=Priority.INTERACTIVE,
            client=client,
            longest=front.config.max_audio_hours * 3600,
            live=True,
            partials=partials,
            finishing=front.finishing,
        )

    @property
    def received(self) -> int:
        """Bytes written so far."""
        return self._utterance.received

    async def write(self, data: bytes) -> None:
        """Take bytes of audio, which need not end between two samples.

        Raises:
            AudioTooLong, BadAudio: the audio cannot be accepted.
        """
        await self._utterance.write(data)

    def end(self) -> None:
        """Tell that nothing follows; telling it twice is harmless."""
        if self._ended is None:
            self._ended = time.monotonic()
            self._utterance.end()

    async def events(self) -> AsyncGenerator[Event, None]:
        """Recognise; the last event is the only ``Final``. Close it when leaving early.

        Raises:
            UserError: the round has failed.
        """
        phrases: list[Phrase] = []
        with self._front.utterance(), logged("live", self._utterance, self._front.recogniser):
            async with aclosing(self._utterance.updates()) as updates:
                async for update in updates:
                    if update.tokens:
                        phrases.append(_phrase(update.tokens))
                        yield phrases[-1]
                    elif update.partial:
                        heard = _phrase(update.partial)
                        yield Partial(heard.text, heard.start, heard.end)
                    if update.is_last:
                        yield self._final(phrases, update)

    def close(self) -> None:
        """Free what is stored, where ``events`` was never iterated; closing twice is harmless."""
        self._utterance.close()

    def _final(self, phrases: Sequence[Phrase], update: Update) -> Final:
        written = phrases if update.finished is None else _divided(update.finished, phrases)
        latency = time.monotonic() - (self._ended or time.monotonic())
        return Final(tuple(written), update.covered, latency, update.language)


def _phrase(tokens: tuple[Token, ...]) -> Phrase:
    text = "".join(token.text for token in tokens).strip()
    return Phrase(text, tokens[0].start, tokens[-1].end, tokens)


def _divided(tokens: Sequence[Token], phrases: Sequence[Phrase]) -> list[Phrase]:
    """Divide finished tokens into the phrases that they were said in."""
    starts = [phrase.start for phrase in phrases]
    said: list[list[Token]] = [[] for _ in phrases]
    for token in tokens:
        said[max(0, bisect_right(starts, token.start) - 1)].append(token)
    return [_phrase(tuple(each)) for each in said if each]
