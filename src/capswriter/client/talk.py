"""One connection of a session: its rounds go out, their answers come in."""

from __future__ import annotations

import json
import time
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NoReturn

import anyio
from websockets.exceptions import ConnectionClosed

from capswriter.client.connection import ended
from capswriter.client.errors import Busy, Lost, Refused
from capswriter.client.rounds import Final, Partial, Round, Rounds, Segment
from capswriter.errors import UserError
from capswriter.protocols.ours import NOT_STARTED

if TYPE_CHECKING:
    from collections.abc import Mapping

    from websockets.asyncio.client import ClientConnection

PING_S, SILENCE_S = 10.0, 30.0
"""Seconds between two questions whether the server is there, and until it is taken not to be."""


class Talk:
    """Sends rounds, and takes what the server says of them.

    Args:
        socket: nothing else may use it meanwhile.
        rounds: of the session.
        start: the message that begins a round.
    """

    def __init__(self, socket: ClientConnection, rounds: Rounds, start: str) -> None:
        self.is_welcome = False
        """Whether the server has begun a round."""
        self._socket = socket
        self._rounds = rounds
        self._start = start
        self._starting: deque[Round] = deque()  # start sent, and not answered
        self._by_id: dict[str, Round] = {}
        self._moved = time.monotonic()

    async def end(self) -> UserError:
        """Talk until the connection ends, and give the reason."""
        error: UserError
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._send)
            tasks.start_soon(self._watch)
            try:
                await self._read()
            except UserError as failed:  # kept, because a task group would wrap it
                error = failed
            tasks.cancel_scope.cancel()
        return error

    async def _send(self) -> None:
        with suppress(ConnectionClosed):  # the reader meets it too
            while True:
                await self._send_round(await self._rounds.next_unsent())

    async def _send_round(self, each: Round) -> None:
        each.is_sent = True
        each.tries += 1
        self._starting.append(each)
        await self._give(self._start)
        sent = 0
        while audio := await self._rounds.more(each, sent):
            await self._give(audio)
            sent += len(audio)
        if each.is_dropped:
            await self._give('{"type": "reset"}')
        elif each in self._rounds:
            await self._give('{"type": "stop"}')

    async def _give(self, message: str | bytes) -> None:
        self._moved = time.monotonic()
        await self._socket.send(message)
        self._moved = time.monotonic()

    async def _watch(self) -> None:
        """End the connection to a server that neither takes nor says anything."""
        while True:
            await anyio.sleep(PING_S)
            if not self._rounds.is_waiting:
                continue
            if time.monotonic() - self._moved > SILENCE_S:
                self._socket.transport.abort()
            with anyio.move_on_after(PING_S), suppress(ConnectionClosed):
                await self._socket.send('{"type": "ping"}')

    async def _read(self) -> NoReturn:
        while True:
            try:
                message = await self._socket.recv()
            except ConnectionClosed as error:
                raise ended(error) from error
            self._moved = time.monotonic()
            try:
                self._hear(json.loads(message))
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                raise Refused(f"the server's answer makes no sense: {error!r}") from error

    def _hear(self, said: Mapping[str, Any]) -> None:
        kind = said["type"]
        if kind == "error":
            self._hear_error(said)
            return
        if kind == "started" and self._starting:
            self.is_welcome = True
            self._by_id[said["session_id"]] = self._starting.popleft()
            return
        heard = self._by_id.get(said.get("session_id", ""))
        if heard is None or heard not in self._rounds:
            return
        if kind == "partial":
            self._rounds.tell_partial(Partial(said["text"], said["start"], said["end"]))
        elif kind == "final":
            pieces = (
                Segment(each["text"], each["start"], each["end"]) for each in said["segments"]
            )
            final = Final(said["text"], tuple(pieces), said["duration"], said["latency_ms"])
            self._rounds.answer(heard, final)
        elif kind == "reset":
            raise Lost("the server has dropped a round")

    def _hear_error(self, said: Mapping[str, Any]) -> None:
        named = said.get("session_id")
        if named is None and said["code"] != NOT_STARTED and self._starting:
            failed = self._starting.popleft()
        elif named in self._by_id:
            failed = self._by_id[named]
        else:
            return
        if failed not in self._rounds:
            return
        reason = f"the server: {said['message']}"
        if not said["retryable"]:
            self._rounds.answer(failed, Refused(reason))
            return
        raise Busy(reason, retry_after=said.get("retry_after"))
