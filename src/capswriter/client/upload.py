"""The messages that carry a file to a server, made as fast as the server takes them.

Ours and CapsWriter v2.x take a file in frames. CapsWriter v1.0 takes every frame for a file of its
own, and no server of CapsWriter says which version it is. So to a server of unknown version

- a file of up to ``ONE_FRAME_S`` goes as one frame, which all versions understand;
- of a longer one as much goes as makes any v2.x server answer, and the rest once that answer is
  there: a v1.0 server gives itself away by a *final* answer, and has not got much to throw away.

Limits: a v1.0 server holds the whole file in its own memory; v0.x is not spoken. A server that
takes longer than ``HOLD_S`` for its first answer gets the rest all the same, and may have to throw
more away.

The one message that a v1.0 server needs is written in fragments, so that it is never in our memory
as a whole.
"""

from __future__ import annotations

import time
import uuid
from typing import TYPE_CHECKING

import anyio
import numpy as np
import pybase64

from capswriter.audio import SAMPLE_RATE, Samples
from capswriter.client.server import Server, Takes
from capswriter.protocols.capswriter import AudioFrame, Dialect, Encoding

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from capswriter.client.recording import Recording

FRAME_S = 3
"""Seconds in a frame: 188 KiB of samples, and a multiple of the 3 bytes that base64 takes."""

ONE_FRAME_S = 57
"""Less than ``SEGMENT_S``, so that v1.0 does not cut it either."""

FIRST_S = 54
"""Seconds in the first frame of a longer file: enough less to see that v1.0 took it for all."""

ENOUGH_S = 81
"""Seconds with which every v2.x server has a segment: more than 60 + 2 x 4 s."""

HOLD_S = 30.0
"""Seconds to wait for the first answer of a server whose version is unknown."""

SEGMENT_S, OVERLAP_S = 60, 4
"""What v2.3 clients and later ask for."""

_NOTHING = np.empty(0, np.float32)


class Upload:
    """One task's messages.

    Args:
        recording: where the audio comes from.
        server: whom it is for.
        language: ISO 639-1 code, or ``"auto"``.
        context: words that are likely to occur.
    """

    def __init__(
        self, recording: Recording, server: Server, *, language: str = "auto", context: str = ""
    ) -> None:
        self.task_id = str(uuid.uuid4())
        self.takes = server.takes
        """How the server was taken to take files when the upload began."""
        self.answered = anyio.Event()
        """To be set when the server's first answer is there."""
        self.complete = False
        """Whether the last frame has been made."""
        self.moved = time.monotonic()
        """When the last piece was made: the server had taken those before it."""
        self._recording = recording
        self._encoding = Encoding.F32LE if server.dialect is Dialect.V2 else None
        self._language = language
        self._context = context
        self._samples = 0

    @property
    def seconds(self) -> float:
        """Seconds of audio in the messages made so far."""
        return self._samples / SAMPLE_RATE

    async def messages(self) -> AsyncGenerator[str | AsyncGenerator[str, None], None]:
        """Make the messages, each a text or the fragments of one."""
        if self.takes is Takes.WHOLE:
            yield self._whole()
            return
        if self.takes is Takes.UNKNOWN:
            begin = await self._recording.take(ONE_FRAME_S)
            if len(begin) < ONE_FRAME_S * SAMPLE_RATE:
                yield self._frame(begin, is_final=True)
                return
            border = FIRST_S * SAMPLE_RATE
            yield self._frame(begin[:border])
            more = await self._recording.take(ENOUGH_S - ONE_FRAME_S)
            yield self._frame(np.concatenate([begin[border:], more]))
            if not self._recording.ended:
                with anyio.move_on_after(HOLD_S):
                    await self.answered.wait()
        while len(samples := await self._recording.take(FRAME_S)):
            yield self._frame(samples)
        yield self._frame(_NOTHING, is_final=True)

    def _frame(self, samples: Samples, *, is_final: bool = False) -> str:
        self._count(samples, is_final=is_final)
        return AudioFrame(
            task_id=self.task_id,
            source="file",
            audio=samples.astype("<f4", copy=False).tobytes(),
            is_final=is_final,
            time_start=time.time(),
            seg_duration=SEGMENT_S,
            seg_overlap=OVERLAP_S,
            context=self._context,
            language=self._language,
            encoding=self._encoding,
            samples_total=self._samples if is_final and self._encoding else None,
        ).encode()

    async def _whole(self) -> AsyncGenerator[str, None]:
        envelope = self._frame(_NOTHING, is_final=True)
        self.complete = False
        head, tail = envelope.split('"data":""')
        yield f'{head}"data":"'
        while len(samples := await self._recording.take(FRAME_S)):
            self._count(samples)
            audio = samples.astype("<f4", copy=False).tobytes()
            yield pybase64.b64encode(audio).decode("ascii")
        self.complete = True
        yield f'"{tail}'

    def _count(self, samples: Samples, *, is_final: bool = False) -> None:
        self.complete = is_final
        self.moved = time.monotonic()
        self._samples += len(samples)
