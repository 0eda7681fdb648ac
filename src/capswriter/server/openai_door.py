"""The door for OpenAI's realtime transcription: ``/v1/realtime?intent=transcription``."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from capswriter.pool import RecogniserError
from capswriter.protocols.openai_fields import BadEvent
from capswriter.protocols.openai_realtime import (
    Append,
    Clear,
    Cleared,
    Commit,
    Committed,
    Error,
    ItemAdded,
    ItemDone,
    SessionCreated,
    SessionUpdate,
    SessionUpdated,
    parse,
)
from capswriter.protocols.openai_session import KIND, Dialect, SessionSettings
from capswriter.server.conversation import Conversation
from capswriter.server.failures import failure
from capswriter.server.messages import close, first_message
from capswriter.server.openai_buffer import AudioBuffer
from capswriter.server.openai_item import Item, new_id

if TYPE_CHECKING:
    from starlette.websockets import WebSocket

    from capswriter.errors import UserError
    from capswriter.protocols.openai_realtime import ClientEvent, ServerEvent
    from capswriter.server.front import Front

LARGE_EVENT = 2**22
"""Characters of an event that takes too long to parse for the event loop to do it."""


async def serve_openai(websocket: WebSocket, front: Front, client: str) -> None:
    """Serve one connection from its handshake to its end.

    Raises:
        WebSocketDisconnect: the client has gone.
    """
    intent = websocket.query_params.get("intent", KIND)
    if intent != KIND:
        message = f"intent is {intent[:40]!r}, not {KIND!r}: this server gives no spoken answers"
        refusal = Error.of(BadEvent(message, param="intent"))
        await websocket.send_text(refusal.encode(_new_event_id))
        await close(websocket, client, message)
        return
    dialect = Dialect.of_handshake(
        header=websocket.headers.get("openai-beta"),
        subprotocols=websocket.scope["subprotocols"],
    )
    session_id = new_id("sess")
    created = SessionCreated(session_id, SessionSettings(), dialect=dialect)
    await websocket.send_text(created.encode(_new_event_id))
    first = await first_message(websocket, front.config, client)
    if first is not None:
        await _Session(websocket, front, client, session_id, dialect).serve(first)


def _new_event_id() -> str:
    return new_id("event")


class _Session(Conversation):
    """A session that has been spoken to: its settings, its buffer, and its unfinished items."""

    def __init__(
        self, websocket: WebSocket, front: Front, client: str, session_id: str, dialect: Dialect
    ) -> None:
        super().__init__(websocket, front, client)
        self._id = session_id
        self._dialect = dialect
        self._settings = SessionSettings()
        self._buffer = AudioBuffer(self, self._settings, front.ears)
        self._items: set[Item] = set()  # that are not finished
        self._last: Item | None = None  # that was committed

    @property
    def is_expectant(self) -> bool:
        """Whether something has been appended that is not committed."""
        return self._buffer.is_open

    async def serve(self, message: str | bytes) -> None:
        """Take this message, and more until the client goes or has to.

        Raises:
            WebSocketDisconnect: it has gone.
        """
        try:
            await super().serve(message)
        finally:
            for item in self._items:  # whose tasks had not begun
                item.close()

    def open_item(self) -> Item:
        """Make an item, and have it run."""
        item = Item(
            self.front,
            self.tell,
            client=self.client,
            settings=self._settings,
            refused=self._refusal(),
        )
        self._items.add(item)
        self.group.start_soon(self._run, item)
        return item

    def commit(self, item: Item) -> None:
        """Make an item part of the conversation, and tell it."""
        last, self._last = self._last, item
        previous = None if last is None else last.id
        self.tell(Committed(item.id, previous))
        self.tell(ItemAdded(item.id, previous, self._dialect))
        if self._dialect is Dialect.CURRENT:
            self.tell(ItemDone(item.id, previous))
        item.commit(None if last is None else last.ended)

    def tell(self, event: ServerEvent) -> None:
        """Send an event."""
        self.outbox.put(lambda: event.encode(_new_event_id))

    async def take(self, message: str | bytes) -> None:
        """Do what an event asks for."""
        try:
            if len(message) > LARGE_EVENT:
                event = await asyncio.to_thread(parse, message)
            else:
                event = parse(message)
            await self._obey(event)
        except BadEvent as error:
            self.tell(Error.of(error))
        except Exception as error:  # noqa: BLE001  # a fault costs an event, not the session
            told = failure(self._id, error)
            self.tell(Error(told.code, told.message))

    async def _obey(self, event: ClientEvent) -> None:
        match event:
            case Append():
                await self._buffer.append(event.audio)
            case Commit():
                await self._buffer.commit(event.event_id)
            case Clear():
                self._buffer.clear()
                self.tell(Cleared())
            case SessionUpdate():
                await self._update(event)

    async def _update(self, update: SessionUpdate) -> None:
        settings = update.applied_to(self._settings)
        if self._buffer.is_open and settings.format != self._settings.format:
            message = "the format cannot change while the buffer has audio: commit or clear it"
            raise BadEvent(message, param="session", event_id=update.event_id)
        self._settings = settings
        self._dialect = update.dialect
        await self._buffer.configure(settings)
        self.tell(SessionUpdated(self._id, settings, dialect=update.dialect))

    def _refusal(self) -> UserError | None:
        """Say why there cannot be another item, if so."""
        try:
            self.refuse_if_full(len(self._items))
        except RecogniserError as refusal:
            return refusal
        return None

    async def _run(self, item: Item) -> None:
        try:
            await item.run(self.outbox.emptied)
        finally:
            self._items.discard(item)
