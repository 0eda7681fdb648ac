"""One task of a CapsWriter client: frames of audio in, cumulative results out."""

from __future__ import annotations

import asyncio
import logging
import time
from contextlib import aclosing
from typing import TYPE_CHECKING

import anyio

from capswriter.audio.segment import SegmentPolicy
from capswriter.pool import Options, Priority
from capswriter.protocols.capswriter import AudioFrame, Encoding, Result
from capswriter.server.task_log import logged
from capswriter.sessions import AudioFormat, BadAudio, Update, Utterance
from capswriter.text.pieces import Columns, columns_of_pieces

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from capswriter.server.front import Front
    from capswriter.server.outbox import Outbox
    from capswriter.transcript import Token

logger = logging.getLogger(__name__)

SEGMENT = (10.0, 30.0, 120.0)
"""Seconds: the shortest segment a client may wish, what it gets without a wish, the longest."""

OVERLAP = (1.0, 2.0, 4.0)
"""Seconds of overlap at forced cuts, likewise."""

MIC_PAUSE = 1.0
"""Seconds of silence after which what was said is recognised while the key is still down."""

MANY = 2_000
"""Tokens that take too long to cut into pieces for the event loop to do it."""

PARTIALS_EVERY = 1.0
"""Seconds between the partial results of a file."""

FORMATS = {
    None: AudioFormat.F32LE,
    Encoding.F32LE: AudioFormat.F32LE,
    Encoding.S16LE: AudioFormat.S16LE,
    Encoding.FLAC: AudioFormat.CONTAINER,
    Encoding.OGG_OPUS: AudioFormat.CONTAINER,
}


class CapsWriterTask:
    """Recognises one task and puts its results into the outbox.

    Args:
        first: its first frame, which decides on language, segments and encoding; not yet taken.
        front: what the server's doors share.
        outbox: of the socket.
        client: whose task it is.
    """

    def __init__(self, first: AudioFrame, front: Front, outbox: Outbox, *, client: str) -> None:
        self.id = first.task_id
        self.source = first.source
        self.dialect = first.dialect
        self.is_complete = False  # all its audio has come
        self._running = anyio.CancelScope()
        self._outbox = outbox
        self._recogniser = front.recogniser
        self._ears = front.ears
        self._utterance = Utterance(
            front.recogniser,
            front.ears,
            audio_format=FORMATS[first.encoding],
            options=Options(
                language=front.config.language if first.language == "auto" else first.language,
                prompt=first.context,
                itn=front.config.itn,
            ),
            policy=_policy(first),
            priority=Priority.INTERACTIVE if first.source == "mic" else Priority.FILE,
            client=client,
            longest=front.config.max_audio_hours * 3600,
            live=first.source == "mic",
            finishing=front.finishing,
        )
        self._time_start = first.time_start
        self._samples_total: int | None = None
        self._uncut: list[Token] = []  # what is certain, and was in no message yet
        self._texts: list[str] = []
        self._timestamps: list[float] = []
        self._latest = Update((), 0.0, "", 0)
        self._next_partial = 0.0
        self._patience = 1.0  # seconds until the next partial of a file that is still coming

    async def take(self, frame: AudioFrame) -> None:
        """Take the next frame of audio.

        Raises:
            AudioTooLong, BadAudio: the audio cannot be accepted.
        """
        self._time_start = frame.time_start
        await self._utterance.write(frame.audio)
        if frame.is_final:
            self._samples_total = frame.samples_total
            self.is_complete = True
            self._next_partial = 0.0
            self._utterance.end()

    async def run(self) -> None:
        """Recognise until the final result is in the outbox.

        Raises:
            UserError: the task has failed.
        """
        with self._running, logged(self.source, self._utterance, self._recogniser):
            async with aclosing(self._utterance.updates()) as updates:
                async for update in updates:
                    await self._tell(update)

    def stop(self) -> None:
        """End ``run`` without a result; stopping twice is harmless."""
        self._running.cancel()

    def show_life(self) -> None:
        """Tell a client that has sent its file again how far it is: others may go first for long.

        Ours gives a server up that says nothing for two minutes.
        """
        if self.is_complete and self.source == "file" and not self._latest.is_last:
            self._outbox.put_partial(self.id, self._message())

    async def _tell(self, update: Update) -> None:
        self._uncut += update.tokens
        if update.is_last:
            self._check_samples()
            await self._cut_last(update.finished)
        self._latest = update
        if update.is_last:
            self._outbox.put_last(self.id, self._message())
            await asyncio.sleep(0)  # it is sent, and then all is put away that it took
        elif self._partial_is_due(update):
            self._outbox.put_partial(self.id, self._message())

    async def _cut_last(self, finished: Sequence[Token] | None) -> None:
        """Cut what is left, or the finished text, which takes the place of all that was told."""
        uncut, self._uncut = self._uncut, []
        if finished is None:
            self._add(await self._pieces(uncut))
        else:
            pieces = await self._pieces(finished)
            self._texts, self._timestamps = [], []
            self._add(pieces)

    async def _pieces(self, tokens: Sequence[Token]) -> Columns:
        """Cut tokens; many of them take long enough for a thread."""
        if len(tokens) < MANY:
            return columns_of_pieces(tokens)
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._ears.executor, columns_of_pieces, tokens)

    def _add(self, pieces: Columns) -> None:
        self._texts += pieces.texts
        self._timestamps += [round(start, 3) for start in pieces.starts]

    def _message(self) -> Callable[[], str]:
        completed = time.time()

        def write() -> str:
            update = self._latest
            uncut, self._uncut = self._uncut, []
            self._add(columns_of_pieces(uncut))
            result = Result(
                task_id=self.id,
                is_final=update.is_last,
                text="".join(self._texts),
                tokens=self._texts,
                timestamps=self._timestamps,
                duration=round(update.covered, 3),
                time_start=self._time_start,
                time_submit=update.submitted or completed,
                time_complete=completed,
            )
            return result.encode(self.dialect)

        return write

    def _partial_is_due(self, update: Update) -> bool:
        """Tell whether to send what is known so far.

        Not if the final result follows at once. A dictation shows every phrase. A file shows its
        progress; while it is still coming, ever more rarely, since clients up to v2.4 read nothing
        before they have sent everything, and stop answering pings when 16 messages wait for them.
        """
        if update.is_all:
            return False
        if self.source == "mic":
            return bool(update.tokens)
        now = time.monotonic()
        if now < self._next_partial:
            return False
        if self.is_complete:
            self._next_partial = now + PARTIALS_EVERY
        else:
            self._next_partial = now + self._patience
            self._patience *= 2
        return True

    def _check_samples(self) -> None:
        promised, arrived = self._samples_total, self._utterance.samples
        if promised is not None and promised != arrived:
            raise BadAudio(f"{arrived} samples arrived, samples_total says {promised}")


def _policy(first: AudioFrame) -> SegmentPolicy:
    """Give the client the segments it wishes for, within what makes sense."""
    maximum = _within(SEGMENT, first.seg_duration)
    overlap = _within(OVERLAP, first.seg_overlap)
    asked = (first.seg_duration, first.seg_overlap)
    if any(wish is not None and wish < 0 for wish in asked) or first.seg_duration == 0:
        logger.warning(
            "task %s asks for segments of %s s with %s s of overlap: taken as %g s and %g s",
            first.task_id,
            *asked,
            maximum,
            overlap,
        )
    if first.source == "mic":
        return SegmentPolicy(maximum=maximum, overlap=overlap, pause=MIC_PAUSE)
    return SegmentPolicy(maximum=maximum, overlap=overlap)


def _within(limits: tuple[float, float, float], wish: float | None) -> float:
    lowest, default, highest = limits
    return default if wish is None else min(max(wish, lowest), highest)
