"""The input audio buffer of an OpenAI session: what is appended, until it is an item."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Protocol

from capswriter.protocols.openai_realtime import (
    SHORTEST_COMMIT_MS,
    SpeechStarted,
    SpeechStopped,
    commit_empty,
)
from capswriter.server.openai_turns import SHORTEST_MS, TurnDetector

if TYPE_CHECKING:
    from capswriter.protocols.openai_realtime import ServerEvent
    from capswriter.protocols.openai_session import SessionSettings
    from capswriter.server.openai_item import Item
    from capswriter.sessions import Ears

BATCH_MS = 96
"""Milliseconds of audio that are dealt with at once: three of the detector's frames.

Clients send 20 at a time, and each visit to a thread has its price: half of all that a session
costs, if it were for so little.
"""

PIECE_MS = 5_000
"""Milliseconds that one visit to a thread judges at most: some 10 ms of work."""


class Session(Protocol):
    """What the buffer's session does for it."""

    def open_item(self) -> Item:
        """Make an item, and have it run."""
        ...

    def commit(self, item: Item) -> None:
        """Make an item part of the conversation, and tell it."""
        ...

    def tell(self, event: ServerEvent) -> None:
        """Send an event."""
        ...


class AudioBuffer:
    """The audio appended since the last item, and where turns are detected, what finds them.

    Where they are not, all of it goes to an open item. Where they are, it goes to a tape
    until it is judged: in a turn it then goes on to the item, and outside of one it is forgotten,
    but for what ``prefix_padding_ms`` asks to keep.

    Args:
        session: whose it is.
        settings: that hold at the beginning.
        ears: where detectors run.
    """

    def __init__(self, session: Session, settings: SessionSettings, ears: Ears) -> None:
        self._session = session
        self._settings = settings
        self._ears = ears
        self._item: Item | None = None
        self._detector: TurnDetector | None = None  # made with the first audio
        self._speaking = False  # when a detector begins
        self._tape = bytearray()
        self._fresh = bytearray()  # the end of the tape, which the detector has not had
        self._before = 0  # bytes before the tape, since the detector began
        self._began = 0.0  # milliseconds of the session before that

    @property
    def is_open(self) -> bool:
        """Whether an item is being spoken that is not committed yet."""
        return self._item is not None

    async def configure(self, settings: SessionSettings) -> None:
        """Heed other settings from now on; an open item keeps those that it began with.

        The caller has seen to it that the format stays the same while an item is open.
        """
        old, new = self._settings, settings
        if (old.format, old.turn_detection) != (new.format, new.turn_detection):
            if self._item is not None:
                await self._move(self._before + len(self._tape))
            self._restart()
        self._settings = settings

    async def append(self, data: bytes) -> None:
        """Take more audio."""
        if not data:
            return
        turns = self._settings.turn_detection
        self._tape += data
        if turns is None:
            self._item = self._item or self._session.open_item()
            if len(self._tape) >= self._bytes(BATCH_MS):
                await self._move(self._before + len(self._tape))
            return
        self._fresh += data
        while len(self._fresh) >= self._bytes(BATCH_MS):
            piece = bytes(self._fresh[: self._bytes(PIECE_MS)])
            del self._fresh[: len(piece)]
            await self._judge(piece)

    async def commit(self, event_id: str | None) -> None:
        """Make an item of all there is.

        Args:
            event_id: the client's name for its wish.

        Raises:
            BadEvent: there is next to nothing.
        """
        received = 0 if self._item is None else self._item.received
        size = received + len(self._tape)
        milliseconds = self._settings.format.milliseconds(size)
        if milliseconds < SHORTEST_COMMIT_MS:
            raise commit_empty(milliseconds, event_id=event_id)
        in_turn = self._item is not None and self._settings.turn_detection is not None
        self._item = self._item or self._session.open_item()
        await self._move(self._before + len(self._tape))
        self._finish(tell=in_turn)
        self._restart()

    def clear(self) -> None:
        """Forget all of it."""
        if self._item is not None:
            self._item.drop()
            self._item = None
        self._restart()

    async def _judge(self, piece: bytes) -> None:
        loop, executor = asyncio.get_running_loop(), self._ears.executor
        if self._detector is None:
            self._detector = await loop.run_in_executor(executor, self._new_detector)
        for edge in await loop.run_in_executor(executor, self._detector.push, piece):
            if edge.begins:
                await self._move(max(self._before, edge.at - self._padding))
                self._item = self._session.open_item()
                self._session.tell(SpeechStarted(self._item.id, self._milliseconds))
            elif self._item is not None:
                await self._move(edge.at)
                self._finish(tell=True)
        judged = self._detector.judged
        if self._item is None:
            # What may turn out to be the beginning of a turn was judged, too.
            judged -= self._padding + self._bytes(SHORTEST_MS)
        await self._move(max(self._before, judged))

    def _new_detector(self) -> TurnDetector:
        """In a thread: the first detector loads its network."""
        turns = self._settings.turn_detection
        assert turns is not None  # noqa: S101  # who calls this has looked
        frames = self._ears.detector()
        return TurnDetector(frames, self._settings.format, turns, speaking=self._speaking)

    async def _move(self, until: int) -> None:
        """Take the tape up to there, for the item if one is open."""
        taken = bytes(self._tape[: until - self._before])
        del self._tape[: len(taken)]
        self._before += len(taken)
        if self._item is not None and taken:
            await self._item.write(taken)

    def _finish(self, *, tell: bool) -> None:
        """Commit the open item."""
        assert self._item is not None  # noqa: S101  # who calls this has looked
        item, self._item = self._item, None
        if tell:
            self._session.tell(SpeechStopped(item.id, self._milliseconds))
        self._session.commit(item)

    def _restart(self) -> None:
        """Forget what is in no item, and listen anew."""
        self._began += self._settings.format.milliseconds(self._before + len(self._tape))
        self._before = 0
        self._tape.clear()
        self._fresh.clear()
        self._detector = None
        self._speaking = self._item is not None

    @property
    def _milliseconds(self) -> int:
        """Of the session, before the tape."""
        return round(self._began + self._settings.format.milliseconds(self._before))

    @property
    def _padding(self) -> int:
        turns = self._settings.turn_detection
        return 0 if turns is None else self._bytes(turns.prefix_padding_ms)

    def _bytes(self, milliseconds: int) -> int:
        """Whole samples."""
        heard = self._settings.format
        return milliseconds * heard.rate // 1000 * heard.width
