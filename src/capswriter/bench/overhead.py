"""What the server adds to one utterance on an idle machine, and where.

One client sends the same ten seconds again and again, all at once and as slowly as they were
spoken; between two of them, a process without a server recognises what the server's worker gets.
"""

from __future__ import annotations

import asyncio
import math
import multiprocessing
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, TypeAlias, cast

from capswriter.audio import SAMPLE_RATE
from capswriter.audio.segment import PADDING, Segmenter, SegmentPolicy
from capswriter.bench.bare import Failed, over_pipe
from capswriter.bench.load import Work, calling, percentile
from capswriter.bench.material import Material
from capswriter.bench.result import Run, Sample, Stages
from capswriter.bench.serving import started
from capswriter.bench.tables import Aim, Table
from capswriter.bench.trace import read_trace, read_utterances
from capswriter.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from capswriter.audio import Samples
    from capswriter.bench.bare import Done, News
    from capswriter.bench.load import Caller, Outcome
    from capswriter.bench.subject import Subject

SECONDS = 10.0
"""Of audio in the utterance."""

PAUSE = 1.0
"""Seconds of silence that the utterance must not have: dictations are cut there."""

STEP = 1.0
"""Seconds between the places where such an utterance is looked for."""

WARM_UP = 2
"""Utterances of each kind that do not count."""

AIM = 0.005
"""Seconds that may pass beyond the engine's own, in the median, for somebody who speaks.

What comes all at once is a recording: to receive it and to find where somebody speaks takes longer.
"""

PARTS = ("receive", "queue", "pipe", "engine", "merge", "send")

How: TypeAlias = Literal["at once", "paced"]


class CannotMeasure(UserError):
    """What is needed for the measurement is not there."""


@dataclass(frozen=True, slots=True, eq=False)
class Phrase:
    """Ten seconds that the server recognises in one piece.

    Args:
        material: what is sent.
        segment: what the engine gets of it.
    """

    material: Material
    segment: Samples


def phrase_of(materials: Sequence[Material]) -> Phrase:
    """Find ten seconds of speech without a pause, and still spoken at their end.

    After a pause, the server would have the text before the client has finished.

    Raises:
        CannotMeasure: there are none.
    """
    size = round(SECONDS * SAMPLE_RATE)
    for material in materials:
        for start in range(0, len(material.samples) - size + 1, round(STEP * SAMPLE_RATE)):
            samples = material.samples[start : start + size]
            segmenter = Segmenter(SegmentPolicy(pause=PAUSE))
            segments = [*segmenter.push(samples, closely=True), *segmenter.finish()]
            last = segments[-1]
            begins = segments[0].start if segments[0].samples is not None else segments[0].end
            is_spoken = last.samples is not None and last.speech_end is not None
            if (
                sum(segment.samples is not None for segment in segments) == 1
                and is_spoken
                and begins <= STEP * SAMPLE_RATE
                and size - cast("int", last.speech_end) < PADDING / 2 * SAMPLE_RATE
            ):
                name = f"{material.name}, {SECONDS:g} s from {start / SAMPLE_RATE:g} s"
                return Phrase(Material(name, samples), cast("Samples", last.samples))
    raise CannotMeasure(
        f"no recording has {SECONDS:g} s of speech without a pause of {PAUSE:g} s; name another"
    )


@dataclass(slots=True)
class Overhead:
    """What has been measured so far.

    Args:
        began: monotonic time.
        outcomes: of each way of sending.
        bare: when the process without a server began and ended, each time.
    """

    began: float = field(default_factory=time.monotonic)
    outcomes: dict[How, list[Outcome]] = field(default_factory=lambda: {"at once": [], "paced": []})
    bare: list[Done] = field(default_factory=list)

    def runs(self, phrase: Phrase, trace: Path) -> tuple[Run, ...]:
        """Write down what has been measured, with what the server's trace tells.

        Raises:
            OSError: the trace cannot be read.
        """
        spans = read_trace(trace, self.began)
        times = read_utterances(trace)
        runs = []
        for how, outcomes in self.outcomes.items():
            stages = [
                one.stages(outcome.spoken_at, outcome.final_at)
                for outcome in outcomes
                for one in times
                if outcome.sent_at <= one.written <= outcome.final_at
            ]
            samples = [self._sample(phrase, outcome) for outcome in outcomes]
            seconds = sum(sample.ended - sample.sent for sample in samples)
            own = [
                span
                for span in spans
                if any(each.sent <= span.began and span.ended <= each.ended for each in samples)
            ]
            runs.append(
                Run(
                    arrangement="server",
                    name=how,
                    workers=1,
                    round=0,
                    seconds=seconds,
                    samples=tuple(samples),
                    spans=tuple(own),
                    stages=tuple(stages),
                )
            )
        alone = [
            Sample(
                recording=phrase.material.name,
                client=0,
                sent=done.began - self.began,
                spoken=done.began - self.began,
                ended=done.ended - self.began,
                audio=len(phrase.segment) / SAMPLE_RATE,
                text=done.transcript.text,
            )
            for done in self.bare
        ]
        seconds = sum(sample.ended - sample.sent for sample in alone)
        bare = Run(
            arrangement="bare",
            name="bare",
            workers=1,
            round=0,
            seconds=seconds,
            samples=tuple(alone),
        )
        return (*runs, bare)

    def _sample(self, phrase: Phrase, outcome: Outcome) -> Sample:
        return Sample(
            recording=phrase.material.name,
            client=0,
            sent=outcome.sent_at - self.began,
            spoken=outcome.spoken_at - self.began,
            ended=outcome.final_at - self.began,
            audio=outcome.seconds,
            text=outcome.text,
            error=outcome.error,
        )


async def measure(
    subject: Subject,
    phrase: Phrase,
    found: Overhead,
    *,
    at_once: int,
    paced: int,
    trace: Path,
    tell: Callable[[str], None],
) -> None:
    """Measure, and put everything into ``found`` as it comes.

    Args:
        subject: the model.
        phrase: what is sent.
        found: what has been measured.
        at_once: how often the phrase is sent at once.
        paced: how often as slowly as it was spoken.
        trace: file for the server's trace; it is complete when this has returned.
        tell: gets a line about what happens.

    Raises:
        CannotMeasure: the engine cannot be loaded, or something ends.
        NotServing: the server does not start.
    """
    tell(f"starting a server and a bare process with {subject.name}")
    with _Bare(subject, phrase.segment) as bare:
        await bare.recognise()  # it is loaded
        serve = subject.serve(workers=1, trace=trace)
        async with (
            started(serve, log=trace.with_suffix(".log")) as server,
            calling(server.url) as caller,
        ):
            quick = Work("mic", phrase.material.samples)
            slow = Work("mic", phrase.material.samples, paced=True)
            for _ in range(WARM_UP):
                await bare.recognise()
                await _say(caller, quick)
            tell(f"{at_once} utterances at once")
            for _ in range(at_once):
                found.bare.append(await bare.recognise())
                found.outcomes["at once"].append(await _say(caller, quick))
            tell(f"{paced} utterances as they are spoken")
            for _ in range(paced):
                found.outcomes["paced"].append(await _say(caller, slow))


def beyond(stages: Stages) -> float:
    """Seconds of the client's wait in which the engine did not work for it."""
    return stages.total - stages.engine


def aims(runs: Sequence[Run]) -> list[Aim]:
    """Judge the median of those that were spoken."""
    return [
        Aim(
            f"beyond the engine, {run.name}, p50",
            percentile([beyond(each) for each in run.stages], 50) * 1000,
            AIM * 1000,
            unit=" ms",
        )
        for run in runs
        if run.arrangement == "server" and run.name == "paced" and run.stages
    ]


def table(runs: Sequence[Run]) -> Table:
    """Show p50 and p99 of each part in milliseconds."""
    served = [run for run in runs if run.arrangement == "server" and run.stages]
    bare = [
        sample.ended - sample.sent
        for run in runs
        if run.arrangement == "bare"
        for sample in run.samples
    ]
    header = ["ms"] + [f"{run.name}, p{percent}" for run in served for percent in (50, 99)]
    rows = []
    for part in (*PARTS, "total"):
        values = [[getattr(each, part) for each in run.stages] for run in served]
        rows.append([part, *_figures(values)])
    rows.append(["beyond the engine", *_figures([list(map(beyond, r.stages)) for r in served])])
    rows.append(["engine in a bare process", *_figures([bare for _ in served])])
    return Table(header, rows)


def _figures(columns: Sequence[Sequence[float]]) -> list[str]:
    figures = [percentile(values, percent) * 1000 for values in columns for percent in (50, 99)]
    return ["–" if math.isnan(figure) else f"{figure:.2f}" for figure in figures]


async def _say(caller: Caller, work: Work) -> Outcome:
    outcome = await caller.say(work)
    if outcome.error:
        raise CannotMeasure(f"the server answered with an error: {outcome.error}")
    return outcome


class _Bare:
    """A process that loops over the engine; a context that ends it."""

    def __init__(self, subject: Subject, segment: Samples) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(
            target=over_pipe, args=(theirs, subject.loading, 0), daemon=True
        )
        self._process.start()
        theirs.close()
        self._segment = segment
        self._is_loaded = False

    def __enter__(self) -> _Bare:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.join()
        self._pipe.close()

    async def recognise(self) -> Done:
        """Recognise the segment."""
        return await asyncio.to_thread(self._recognise)

    def _recognise(self) -> Done:
        try:
            if not self._is_loaded:
                self._receive()
                self._pipe.send([self._segment])
                self._is_loaded = True
            self._pipe.send((0, 0))
            return cast("Done", self._receive())
        except (EOFError, OSError) as error:
            raise CannotMeasure("the bare process has ended") from error

    def _receive(self) -> News:
        news: News = self._pipe.recv()
        if isinstance(news, Failed):
            raise CannotMeasure(f"the engine: {news.reason}")
        return news
