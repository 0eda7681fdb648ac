"""What the phrase that is still being spoken sounds like so far.

A guess is recognised as work that gives way to everything final, at a rate that follows the load:
the next one begins twice the time later that the last one took, none takes the last worker that
is free, and where it has to wait for one it is dropped, and the wait for the next doubles. A
guess that is made in a pause serves as the final result of the phrase if nothing more is said:
whoever lets the key go waits for nothing. And in each shorter pause of a long phrase its
beginning is recognised. It serves where the key is let go in the sentence after it, of which
alone the text is then still to come; where one speaks on, the phrase is recognised as a whole.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from capswriter.audio import SAMPLE_RATE
from capswriter.audio.segment import PADDING, middle
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

BREATH = round(0.3 * SAMPLE_RATE)
"""Samples of a pause in which a phrase may be cut."""

BLINK = 0.1
"""Seconds that recognising a beginning has to save: what is not cut is better understood."""

WORTH_CUTTING = 3 * SAMPLE_RATE
"""Samples of a beginning at least, and from one beginning to the next: less is soon recognised."""


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
        self._newest: _Try | None = None  # of all that was heard
        self._beginnings: list[_Try] = []  # of the open segment
        self._pause = EVERY
        self._next = 0.0

    def consider(self, segmenter: Segmenter) -> None:
        """Begin a guess if it is time for one; call this while nothing is pushed."""
        self._beginnings = [each for each in self._beginnings if each.start == segmenter.start]
        speech_end = segmenter.speech_end
        if speech_end is None or self._is_busy or self._knows(speech_end, segmenter):
            return
        eager = self._pause < SELDOM
        if eager and segmenter.heard - speech_end >= SETTLED:
            whole = _until(speech_end + SETTLED, segmenter.open_segment())
            self._newest = self._begin(whole, tell=self._tell)
        elif not self._recogniser.can_guess:
            return
        elif eager and (place := self._next_beginning(segmenter)):
            beginning = _until(place, segmenter.open_segment())
            self._beginnings.append(self._begin(beginning, tell=None))
        elif self._tell is not None and time.monotonic() >= self._next:
            self._newest = self._begin(segmenter.open_segment(), tell=self._tell)

    def beginnings(self) -> list[tuple[int, int]]:
        """Tell of which beginnings of the open segment there are results: from where to where.

        Those to come count only where there are no others: they may take longer than the rest.
        """
        good = [each for each in self._beginnings if each.is_good]
        made = [each for each in good if each.task.done()]
        return [(each.start, each.end) for each in made or good]

    def answer(self, segment: Segment) -> asyncio.Task[Result] | None:
        """Give the guess that serves as the result of a segment, if a worker has taken it."""
        tries = list(self._beginnings)
        if self._newest is not None and segment.speech_end is not None:
            tries.append(self._newest)
        for each in tries:
            if each.is_good and each.is_of(segment):
                return each.task
        return None

    def cancel(self) -> None:
        """Make no more guesses; cancelling twice is harmless."""
        for each in (self._newest, *self._beginnings):
            if each is not None:
                each.task.cancel()

    @property
    def _is_busy(self) -> bool:
        tries = (self._newest, *self._beginnings[-1:])
        return any(each is not None and not each.task.done() for each in tries)

    def _knows(self, speech_end: int, segmenter: Segmenter) -> bool:
        """Tell whether nothing was said since the newest guess, which heard the end of it."""
        newest = self._newest
        return (
            newest is not None
            and newest.speech_end == speech_end
            and newest.start == segmenter.start
            and newest.end - speech_end >= SETTLED
        )

    def _next_beginning(self, segmenter: Segmenter) -> int | None:
        """Find the newest pause that is worth recognising what was said before it."""
        known = self._beginnings[-1].end if self._beginnings else segmenter.start
        breaths = (each for each in segmenter.pauses if each[1] - each[0] >= BREATH)
        place = max(map(middle, breaths), default=0)
        saves = self._recogniser.takes((place - segmenter.start) / SAMPLE_RATE)
        return place if saves >= BLINK and place - known >= WORTH_CUTTING else None

    def _begin(self, segment: Segment, *, tell: Callable[[Guess], None] | None) -> _Try:
        begun = asyncio.Event()
        task = asyncio.create_task(self._guess(segment, begun, tell))
        task.add_done_callback(_ignore_outcome)
        return _Try(segment.start, segment.end, segment.lead, segment.speech_end, task, begun)

    async def _guess(
        self, segment: Segment, begun: asyncio.Event, tell: Callable[[Guess], None] | None
    ) -> Result:
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
            result = await self._recogniser.recognise(task, on_start=begun.set)
        except RecogniserError:
            self._pause = min(2 * self._pause, SELDOM)
            raise
        else:
            self._pause = max(EVERY, 2 * (time.monotonic() - began))
        finally:
            self._next = time.monotonic() + self._pause
        if tell is not None:
            tell(Guess(segment, result))
        return result


@dataclass(frozen=True, slots=True, eq=False)
class _Try:
    """A guess on its way, or made; it keeps no samples.

    Args:
        start: of its segment; the next three likewise.
        end: see above.
        lead: see above.
        speech_end: see above.
        task: gives the result.
        begun: set when a worker has taken it.
    """

    start: int
    end: int
    lead: int
    speech_end: int | None
    task: asyncio.Task[Result]
    begun: asyncio.Event

    @property
    def is_good(self) -> bool:
        """Whether it has a result, or will have one without waiting for a worker."""
        task = self.task
        failed = task.done() and (task.cancelled() or task.exception() is not None)
        return self.begun.is_set() and not failed

    def is_of(self, segment: Segment) -> bool:
        """Whether it is of just these samples."""
        wanted = (segment.start, segment.end, segment.lead)
        return (self.start, self.end, self.lead) == wanted


def _until(end: int, segment: Segment) -> Segment:
    """Give a segment as it will be if nothing more is said."""
    assert segment.samples is not None  # noqa: S101  # it is of the open segment
    samples = segment.samples[: end - (segment.start - segment.lead)]
    return replace(segment, end=end, samples=samples)


def _ignore_outcome(task: asyncio.Task[Result]) -> None:
    """Keep asyncio from reporting a guess that came to nothing."""
    if not task.cancelled():
        task.exception()
