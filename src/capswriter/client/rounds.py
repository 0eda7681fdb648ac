"""What a session has been told and has not got an answer to yet, and what it has to tell."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from capswriter.errors import UserError

CHUNK = 2**16
"""Bytes in a frame at most."""

TRIES = 5
"""Times that a round is sent before its failure counts."""


@dataclass(frozen=True, slots=True)
class Partial:
    """What is known of a round so far; the next event takes its place.

    Args:
        text: since the start of the round.
        start: seconds from the start of the round, where ``text`` begins.
        end: where it ends.
    """

    text: str
    start: float
    end: float


@dataclass(frozen=True, slots=True)
class Segment:
    """A piece of a text with its times in seconds from the start of the round."""

    text: str
    start: float
    end: float


@dataclass(frozen=True, slots=True)
class Final:
    """The text of a round; there is one for each.

    Args:
        text: all of it; empty where nothing was said.
        segments: the text in pieces.
        duration: seconds of audio.
        latency_ms: milliseconds that the server took from the stop to the text.
    """

    text: str
    segments: tuple[Segment, ...]
    duration: float
    latency_ms: float


Event: TypeAlias = "Partial | Final"


@dataclass(eq=False, slots=True)
class Round:
    """What has been said since a start, and how far the server has it."""

    audio: bytearray = field(default_factory=bytearray)
    is_stopped: bool = False
    is_dropped: bool = False  # by the user
    is_sent: bool = False  # or being sent, on this connection
    tries: int = 0


class Rounds:
    """The rounds of a session; one side adds to them, the other sends them and answers."""

    def __init__(self) -> None:
        self.open: Round | None = None
        """The one that is being spoken; it may have failed all the same."""
        self.to_tell = asyncio.Event()
        """Whoever waits for events has to look again."""
        self._to_send = asyncio.Event()
        self._unanswered: list[Round] = []  # in order
        self._events: deque[Event | UserError] = deque()
        self._any = False

    @property
    def is_done(self) -> bool:
        """Whether somebody has spoken, and everything has ended and been answered."""
        return self._any and self.open is None and not self._unanswered

    @property
    def is_waiting(self) -> bool:
        """Whether an answer is still to come."""
        return bool(self._unanswered)

    def __contains__(self, each: Round) -> bool:
        return each in self._unanswered

    def add(self, audio: bytes) -> None:
        """Add audio to the open round, and begin one where none is."""
        if self.open is None:
            self.open = Round()
            self._unanswered.append(self.open)
            self._any = True
        if self.open in self:
            self.open.audio += audio
        self._to_send.set()

    def stop(self) -> None:
        """End the open round, if there is one."""
        self._any = True  # who stops waits for no more
        if self.open is not None:
            self.open.is_stopped = True
        self._leave()

    def drop(self) -> None:
        """Forget the open round, if there is one."""
        if self.open is not None:
            self.open.is_dropped = True
            if self.open in self:
                self._unanswered.remove(self.open)
                self._forget_partial()
            self._leave()

    def tell_partial(self, partial: Partial) -> None:
        """Take what is known so far."""
        self._forget_partial()
        self._events.append(partial)
        self.to_tell.set()

    def answer(self, answered: Round, answer: Final | UserError) -> None:
        """Take the answer to a round; there is one for each."""
        self._forget_partial()
        self._unanswered.remove(answered)
        self._events.append(answer)
        self.to_tell.set()
        self._to_send.set()

    def take_event(self) -> Event | UserError | None:
        """Give what is to be told next, if there is anything."""
        return self._events.popleft() if self._events else None

    def take_back(self, error: UserError) -> None:
        """Have everything sent again, but for what has been sent often enough."""
        for each in tuple(self._unanswered):
            each.is_sent = False
            if each.tries >= TRIES:
                self.answer(each, error)

    async def next_unsent(self) -> Round:
        """Wait for a round that has not been sent on this connection."""
        while True:
            self._to_send.clear()
            for each in self._unanswered:
                if not each.is_sent:
                    return each
            await self._to_send.wait()

    async def more(self, each: Round, sent: int) -> bytes:
        """Wait for audio of a round beyond ``sent`` bytes; none where none will be wanted."""
        while True:
            self._to_send.clear()
            if each not in self:
                return b""
            if sent < len(each.audio):
                return bytes(each.audio[sent : sent + CHUNK])
            if each.is_stopped:
                return b""
            await self._to_send.wait()

    def _leave(self) -> None:
        self.open = None
        self._to_send.set()
        self.to_tell.set()

    def _forget_partial(self) -> None:
        """Drop a partial that nobody has taken: what follows makes it worthless."""
        if self._events and isinstance(self._events[-1], Partial):
            self._events.pop()
