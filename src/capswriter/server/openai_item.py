"""An item of an OpenAI session: audio that is recognised while it comes, told once committed."""

from __future__ import annotations

import logging
from contextlib import aclosing
from typing import TYPE_CHECKING
from uuid import uuid4

import anyio

from capswriter.errors import UserError
from capswriter.logs import of_task
from capswriter.pool import Options
from capswriter.protocols.capswriter import Code
from capswriter.protocols.openai_realtime import Completed, Delta, Failed
from capswriter.server.failures import failure
from capswriter.server.openai_turns import FORMATS
from capswriter.server.round import Final, Phrase, Round

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from capswriter.protocols.openai_realtime import ErrorType, ServerEvent
    from capswriter.protocols.openai_session import SessionSettings
    from capswriter.server.front import Front

logger = logging.getLogger(__name__)

CLIENTS_FAULT = {Code.BAD_REQUEST.value, Code.AUDIO_TOO_LONG.value}


def new_id(kind: str) -> str:
    """Make an id that no other has, such as ``"item_…"``."""
    return f"{kind}_{uuid4().hex}"


class Item:
    """One item: ``write`` its audio, ``commit`` or ``drop`` it, and ``run`` it meanwhile.

    What it hears is told once it is committed and the one before has had its end, so that the
    items of a session are told in their order. A failure at any time is told then, too, as
    ``Failed``: every committed item has one end.

    Args:
        front: what the server's doors share.
        tell: sends an event.
        client: whose item it is.
        settings: that hold now.
        refused: why there is no room for it, if there is none.
    """

    def __init__(
        self,
        front: Front,
        tell: Callable[[ServerEvent], None],
        *,
        client: str,
        settings: SessionSettings,
        refused: UserError | None = None,
    ) -> None:
        self.id = new_id("item")
        self.received = 0  # bytes
        self.ended = anyio.Event()
        self._front = front
        self._tell = tell
        self._client = client
        self._committed = anyio.Event()
        self._previous: anyio.Event | None = None
        self._life = anyio.CancelScope()
        self._hearing = anyio.CancelScope()
        self._phrases: list[Phrase] = []  # that are not told yet
        self._told = ""
        self._failure: Exception | None = refused
        self._round: Round | None = None
        if refused is None:
            try:
                self._round = _round(front, client, settings)
            except UserError as error:
                self._failure = error

    async def write(self, data: bytes) -> None:
        """Take bytes of audio; those of an item that has failed are passed over."""
        self.received += len(data)
        if self._round is None or self._failure is not None:
            return
        try:
            await self._round.write(data)
        except UserError as error:
            self._failure = error
            self._hearing.cancel()

    def commit(self, previous: anyio.Event | None) -> None:
        """Tell that the audio is complete, and wanted.

        Args:
            previous: set when the item before has had its end.
        """
        self._previous = previous
        if self._round is not None:
            self._round.end()
        self._committed.set()

    def drop(self) -> None:
        """Forget it; nothing is told."""
        self._life.cancel()

    async def run(self, sent: Callable[[], Awaitable[None]]) -> None:
        """Recognise what is written, and tell it.

        Args:
            sent: waits until everything told has been handed to the socket.
        """
        try:
            with of_task(self.id), self._front.utterance(), self._life:
                final = await self._recognised()
                await self._committed.wait()
                await self._turn()
                if final is None:
                    self._fail()
                else:
                    self._complete(final)
                await sent()
        finally:
            self.close()
            self.ended.set()

    async def _recognised(self) -> Final | None:
        """Recognise; None where that failed."""
        final = None
        if self._round is not None:
            with self._hearing:
                try:
                    final = await self._hear(self._round)
                except Exception as error:  # noqa: BLE001  # told when it is the item's turn
                    self._failure = error
        return final

    async def _hear(self, speech: Round) -> Final | None:
        final = None
        async with aclosing(speech.events()) as events:
            async for event in events:
                if isinstance(event, Final):
                    final = event
                elif isinstance(event, Phrase):
                    self._phrases.append(event)
                    self._tell_phrases()
        return final

    def _tell_phrases(self) -> None:
        """Tell all phrases but the newest: only the end shows how that one is to be written."""
        is_turn = self._previous is None or self._previous.is_set()
        if self._committed.is_set() and is_turn:
            for phrase in self._phrases[:-1]:
                self._tell_text("".join(token.text for token in phrase.tokens))
            del self._phrases[:-1]

    def _tell_text(self, text: str) -> None:
        delta = text if self._told else text.lstrip()
        if delta:
            self._told += delta
            self._tell(Delta(self.id, delta))

    async def _turn(self) -> None:
        if self._previous is not None:
            await self._previous.wait()

    def _complete(self, final: Final) -> None:
        untold = "".join(token.text for phrase in self._phrases for token in phrase.tokens)
        if final.text.startswith(self._told):
            untold = final.text[len(self._told) :]
        self._tell_text(untold)
        self._tell(Completed(self.id, final.text, final.duration))

    def _fail(self) -> None:
        reason = self._failure or RuntimeError("a round ended without its final result")
        told = failure(self.id, reason)
        logger.warning("%s: %s: %s: %s", self._client, self.id, told.code, told.message)
        is_clients = told.code in CLIENTS_FAULT
        kind: ErrorType = "invalid_request_error" if is_clients else "server_error"
        self._tell(Failed(self.id, told.code, told.message, kind))

    def close(self) -> None:
        """Free what is stored; closing twice is harmless."""
        if self._round is not None:
            self._round.close()


def _round(front: Front, client: str, settings: SessionSettings) -> Round:
    wished = settings.transcription
    language = wished.spoken
    return Round(
        front,
        client=client,
        audio_format=FORMATS[settings.format.encoding],
        rate=settings.format.rate,
        options=Options(
            language=front.config.language if language == "auto" else language,
            prompt=", ".join(filter(None, (wished.prompt, *wished.keywords))),
            itn=front.config.itn,
        ),
        partials=False,
    )
