"""The door for FunASR's clients, in modes ``offline``, ``online`` and ``2pass``, on any path."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from capswriter.errors import UserError
from capswriter.logs import of_task
from capswriter.protocols.funasr import Start, parse
from capswriter.protocols.reading import BadMessage
from capswriter.server.conversation import TASKS_AT_ONCE, Conversation
from capswriter.server.funasr_utterance import FunasrUtterance

if TYPE_CHECKING:
    from starlette.websockets import WebSocket

    from capswriter.server.front import Front

logger = logging.getLogger(__name__)

REFUSALS = 8 * TASKS_AT_ONCE
"""Unfinished utterances, refused ones included, beyond which a client is hung up on."""


async def serve_funasr(websocket: WebSocket, front: Front, client: str, first: str | bytes) -> None:
    """Serve one connection from its first message to its end.

    Raises:
        WebSocketDisconnect: the client has gone.
    """
    await _Connection(websocket, front, client).serve(first)


class _Connection(Conversation):
    """A socket on which one utterance follows the other, each answered in its turn."""

    def __init__(self, websocket: WebSocket, front: Front, client: str) -> None:
        super().__init__(websocket, front, client)
        self._start: Start | None = None
        self._current: FunasrUtterance | None = None  # its audio is coming
        self._latest: FunasrUtterance | None = None
        self._unfinished = 0
        self._count = 0

    @property
    def is_expectant(self) -> bool:
        """Whether the audio of an utterance has begun to come, and not ended."""
        return self._current is not None and not self._current.has_failed

    async def take(self, message: str | bytes) -> None:
        """Take audio, or what is said of it."""
        if isinstance(message, bytes):
            if message:
                await self._open().take(message)
            return
        try:
            said = parse(message, self._start)
        except BadMessage as error:
            self._open().fail(error)
            return
        start = said if isinstance(said, Start) else said.start
        for line in start.ignored:
            logger.info("%s: ignored: %s", self.client, line)
        self._start = start
        if isinstance(said, Start):
            # It holds for the next utterance, if one is under way. One that has failed is over by
            # it: who goes at a failure may never end what has failed.
            if self._current is not None and self._current.has_failed:
                self._current = None
            return
        ended = self._open()
        self._current = None
        await ended.end(wants_acknowledgement=said.wants_acknowledgement)

    def _open(self) -> FunasrUtterance:
        """Give the utterance that is under way, or begin one."""
        if self._current is not None:
            return self._current
        self._count += 1
        utterance = FunasrUtterance(
            self._start or Start(),
            self.front,
            self.outbox,
            client=self.client,
            after=self._latest,
        )
        self._current = self._latest = utterance
        try:
            self.refuse_if_full(self._unfinished)
        except UserError as error:
            utterance.fail(error)
        self._unfinished += 1
        if self._unfinished > REFUSALS:
            self.hang_up(f"over {REFUSALS} utterances are unfinished")
        with of_task(f"u{self._count}"):
            self.group.start_soon(self._run, utterance)
        return utterance

    async def _run(self, utterance: FunasrUtterance) -> None:
        try:
            with self.front.utterance():
                await utterance.run()
                await self.outbox.emptied()
        finally:
            utterance.close()
            self._unfinished -= 1
