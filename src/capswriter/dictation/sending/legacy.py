"""A dictation to a CapsWriter server, v1.0 to v2.6: frames of a microphone, one task at a time.

None of them can forget a task. v1.0 has one buffer for all that come, and what is left in it of a
task that was broken off would begin the next one's text: so a short silence is sent after such a
one, as a task of its own, and what comes back is thrown away.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from typing import TYPE_CHECKING

import anyio
import numpy as np

from capswriter.audio import SAMPLE_RATE
from capswriter.client import Busy, Lost, NoServer, Silent
from capswriter.client.connection import connect
from capswriter.client.task import recognise
from capswriter.client.upload import OVERLAP_S, SEGMENT_S
from capswriter.dictation.sending.errors import Broken, Nobody, Unreachable
from capswriter.errors import UserError
from capswriter.protocols.capswriter import AudioFrame

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

    from websockets.asyncio.client import ClientConnection

    from capswriter.client.server import Server
    from capswriter.dictation.sending.dictation import Dictation
    from capswriter.dictation.sending.wish import Wish
    from capswriter.protocols.capswriter import Result

SILENCE_S = 60.0
"""Seconds in which nothing may move: these servers do not tell that something went wrong."""

FLUSH_S = 0.5
"""Seconds of silence that follow what was broken off."""

FULL_SCALE = np.float32(1 / 32_768)


class LegacyLine:
    """The dictations to one such server.

    Args:
        silence: seconds in which nothing may move.
    """

    def __init__(self, silence: float = SILENCE_S) -> None:
        self._silence = silence
        self._alone = asyncio.Lock()
        self._has_rest = False
        """Whether the server may hold the beginning of something that was broken off."""

    async def dictate(
        self, server: Server, dictation: Dictation, wish: Wish, on_partial: Callable[[str], None]
    ) -> str:
        """Send a dictation while it is spoken, or after, and give its text; as ``ours.dictate``."""

        def on_result(result: Result) -> None:
            if not result.is_final:
                on_partial(result.text)

        async with self._alone:
            opened = connect(server)
            try:
                socket = await opened.__aenter__()
            except NoServer as error:
                raise Nobody(str(error)) from error
            except Busy as error:
                raise Unreachable(str(error), retry_after=error.retry_after) from error
            except UserError as error:
                raise Unreachable(str(error)) from error
            try:
                return await self._recognise(socket, _Speech(dictation, wish), on_result)
            except Busy as error:
                raise Broken(str(error), retry_after=error.retry_after) from error
            except (Lost, Silent) as error:
                raise Broken(str(error)) from error
            finally:
                await opened.__aexit__(None, None, None)

    async def _recognise(
        self, socket: ClientConnection, speech: _Speech, on_result: Callable[[Result], None]
    ) -> str:
        if self._has_rest:
            flush = _Silence()
            await recognise(socket, flush, silence=self._silence, on_result=lambda _: None)
        self._has_rest = True
        result = await recognise(socket, speech, silence=self._silence, on_result=on_result)
        self._has_rest = False
        return result.text.strip()


class _Task:
    """A task's messages, for ``recognise``."""

    def __init__(self, begun: float, *, language: str = "auto", context: str = "") -> None:
        self.task_id = str(uuid.uuid4())
        self.moved = time.monotonic()
        self.answered = anyio.Event()
        self._begun = begun
        self._language = language
        self._context = context

    async def messages(self) -> AsyncGenerator[str, None]:
        """Make the messages: audio as it comes, and an end without any."""
        async for audio in self.pieces():
            yield self._frame(audio)
        yield self._frame(b"", is_final=True)

    async def pieces(self) -> AsyncGenerator[bytes, None]:
        """Give the audio, 16 bits."""
        raise NotImplementedError
        yield b""

    def _frame(self, audio: bytes, *, is_final: bool = False) -> str:
        self.moved = time.monotonic()
        samples = np.frombuffer(audio, "<i2").astype("<f4") * FULL_SCALE
        return AudioFrame(
            task_id=self.task_id,
            source="mic",
            audio=samples.astype("<f4", copy=False).tobytes(),
            is_final=is_final,
            time_start=self._begun,
            seg_duration=SEGMENT_S,
            seg_overlap=OVERLAP_S,
            time_frame=time.time(),
            context=self._context,
            language=self._language,
        ).encode()


class _Speech(_Task):
    def __init__(self, dictation: Dictation, wish: Wish) -> None:
        context = ", ".join(wish.hotwords)
        super().__init__(dictation.begun, language=wish.language, context=context)
        self._dictation = dictation

    async def pieces(self) -> AsyncGenerator[bytes, None]:
        sent = 0
        while audio := await self._dictation.more(sent):
            yield audio
            sent += len(audio)


class _Silence(_Task):
    def __init__(self) -> None:
        super().__init__(time.time())

    async def pieces(self) -> AsyncGenerator[bytes, None]:
        yield bytes(round(FLUSH_S * SAMPLE_RATE) * 2)
