"""An utterance: its bytes come in, its text goes out while more bytes come."""

from __future__ import annotations

import asyncio
import logging
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from capswriter import trace
from capswriter.audio import SAMPLE_RATE
from capswriter.audio.segment import Segment, Segmenter, SegmentPolicy
from capswriter.audio.vad import SileroVad
from capswriter.engines.base import Options
from capswriter.pool import Priority, Recogniser, RecogniserError, Result, Task
from capswriter.sessions.guesses import Guess, Guesses
from capswriter.sessions.intake import AudioFormat, Intake
from capswriter.sessions.merge import Merger
from capswriter.text.finish import Finishing, Passage, finish

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

    from capswriter.audio import Samples
    from capswriter.audio.hearing import FrameDetector
    from capswriter.transcript import Token

logger = logging.getLogger(__name__)

NO_FINISHING = Finishing(itn=False, spacing=False, script="keep")
"""The text stays as it was recognised."""

WAITING = 1
"""Segments of an utterance that wait for a worker; one more is cut and held ready."""

FEW = 50
"""Tokens that are finished in a millisecond or two, but for the tables of another script."""

SHORT = 0.25
"""Seconds of a speaker's audio that the event loop cuts itself: it takes half a millisecond.

A file is not looked at for so little. What is looked for in it takes longer now and then, when a
segment is full; so that is always done in a thread.
"""

LARGE = 2**20
"""Bytes that take too long to store for the event loop to do it."""

LONGEST = 24 * 3600.0
"""Seconds of audio in an utterance, unless the settings say otherwise."""


@dataclass(frozen=True, slots=True)
class Update:
    """What has become certain since the last update.

    Args:
        tokens: in order, with times in seconds from the start of the utterance.
        covered: seconds of audio from the start that have been dealt with; in the last update, all.
        language: of the newest segment, ISO 639-1; empty while nothing was said.
        submitted: Unix seconds at which the newest segment was queued.
        partial: what follows ``tokens`` as far as it can be guessed; the next update replaces it.
        is_all: nothing more is to be recognised; the last update follows at once.
        is_last: nothing follows.
        finished: in the last update, all tokens of the utterance as they are to be written; None
            where that is what the updates have told.
    """

    tokens: tuple[Token, ...]
    covered: float
    language: str
    submitted: float
    partial: tuple[Token, ...] = ()
    is_all: bool = False
    is_last: bool = False
    finished: tuple[Token, ...] | None = None


@dataclass(slots=True)
class Work:
    """What recognising an utterance has cost so far.

    Args:
        wait: seconds that the segment waited that waited longest for a worker.
        audio: seconds of segments that were recognised; silence is not.
        seconds: that engines worked on them.
    """

    wait: float = 0.0
    audio: float = 0.0
    seconds: float = 0.0

    def note_wait(self, since: float) -> None:
        """Note that a segment's wait, from the monotonic time ``since``, is over."""
        self.wait = max(self.wait, time.monotonic() - since)

    def note(self, task: Task, result: Result) -> None:
        """Note a result."""
        self.audio += task.seconds
        self.seconds += result.seconds

    def __str__(self) -> str:
        rtf = self.seconds / self.audio if self.audio else 0.0
        return f"wait={self.wait:.2f}s audio={self.audio:.1f}s rtf={rtf:.3f}"


class Ears:
    """The threads in which utterances decode, detect voices and cut.

    The network that detects voices releases the GIL, so two threads serve many: a second of audio
    costs 0.5 ms at most. What a speaker adds is so little that the event loop looks at it itself.

    Args:
        threads: how many.
        detector: makes what hears speech in one utterance.
    """

    def __init__(
        self, threads: int = 2, *, detector: Callable[[], FrameDetector] = SileroVad
    ) -> None:
        self.executor = ThreadPoolExecutor(threads, thread_name_prefix="ears")
        self.detector = detector

    def close(self) -> None:
        """Let the threads end."""
        self.executor.shutdown(wait=False, cancel_futures=True)


class Utterance:
    """One utterance of one client.

    Call ``write`` for what arrives and ``end`` after it, and iterate over ``updates`` meanwhile.
    ``write`` does not wait for recognition: what cannot be recognised yet is kept, on the disk if
    it is much.

    Args:
        recogniser: where segments go.
        ears: where samples are looked at.
        audio_format: of the bytes.
        rate: samples in a second, outside of containers.
        options: for the engine.
        policy: how long segments get, as far as the engine takes such.
        priority: class of its tasks.
        client: whose it is.
        longest: seconds of audio that are accepted.
        live: somebody speaks and waits: what is being said is guessed at, too.
        partials: the guesses are wanted, as ``Update.partial``.
        finishing: what to do to the whole text at its end; None for nothing.

    Raises:
        Overloaded: too much waits already.
        RecogniserClosed: the server is stopping.
    """

    def __init__(
        self,
        recogniser: Recogniser,
        ears: Ears,
        *,
        audio_format: AudioFormat = AudioFormat.F32LE,
        rate: int = SAMPLE_RATE,
        options: Options | None = None,
        policy: SegmentPolicy | None = None,
        priority: Priority = Priority.FILE,
        client: str = "",
        longest: float = LONGEST,
        live: bool = False,
        partials: bool = False,
        finishing: Finishing | None = None,
    ) -> None:
        self._account = recogniser.admit(client=client, priority=priority)
        self.work = Work()
        self._recogniser = recogniser
        self._ears = ears
        self._intake = Intake(audio_format, rate=rate, longest=longest)
        self._policy = policy or SegmentPolicy()
        self._segmenter: Segmenter | None = None
        self._options = options or Options()
        self._priority = priority
        self._client = client
        self._finishing = finishing or NO_FINISHING
        self._passages: list[Passage] = []
        self._arrived = asyncio.Event()
        self._arrived_at = time.monotonic()
        self._covered = 0.0
        self._cut_until = 0  # samples
        self._heard: asyncio.Queue[_Heard | Guess | None] = asyncio.Queue()
        tell = self._heard.put_nowait if partials else None
        self._guesses = (
            Guesses(recogniser, self._options, client=client, tell=tell) if live else None
        )
        self._results: set[asyncio.Task[Result]] = set()  # that are still to come
        self._waiting = asyncio.Semaphore(WAITING)

    @property
    def samples(self) -> int:
        """Samples looked at so far; all of them with the last update."""
        return self._intake.taken

    @property
    def received(self) -> int:
        """Bytes written so far."""
        return self._intake.received

    async def write(self, data: bytes) -> None:
        """Take bytes of audio.

        Raises:
            AudioTooLong: it is more than an utterance may have.
            BadAudio: the audio cannot be stored.
        """
        self._arrived_at = time.monotonic()
        if len(data) > LARGE:
            await asyncio.to_thread(self._intake.write, data)
        else:
            self._intake.write(data)
        self._account.owe(self._intake.seconds - self._covered)
        self._arrived.set()

    def end(self) -> None:
        """Tell that nothing follows."""
        self._intake.end()
        self._arrived.set()

    async def updates(self) -> AsyncGenerator[Update, None]:
        """Recognise, and tell what is certain after each segment; close it when leaving early.

        Raises:
            BadAudio, DecodeFailed, AudioTooLong: the bytes are no audio that can be used.
            RecogniserError: a segment could not be recognised.
        """
        listening = asyncio.create_task(self._listen())
        merger = Merger()
        language, submitted = "", 0.0
        try:
            while (current := await self._heard.get()) is not None:
                if isinstance(current, Guess):
                    if current.segment.start == self._cut_until:  # else it has been cut meanwhile
                        yield self._guessed(current, language, submitted)
                    continue
                segment = current.segment
                tokens: tuple[Token, ...] = ()
                if current.result is not None:
                    transcript = (await current.result).transcript
                    tokens = merger.add(segment, transcript)
                    language, submitted = transcript.language, current.submitted
                    self._note(tokens, language)
                self._covered = segment.end / SAMPLE_RATE
                self._account.owe(self._intake.seconds - self._covered)
                is_all = listening.done() and not self._results
                yield Update(tokens, self._covered, language, submitted, is_all=is_all)
            await listening
            tokens = merger.finish()
            self._note(tokens, language)
            finished = await self._finished()
            trace.note("written", arrived=self._arrived_at, written=time.monotonic())
            yield Update(
                tokens,
                self._covered,
                language,
                submitted,
                is_all=True,
                is_last=True,
                finished=finished,
            )
        finally:
            listening.cancel()
            listening.add_done_callback(_ignore_outcome)
            if self._guesses is not None:
                self._guesses.cancel()
            for result in self._results:
                result.cancel()
            self.close()

    def close(self) -> None:
        """Free what is stored, where ``updates`` was never iterated; closing twice is harmless."""
        self._account.close()
        self._intake.close()

    def _note(self, tokens: tuple[Token, ...], language: str) -> None:
        if self._finishing != NO_FINISHING and tokens:
            self._passages.append(Passage(language, tokens))

    async def _finished(self) -> tuple[Token, ...] | None:
        """Finish the text, in a thread where it is long; None where it stays as it is."""
        if not self._passages:
            return None
        traits = await self._recogniser.traits()
        finishing = replace(self._finishing, itn=self._finishing.itn and not traits.normalises)
        is_short = sum(len(passage.tokens) for passage in self._passages) <= FEW
        if is_short and finishing.script == "keep":
            return _finished(self._passages, finishing)
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._ears.executor, _finished, self._passages, finishing)

    def _guessed(self, guess: Guess, language: str, submitted: float) -> Update:
        """Tell a guess, as a merger of its own places it."""
        tokens = Merger().add(guess.segment, guess.result.transcript)
        return Update((), self._covered, language, submitted, partial=tokens)

    async def _listen(self) -> None:
        """Cut what arrives into segments, and hand each to the recogniser as soon as it is cut."""
        own = ThreadPoolExecutor(1, "decode") if self._intake.blocks_its_thread else None
        try:
            await self._cut_all(own or self._ears.executor)
        finally:
            self._heard.put_nowait(None)  # whoever awaits this task learns how it ended
            if own is not None:
                own.submit(self._intake.release)  # after what is being taken
                own.shutdown(wait=False)

    async def _cut_all(self, executor: ThreadPoolExecutor) -> None:
        loop = asyncio.get_running_loop()
        maximum = (await self._recogniser.traits()).maximum
        policy = self._policy.within(maximum)
        while True:
            await self._arrived.wait()
            self._arrived.clear()
            if self._guesses is None and self._waits_for_more():
                continue
            more = True
            while more:
                known = self._guesses.beginnings() if self._guesses is not None else []
                is_live = self._guesses is not None and self._segmenter is not None
                if is_live and self._intake.waiting <= SHORT:
                    segments, more, last = self._cut(policy, known)
                else:
                    segments, more, last = await loop.run_in_executor(
                        executor, self._cut, policy, known
                    )
                for segment in segments:
                    self._heard.put_nowait(await self._submit(segment))
                    self._cut_until = segment.end
                if last:
                    return
            if self._guesses is not None and self._segmenter is not None:
                self._guesses.consider(self._segmenter)

    def _waits_for_more(self) -> bool:
        """Tell whether what has come is too little to look at, and is not the end."""
        return self._intake.waiting <= SHORT and not self._intake.ended

    def _cut(
        self, policy: SegmentPolicy, known: list[tuple[int, int]]
    ) -> tuple[list[Segment], bool, bool]:
        """Cut what there is, in a thread unless it is short; tell if more waits, if it ended."""
        segmenter = self._segmenter
        if segmenter is None:  # the first detector loads its network
            segmenter = self._segmenter = Segmenter(policy, detector=self._ears.detector())
        samples, last = self._intake.take()
        # Whoever guesses asks where the newest speech is; after the last samples nobody does.
        guessing = self._guesses is not None and not last
        segments = segmenter.push(samples, last=last, closely=guessing)
        if last:
            places = [end for start, end in known if start == segmenter.start]
            segments += segmenter.finish(places)
        return segments, not self._intake.is_drained, last

    async def _submit(self, segment: Segment) -> _Heard:
        """Queue a segment, once the one before it has found a worker; the rest waits as bytes."""
        if segment.samples is None:
            return _Heard(segment, time.time())
        guess = self._guesses.answer(segment) if self._guesses is not None else None
        if guess is None:
            await self._waiting.acquire()
            result = asyncio.create_task(self._recognise(segment.samples))
        else:
            result = asyncio.create_task(self._adopt(guess, segment.samples))
        self._results.add(result)
        result.add_done_callback(self._results.discard)
        result.add_done_callback(_ignore_outcome)
        return _Heard(segment, time.time(), result)

    async def _adopt(self, guess: asyncio.Task[Result], samples: Samples) -> Result:
        """Take a guess for the result, unless it comes to nothing."""
        try:
            return await guess
        except RecogniserError:
            await self._waiting.acquire()
            return await self._recognise(samples)

    async def _recognise(self, samples: Samples) -> Result:
        task = Task(samples, self._options, self._priority, self._client)
        with ExitStack() as waits:
            waits.callback(self._waiting.release)
            waits.callback(self.work.note_wait, time.monotonic())
            result = await self._recogniser.recognise(task, on_start=waits.close)
        self.work.note(task, result)
        return result


@dataclass(frozen=True, slots=True, eq=False)
class _Heard:
    """A segment on its way: when it was queued, and its result to come; None for silence."""

    segment: Segment
    submitted: float
    result: asyncio.Task[Result] | None = None


def _finished(passages: list[Passage], finishing: Finishing) -> tuple[Token, ...] | None:
    told = tuple(token for passage in passages for token in passage.tokens)
    try:
        tokens = finish(passages, finishing)
    except Exception:  # the words count for more than how they are written
        logger.exception("a text could not be finished; it is sent as it was recognised")
        return None
    return None if tokens == told else tokens


def _ignore_outcome(task: asyncio.Task[Any]) -> None:
    """Keep asyncio from reporting a failure that nobody waits for any more."""
    if not task.cancelled():
        task.exception()
