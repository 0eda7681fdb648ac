"""The door for CapsWriter's clients, v0.2 to v2.6, and for those of its v2 wire format."""

from __future__ import annotations

import asyncio
import logging
import math
from contextlib import aclosing
from typing import TYPE_CHECKING

import anyio
from starlette.websockets import WebSocketDisconnect

from capswriter.errors import UserError
from capswriter.logs import of_task
from capswriter.pool import Options, Overloaded, Priority, RecogniserClosed
from capswriter.protocols.capswriter import (
    AudioFrame,
    BadFrame,
    Code,
    Dialect,
    Failure,
    strip_v0_header,
)
from capswriter.server.capswriter_task import CapsWriterTask
from capswriter.server.failures import failure
from capswriter.server.messages import close, content
from capswriter.server.outbox import Outbox
from capswriter.server.task_log import logged
from capswriter.server.wire import PULSE, Pulse
from capswriter.sessions import Utterance

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.websockets import WebSocket

    from capswriter.server.front import Front

logger = logging.getLogger(__name__)

TASKS_AT_ONCE = 32
"""Unfinished tasks that one connection may have."""

RETRY_SOON = 2.0
"""Seconds after which a client that has too many may try again."""

LARGE_FRAME = 2**22
"""Characters of a frame that takes too long to parse for the event loop to do it."""

LIFE_EVERY = 20.0
"""Seconds between the signs of life for files that wait for others."""


async def serve_capswriter(
    websocket: WebSocket, front: Front, client: str, first: str | bytes
) -> None:
    """Serve one connection from its first message to its end.

    Raises:
        WebSocketDisconnect: the client has gone.
    """
    await _Connection(websocket, front, client).serve(first)


class _Connection:
    """A socket that has spoken, and its tasks, each by the client's name for it."""

    def __init__(self, websocket: WebSocket, front: Front, client: str) -> None:
        self.client = client
        self._websocket = websocket
        self._front = front
        self._outbox = Outbox()
        self._tasks: dict[str, CapsWriterTask] = {}
        self._given_up: set[str] = set()  # tasks that have failed and are still being sent
        self._farewell = ""  # why the socket has to be closed
        self._heard = anyio.current_time()
        self._pulse: Pulse = websocket.scope["state"][PULSE]
        self._v0_tasks = 0

    async def serve(self, message: str | bytes) -> None:
        """Take this message, and more until the client goes or has to.

        Raises:
            WebSocketDisconnect: it has gone.
        """
        gone: WebSocketDisconnect | None = None
        async with anyio.create_task_group() as self._group:
            self._group.start_soon(self._send)
            self._group.start_soon(self._show_life)
            try:
                while True:
                    await self._take(message)
                    await self._outbox.room()
                    message = await self._receive()
            except WebSocketDisconnect as error:
                gone = error
            self._group.cancel_scope.cancel()
        if gone is not None:
            raise gone
        if self._farewell:
            await close(self._websocket, self.client, self._farewell)

    async def _send(self) -> None:
        try:
            await self._outbox.send_all(self._websocket.send_text)
        except WebSocketDisconnect:
            self._group.cancel_scope.cancel()

    async def _show_life(self) -> None:
        while True:
            await anyio.sleep(LIFE_EVERY)
            for task in self._tasks.values():
                task.show_life()

    async def _receive(self) -> str | bytes:
        self._heard = anyio.current_time()
        while True:
            with anyio.move_on_after(self._patience()):
                return content(await self._websocket.receive())
            if self._patience() <= 0:
                break
        limit = self._front.config.ws_timeout
        self._hang_up(f"nothing came for {limit:g} s in the middle of a task")
        await anyio.sleep_forever()  # until the cancellation arrives
        raise AssertionError

    def _patience(self) -> float:
        """Seconds that the client may still be silent."""
        limit = self._front.config.ws_timeout
        uploading = any(not task.is_complete for task in self._tasks.values())
        if not (uploading and limit):
            return math.inf
        # A large frame may take longer than that to arrive; who sends one is not silent.
        return max(self._heard, self._pulse.heard) + limit - anyio.current_time()

    async def _take(self, message: str | bytes) -> None:
        if isinstance(message, bytes):
            self._take_v0(message)
            return
        try:
            if len(message) > LARGE_FRAME:
                frame = await asyncio.to_thread(AudioFrame.parse, message)
            else:
                frame = AudioFrame.parse(message)
        except BadFrame as error:
            told = Failure(error.task_id, error.code.value, str(error))
            self._fail(told, error.dialect, is_file=error.source == "file")
            return
        with of_task(frame.task_id):
            await self._take_frame(frame)

    async def _take_frame(self, frame: AudioFrame) -> None:
        if frame.task_id in self._given_up:
            if frame.is_final:
                self._given_up.discard(frame.task_id)
            return
        task = self._tasks.get(frame.task_id)
        if task is None:
            try:
                self._refuse_if_full()
                task = CapsWriterTask(frame, self._front, self._outbox, client=self.client)
            except UserError as error:
                self._given_up |= set() if frame.is_final else {frame.task_id}
                told = failure(frame.task_id, error)
                self._fail(told, frame.dialect, is_file=frame.source == "file")
                return
            self._tasks[task.id] = task
            self._group.start_soon(self._run, task)
        elif task.is_complete:
            told = Failure(task.id, Code.BAD_REQUEST.value, "the task has had its final frame")
            self._fail(told, task.dialect, is_file=task.source == "file")
            return
        try:
            await task.take(frame)
        except UserError as error:
            self._give_up(task, error, was_final=frame.is_final)

    def _refuse_if_full(self) -> None:
        if self._front.draining:
            raise RecogniserClosed("the server is stopping")
        if len(self._tasks) + self._v0_tasks >= TASKS_AT_ONCE:
            message = f"this connection has {TASKS_AT_ONCE} unfinished tasks"
            raise Overloaded(message, retry_after=RETRY_SOON)

    async def _run(self, task: CapsWriterTask) -> None:
        with self._front.utterance():
            try:
                await task.run()
                await self._outbox.emptied()
            except Exception as error:  # noqa: BLE001  # the table tells faults from failures
                self._give_up(task, error)
            finally:
                if self._tasks.get(task.id) is task:
                    del self._tasks[task.id]

    def _give_up(self, task: CapsWriterTask, error: Exception, *, was_final: bool = False) -> None:
        """End a task without its text, and say so once."""
        if self._tasks.pop(task.id, None) is not task:
            return
        if not (task.is_complete or was_final):
            self._given_up.add(task.id)
        self._outbox.drop_partial(task.id)
        task.stop()
        self._fail(failure(task.id, error), task.dialect, is_file=task.source == "file")

    def _fail(self, told: Failure, dialect: Dialect, *, is_file: bool) -> None:
        """Tell the client of a failure in the way it understands.

        v1 has no such message. Its dictation clients take a final result without text; its file
        clients would write that down as the transcript, so for them the connection ends.
        """
        logger.warning("%s: task %s: %s: %s", self.client, told.task_id, told.code, told.message)
        if dialect is Dialect.V1 and is_file:
            self._hang_up(told.message)
        else:
            self._outbox.put(lambda: told.encode(dialect))

    def _hang_up(self, reason: str) -> None:
        self._farewell = self._farewell or reason
        self._group.cancel_scope.cancel()

    def _take_v0(self, message: bytes) -> None:
        try:
            self._refuse_if_full()
        except UserError as error:
            self._fail(failure("v0", error), Dialect.V1, is_file=True)
            return
        self._v0_tasks += 1
        self._group.start_soon(self._run_v0, message)

    async def _run_v0(self, message: bytes) -> None:
        """Recognise a v0.x utterance: one message in, its text out."""
        with self._front.utterance():
            try:
                self._outbox.put(await self._text_of(strip_v0_header(message)))
                await self._outbox.emptied()
            except Exception as error:  # noqa: BLE001  # the table tells faults from failures
                told = failure("v0", error)
                self._fail(told, Dialect.V1, is_file=True)
            finally:
                self._v0_tasks -= 1

    async def _text_of(self, audio: bytes) -> Callable[[], str]:
        utterance = Utterance(
            self._front.recogniser,
            self._front.ears,
            options=Options(language=self._front.config.language, itn=self._front.config.itn),
            priority=Priority.INTERACTIVE,
            client=self.client,
            longest=self._front.config.max_audio_hours * 3600,
            finishing=self._front.finishing,
        )
        await utterance.write(audio)
        utterance.end()
        tokens: list[str] = []
        with logged("v0", utterance, self._front.recogniser):
            async with aclosing(utterance.updates()) as updates:
                async for update in updates:
                    tokens += [token.text for token in update.tokens]
                    if update.finished is not None:
                        tokens = [token.text for token in update.finished]
        text = "".join(tokens)
        return lambda: text
