"""What the phrase that is still being spoken sounds like so far.

A guess is recognised as work that gives way to everything final, at a rate that follows the load:
the next one begins twice the time later that the last one took, and where no worker is free it is
dropped, and the wait for the next doubles. A guess that is made in a pause serves as the final
result of the phrase if nothing more is said: whoever lets the key go waits for nothing.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from capswriter.audio import SAMPLE_RATE
from capswriter.audio.segment import PADDING
from capswriter.pool import Priority, Recogniser, RecogniserError, Result, Task

if TYPE_CHECKING:
    from collections.abc import Callable

    from capswriter.audio.segment import Segment, Segmenter
    from capswriter.engines.base import Options

EVERY, SELDOM = 0.5, 8.0
"""Seconds between two guesses at least, and at most where no worker is free."""

PATIENCE = 0.2
"""Seconds that a guess waits for a worker; with none free, it is not worth its place."""

SETTLED = round(PADDING * SAMPLE_RATE)
"""Samples of silence after which a phrase may be over: those that its segment has at its end.

With fewer, a guess would lose soft ends of words.
"""


@dataclass(frozen=True, slots=True, eq=False)
class Guess:
    """An open segment, and what it sounds like.

    Args:
        segment: as it was.
        result: of the engine.
    """

    segment: Segment
    result: Result


class Guesses:
    """Makes the guesses for one utterance.

    Args:
        recogniser: where they are made.
        options: for the engine.
        client: whose they are.
        tell: called with each; None where they only serve as final results.
    """

    def __init__(
        self,
        recogniser: Recogniser,
        options: Options,
        *,
        client: str,
        tell: Callable[[Guess], None] | None,
    ) -> None:
        self._recogniser = recogniser
        self._options = options
        self._client = client
        self._tell = tell
        self._key = str(uuid.uuid4())
        self._asked: Segment | None = None  # what the newest guess is of
        self._running: asyncio.Task[Result] | None = None
        self._begun = False  # a worker has taken the newest
        self._pause = EVERY
        self._next = 0.0

    def consider(self, segmenter: Segmenter) -> None:
        """Begin a guess if it is time for one; call this while nothing is pushed."""
        speech_end = segmenter.speech_end
        is_running = self._running is not None and not self._running.done()
        if speech_end is None or is_running or self._knows(speech_end, segmenter):
            return
        due = self._tell is not None and time.monotonic() >= self._next
        settled = segmenter.heard - speech_end >= SETTLED
        if due or (settled and self._pause < SELDOM):
            asked = segmenter.open_segment()
            self._asked = _until(speech_end + SETTLED, asked) if settled else asked
            self._begun = False
            self._running = asyncio.create_task(self._guess(self._asked))
            self._running.add_done_callback(_ignore_outcome)

    def answer(self, segment: Segment) -> asyncio.Task[Result] | None:
        """Give the guess that serves as the result of a segment, if a worker has taken it."""
        asked, running = self._asked, self._running
        if asked is None or running is None or not self._begun or segment.speech_end is None:
            return None
        if (asked.start, asked.end, asked.lead) != (segment.start, segment.end, segment.lead):
            return None
        failed = running.done() and (running.cancelled() or running.exception() is not None)
        return None if failed else running

    def cancel(self) -> None:
        """Make no more guesses; cancelling twice is harmless."""
        if self._running is not None:
            self._running.cancel()

    def _note_begin(self) -> None:
        self._begun = True

    def _knows(self, speech_end: int, segmenter: Segmenter) -> bool:
        """Tell whether nothing was said since the newest guess, which heard the end of it."""
        asked = self._asked
        return (
            asked is not None
            and asked.speech_end == speech_end
            and asked.start == segmenter.start
            and asked.end - speech_end >= SETTLED
        )

    async def _guess(self, segment: Segment) -> Result:
        assert segment.samples is not None  # noqa: S101  # it is of the open segment
        task = Task(
            segment.samples,
            self._options,
            Priority.PARTIAL,
            self._client,
            key=self._key,
            patience=PATIENCE,
        )
        began = time.monotonic()
        try:
            result = await self._recogniser.recognise(task, on_start=self._note_begin)
        except RecogniserError:
            self._pause = min(2 * self._pause, SELDOM)
            raise
        else:
            self._pause = max(EVERY, 2 * (time.monotonic() - began))
        finally:
            self._next = time.monotonic() + self._pause
        if self._tell is not None:
            self._tell(Guess(segment, result))
        return result


def _until(end: int, segment: Segment) -> Segment:
    """Give a segment as it will be if nothing more is said."""
    assert segment.samples is not None  # noqa: S101  # it is of the open segment
    samples = segment.samples[: end - (segment.start - segment.lead)]
    return replace(segment, end=end, samples=samples)


def _ignore_outcome(task: asyncio.Task[Result]) -> None:
    """Keep asyncio from reporting a guess that came to nothing."""
    if not task.cancelled():
        task.exception()
