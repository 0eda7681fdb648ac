"""The door for CapsWriter's clients, v0.2 to v2.6, and for those of its v2 wire format."""

from __future__ import annotations

import asyncio
import logging
from contextlib import aclosing
from typing import TYPE_CHECKING

import anyio

from capswriter.errors import UserError
from capswriter.logs import of_task
from capswriter.pool import Options, Priority
from capswriter.protocols.capswriter import (
    AudioFrame,
    BadFrame,
    Code,
    Dialect,
    Failure,
    strip_v0_header,
)
from capswriter.server.capswriter_task import CapsWriterTask
from capswriter.server.conversation import Conversation
from capswriter.server.failures import failure
from capswriter.server.task_log import logged
from capswriter.sessions import Utterance

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.websockets import WebSocket

    from capswriter.server.front import Front

logger = logging.getLogger(__name__)

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


class _Connection(Conversation):
    """A socket that has spoken, and its tasks, each by the client's name for it."""

    def __init__(self, websocket: WebSocket, front: Front, client: str) -> None:
        super().__init__(websocket, front, client)
        self._tasks: dict[str, CapsWriterTask] = {}
        self._given_up: set[str] = set()  # tasks that have failed and are still being sent
        self._v0_tasks = 0

    @property
    def is_expectant(self) -> bool:
        """Whether the audio of a task has begun to come, and not ended."""
        return any(not task.is_complete for task in self._tasks.values())

    def begin(self) -> None:
        """Show life from now on."""
        self.group.start_soon(self._show_life)

    async def _show_life(self) -> None:
        while True:
            await anyio.sleep(LIFE_EVERY)
            for task in self._tasks.values():
                task.show_life()

    async def take(self, message: str | bytes) -> None:
        """Take a frame."""
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
                self.refuse_if_full(len(self._tasks) + self._v0_tasks)
                task = CapsWriterTask(frame, self.front, self.outbox, client=self.client)
            except UserError as error:
                self._given_up |= set() if frame.is_final else {frame.task_id}
                told = failure(frame.task_id, error)
                self._fail(told, frame.dialect, is_file=frame.source == "file")
                return
            self._tasks[task.id] = task
            self.group.start_soon(self._run, task)
        elif task.is_complete:
            told = Failure(task.id, Code.BAD_REQUEST.value, "the task has had its final frame")
            self._fail(told, task.dialect, is_file=task.source == "file")
            return
        try:
            await task.take(frame)
        except UserError as error:
            self._give_up(task, error, was_final=frame.is_final)

    async def _run(self, task: CapsWriterTask) -> None:
        with self.front.utterance():
            try:
                await task.run()
                await self.outbox.emptied()
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
        self.outbox.drop_partial(task.id)
        task.stop()
        self._fail(failure(task.id, error), task.dialect, is_file=task.source == "file")

    def _fail(self, told: Failure, dialect: Dialect, *, is_file: bool) -> None:
        """Tell the client of a failure in the way it understands.

        v1 has no such message. Its dictation clients take a final result without text; its file
        clients would write that down as the transcript, so for them the connection ends.
        """
        logger.warning("%s: task %s: %s: %s", self.client, told.task_id, told.code, told.message)
        if dialect is Dialect.V1 and is_file:
            self.hang_up(told.message)
        else:
            self.outbox.put(lambda: told.encode(dialect))

    def _take_v0(self, message: bytes) -> None:
        try:
            self.refuse_if_full(len(self._tasks) + self._v0_tasks)
        except UserError as error:
            self._fail(failure("v0", error), Dialect.V1, is_file=True)
            return
        self._v0_tasks += 1
        self.group.start_soon(self._run_v0, message)

    async def _run_v0(self, message: bytes) -> None:
        """Recognise a v0.x utterance: one message in, its text out."""
        with self.front.utterance():
            try:
                self.outbox.put(await self._text_of(strip_v0_header(message)))
                await self.outbox.emptied()
            except Exception as error:  # noqa: BLE001  # the table tells faults from failures
                told = failure("v0", error)
                self._fail(told, Dialect.V1, is_file=True)
            finally:
                self._v0_tasks -= 1

    async def _text_of(self, audio: bytes) -> Callable[[], str]:
        utterance = Utterance(
            self.front.recogniser,
            self.front.ears,
            options=Options(language=self.front.config.language, itn=self.front.config.itn),
            priority=Priority.INTERACTIVE,
            client=self.client,
            longest=self.front.config.max_audio_hours * 3600,
            finishing=self.front.finishing,
        )
        await utterance.write(audio)
        utterance.end()
        tokens: list[str] = []
        with logged("v0", utterance, self.front.recogniser):
            async with aclosing(utterance.updates()) as updates:
                async for update in updates:
                    tokens += [token.text for token in update.tokens]
                    if update.finished is not None:
                        tokens = [token.text for token in update.finished]
        text = "".join(tokens)
        return lambda: text
