"""The door of ``/ws/transcribe``: a live session that tells what the server is doing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio

from capswriter.protocols.live import (
    STEPS,
    Failed,
    ModelLoading,
    Start,
    Started,
    Starting,
    Stopped,
    Update,
    parse,
)
from capswriter.protocols.ours import Event, Options, Ping
from capswriter.server import round as rounds
from capswriter.server.messages import first_message
from capswriter.server.speaking import Speaking, Spoken

if TYPE_CHECKING:
    from starlette.websockets import WebSocket

    from capswriter.protocols.capswriter import Failure
    from capswriter.server.front import Front

LOOK_EVERY = 0.1
"""Seconds between two looks whether a worker has loaded the model."""


async def serve_live(websocket: WebSocket, front: Front, client: str) -> None:
    """Serve one connection from its opening to its end.

    Raises:
        WebSocketDisconnect: the client has gone.
    """
    first = await first_message(websocket, front.config, client)
    if first is not None:
        await _Live(websocket, front, client).serve(first)


class _Live(Speaking):
    steps = STEPS

    def __init__(self, websocket: WebSocket, front: Front, client: str) -> None:
        super().__init__(websocket, front, client)
        self._loading: set[str] = set()  # the rounds that wait for a worker to load the model

    def read(self, message: str) -> Options | Event | Ping:
        command = parse(message)
        if isinstance(command, Start):
            return command.options
        return command if isinstance(command, Ping) else Event.STOP

    def greet(self, session_id: str) -> None:
        self.outbox.put(Starting(session_id).encode)

    def welcome(self, spoken: Spoken) -> None:
        if self.front.recogniser.ready:
            self._tell_started(spoken)
        else:
            self._loading.add(spoken.id)
            self.outbox.put(ModelLoading(spoken.id).encode)
            self.group.start_soon(self._await_worker, spoken)

    def say_again(self, spoken: Spoken) -> None:
        if spoken.id in self._loading:
            self.greet(spoken.id)
        else:
            self._tell_started(spoken)

    def tell(self, spoken: Spoken, heard: rounds.Event) -> None:
        if spoken.id in self._loading:
            self._tell_started(spoken)
        if isinstance(heard, rounds.Final):
            stopped = Stopped(spoken.id, heard.text, round(heard.duration, 3))
            self.outbox.put_last(spoken.id, stopped.encode)
            return
        is_final = isinstance(heard, rounds.Phrase)
        start, end = round(heard.start, 3), round(heard.end, 3)
        update = Update(spoken.id, heard.text, is_final, start, end)
        if is_final:
            self.outbox.put_last(spoken.id, update.encode)
        else:
            self.outbox.put_partial(spoken.id, update.encode)

    def report(self, told: Failure, *, begun: bool) -> None:  # noqa: ARG002  # the wish was greeted
        self._loading.discard(told.task_id)
        failed = Failed(
            told.task_id,
            told.code,
            told.message,
            retryable=told.retryable,
            retry_after=told.retry_after,
        )
        self.outbox.put(failed.encode)

    def _tell_started(self, spoken: Spoken) -> None:
        self._loading.discard(spoken.id)
        self.outbox.put(Started(spoken.id).encode)

    async def _await_worker(self, spoken: Spoken) -> None:
        while spoken.id in self._loading:
            if self.front.recogniser.ready:
                self._tell_started(spoken)
                return
            await anyio.sleep(LOOK_EVERY)
