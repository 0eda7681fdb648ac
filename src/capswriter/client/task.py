"""One task on one connection: its audio is sent and its results are read at the same time."""

from __future__ import annotations

import time
from contextlib import aclosing
from typing import TYPE_CHECKING, Protocol

import anyio
from websockets.exceptions import ConnectionClosed

from capswriter.client.connection import ended
from capswriter.client.errors import Busy, Refused, Silent
from capswriter.errors import UserError
from capswriter.protocols.capswriter import BadFrame, Failure, Result, parse_reply

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

    from websockets.asyncio.client import ClientConnection


class Outgoing(Protocol):
    """A task on its way to a server."""

    task_id: str
    answered: anyio.Event
    """To be set when the server's first answer is there."""
    moved: float
    """When the last piece was made, by ``time.monotonic``: the server had taken those before it."""

    def messages(self) -> AsyncGenerator[str | AsyncGenerator[str, None], None]:
        """Make the messages, each a text or the fragments of one."""


async def recognise(
    socket: ClientConnection,
    upload: Outgoing,
    *,
    silence: float,
    on_result: Callable[[Result], None],
) -> Result:
    """Send a task's audio and return its final result.

    Results hold all the text so far, so none but the newest is kept.

    Args:
        socket: nothing else may use it meanwhile.
        upload: the task's messages.
        silence: seconds in which the server may neither take audio nor answer.
        on_result: is told of every result, the final one included.

    Raises:
        Busy: the server asks to come again later.
        Refused: the server says that it failed for good, or what it says makes no sense.
        Lost: the connection ended before the final result.
        Silent: nothing moved for ``silence`` seconds.
    """
    outcome: Result | UserError
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(_send, socket, upload)
        try:
            outcome = await _read(socket, upload, silence, on_result)
        except UserError as error:  # kept, because a task group would wrap it
            outcome = error
        tasks.cancel_scope.cancel()
    if isinstance(outcome, UserError):
        raise outcome
    return outcome


async def _send(socket: ClientConnection, upload: Outgoing) -> None:
    try:
        async with aclosing(upload.messages()) as messages:
            async for message in messages:
                await socket.send(message)
    except ConnectionClosed:
        pass  # the reader meets it too, after what the server said before it hung up


async def _read(
    socket: ClientConnection,
    upload: Outgoing,
    silence: float,
    on_result: Callable[[Result], None],
) -> Result:
    heard = time.monotonic()
    while True:
        message = None
        with anyio.move_on_after(max(heard, upload.moved) + silence - time.monotonic()):
            try:
                message = await socket.recv()
            except ConnectionClosed as error:
                raise ended(error) from error
        if message is None:
            if time.monotonic() - max(heard, upload.moved) < silence:
                continue
            raise Silent(
                f"the server said nothing for {silence:g} s; if it is only slow, raise --timeout"
            )
        heard = time.monotonic()
        result = _understood(message)
        if result.task_id == upload.task_id:
            upload.answered.set()
            on_result(result)
            if result.is_final:
                return result


def _understood(message: str | bytes) -> Result:
    try:
        reply = parse_reply(message)
    except BadFrame as error:
        raise Refused(f"the server's answer makes no sense: {error}") from error
    if isinstance(reply, Failure):
        if reply.retryable:
            raise Busy(f"the server: {reply.message}", retry_after=reply.retry_after)
        raise Refused(f"the server: {reply.message}")
    return reply
