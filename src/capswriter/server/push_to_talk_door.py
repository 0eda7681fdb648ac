"""The door of ``/ws/asr``: push to talk."""

from __future__ import annotations

from typing import TYPE_CHECKING

from capswriter.protocols import ours
from capswriter.protocols.ours import Event, Options, Ping
from capswriter.protocols.push_to_talk import (
    STEPS,
    Final,
    Partial,
    Reset,
    Segment,
    Start,
    Started,
    WasReset,
    parse,
)
from capswriter.server import round as rounds
from capswriter.server.messages import first_message
from capswriter.server.speaking import Speaking, Spoken
from capswriter.text.characters import LATIN_WIDTH, width

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from starlette.websockets import WebSocket

    from capswriter.protocols.capswriter import Failure
    from capswriter.server.front import Front


async def serve_push_to_talk(websocket: WebSocket, front: Front, client: str) -> None:
    """Serve one connection from its opening to its end.

    Raises:
        WebSocketDisconnect: the client has gone.
    """
    first = await first_message(websocket, front.config, client)
    if first is not None:
        await _PushToTalk(websocket, front, client).serve(first)


class _PushToTalk(Speaking):
    steps = STEPS

    def __init__(self, websocket: WebSocket, front: Front, client: str) -> None:
        super().__init__(websocket, front, client)
        self._phrases: dict[str, list[rounds.Phrase]] = {}  # of each unfinished round

    def read(self, message: str) -> Options | Event | Ping:
        command = parse(message)
        if isinstance(command, Start):
            return command.options
        if isinstance(command, Ping):
            return command
        return Event.RESET if isinstance(command, Reset) else Event.STOP

    def greet(self, session_id: str) -> None:
        """Do nothing: ``started`` is said at once where it can be."""

    def welcome(self, spoken: Spoken) -> None:
        self._phrases[spoken.id] = []
        self.say_again(spoken)

    def say_again(self, spoken: Spoken) -> None:
        self.outbox.put(Started(spoken.id).encode)

    def tell(self, spoken: Spoken, heard: rounds.Event) -> None:
        if isinstance(heard, rounds.Final):
            self._phrases.pop(spoken.id)
            self.outbox.put_last(spoken.id, _final(spoken.id, heard).encode)
            return
        phrases = self._phrases[spoken.id]
        guess = heard if isinstance(heard, rounds.Partial) else None
        if isinstance(heard, rounds.Phrase):
            phrases.append(heard)
        if spoken.partials:
            self.outbox.put_partial(spoken.id, _so_far(spoken.id, (*phrases,), guess))

    def report(self, told: Failure, *, begun: bool) -> None:
        self._phrases.pop(told.task_id, None)
        refused = ours.Failure(
            told.code,
            told.message,
            retryable=told.retryable,
            retry_after=told.retry_after,
            session_id=told.task_id if begun else None,  # of which nobody has heard
        )
        self.outbox.put(refused.encode)

    def tell_dropped(self, session_id: str | None) -> None:
        if session_id is not None:
            self._phrases.pop(session_id, None)
        self.outbox.put(WasReset(session_id).encode)


def _so_far(
    session_id: str, phrases: Sequence[rounds.Phrase], guess: rounds.Partial | None
) -> Callable[[], str]:
    """Make a partial, once it is sent: a round may have an hour of phrases."""

    def write() -> str:
        pieces: Sequence[rounds.Phrase | rounds.Partial] = (*phrases, guess) if guess else phrases
        text = "".join(token.text for phrase in phrases for token in phrase.tokens).lstrip()
        if guess is not None:
            text = _joined(text, guess.text)
        start, end = round(pieces[0].start, 3), round(pieces[-1].end, 3)
        return Partial(session_id, text, start, end).encode()

    return write


def _joined(text: str, more: str) -> str:
    """Put a space between two texts where the script has spaces between words."""
    edges = text[-1:] + more[:1]
    spaced = len(edges) > 1 and width(edges) <= 2 * LATIN_WIDTH and not text[-1].isspace()
    return f"{text} {more}" if spaced else text + more


def _final(session_id: str, final: rounds.Final) -> Final:
    segments = [
        Segment(round(phrase.start, 3), round(phrase.end, 3), phrase.text)
        for phrase in final.phrases
        if phrase.text
    ]
    latency_ms = round(1000 * final.latency, 1)
    return Final(session_id, final.text, segments, round(final.duration, 3), latency_ms)
