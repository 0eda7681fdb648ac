"""Cutting a stream into segments that an engine can take, in silence wherever there is any.

``python -m capswriter.audio.segment FILE`` prints the segments of a file.

The rule. A segment runs on until it reaches ``SegmentPolicy.maximum``; then it is cut in the middle
of the longest pause of its later part (or of its earlier part, if the later has none), and nothing
overlaps. Long pauses end a segment at once and are themselves never sent to an engine. Only where
the detector finds no pause in a whole segment is the cut forced; the next segment then repeats the
last ``overlap`` seconds, and whoever merges the texts uses that to find the seam.
"""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np

from capswriter.audio import SAMPLE_RATE, Samples
from capswriter.audio.vad import FRAME, SileroVad

if TYPE_CHECKING:
    from collections.abc import Sequence

SPEECH_FROM = 0.5
"""Probability from which a frame is speech; Silero's own default."""

SPEECH_UNTIL = 0.35
"""Probability under which speech is over; between the two, a frame is what the last one was."""

PADDING = 0.5
"""Seconds of sound kept before and after speech, for soft beginnings and ends."""

SHORTEST_PAUSE = 0.2
"""Seconds. Shorter ones may be the closure of a consonant: no place for a cut."""

LONG_ENOUGH = 0.6
"""Seconds from which one pause is as good a place for a cut as another."""

LATER_PART = 0.4
"""A cut is looked for after this part of a full segment first."""

LEAST = 2.0
"""Seconds of speech that an engine understands without what was said before."""

SILENCE_STEP = 1.0
"""Seconds of silence that are let go at a time."""


@dataclass(frozen=True, slots=True)
class SegmentPolicy:
    """How long segments get; all in seconds.

    Args:
        maximum: the longest piece of audio an engine gets, overlap included.
        overlap: how much a forced cut repeats; less than half of ``maximum``.
        silence: a pause of this length always ends a segment, and is dropped.
        pause: a pause of this length ends a segment of at least ``minimum``; for someone who speaks
            and waits, so that what has been said is recognised meanwhile.
        minimum: see ``pause``.
    """

    maximum: float = 30.0
    overlap: float = 2.0
    silence: float = 3.0
    pause: float = math.inf
    minimum: float = 6.0

    def __post_init__(self) -> None:
        if not 0 < 2 * self.overlap < self.maximum:
            raise ValueError(
                f"overlap {self.overlap} does not fit into half of maximum {self.maximum}"
            )
        if not all(pause >= 2 * PADDING for pause in (self.silence, self.pause)):
            raise ValueError(f"pauses that end a segment are at least {2 * PADDING} s")

    def within(self, maximum: float) -> SegmentPolicy:
        """Give the same policy for an engine that takes at most ``maximum`` seconds at once."""
        if maximum >= self.maximum:
            return self
        return replace(self, maximum=maximum, overlap=min(self.overlap, maximum / 4))


@dataclass(frozen=True, slots=True, eq=False)
class Segment:
    """A piece of the timeline; the segments of a stream cover it without gaps.

    Args:
        start: first sample of the stream that the segment answers for.
        end: the sample after the last one.
        samples: the audio to recognise, from ``start - lead`` to ``end``; None where nobody speaks.
        lead: how many samples before ``start``, repeated from the segment before, ``samples`` has.
        tail: how many samples before ``end`` the next segment will repeat.
        speech_end: the sample after its last speech; None where it ends in the middle of speech,
            or has none.
    """

    start: int
    end: int
    samples: Samples | None = None
    lead: int = 0
    tail: int = 0
    speech_end: int | None = None


class FrameDetector(Protocol):
    """Gives the probability of speech, in [0, 1], for each ``FRAME`` samples of a stream."""

    def push(self, samples: Samples, /, *, last: bool = False) -> Samples:
        """Take the next samples; give the probabilities of the frames they complete.

        With the last ones, a frame that is not full is judged too.
        """
        ...


class Segmenter:
    """Cuts one stream; the segments do not depend on the blocks in which it is pushed.

    Args:
        policy: how long segments get.
        detector: hears where speech is; Silero by default.
    """

    def __init__(
        self, policy: SegmentPolicy | None = None, *, detector: FrameDetector | None = None
    ) -> None:
        self._policy = policy or SegmentPolicy()
        self._vad = detector or SileroVad()
        self._tape = bytearray()  # float32 samples from ``_base`` on
        self._base = 0
        self._labelled = 0  # samples whose frames have been labelled
        self._unfilled: list[float] = []  # the probability of a last frame that is not full
        self._speaking = False
        self._start = 0
        self._lead = 0
        self._speech_end: int | None = None  # of the latest speech in the open segment, if any
        self._pauses: list[tuple[int, int]] = []  # between speech, in the open segment
        self._cut: list[Segment] = []

    def push(self, samples: Samples, *, last: bool = False) -> list[Segment]:
        """Take the next samples; give the segments that are complete by them.

        Args:
            samples: float32[n], mono, 16 kHz.
            last: only ``finish`` follows, which needs not judge any more then.
        """
        self._tape.extend(np.ascontiguousarray(samples, np.float32).view(np.uint8))
        whole = (self._total - self._labelled) // FRAME
        probabilities = self._vad.push(samples, last=last).tolist()
        self._unfilled += probabilities[whole:]
        for probability in probabilities[:whole]:
            self._label(probability)
            if self._speech_end is not None and self._is_full():
                self._split()
        return self._taken()

    @property
    def start(self) -> int:
        """The first sample of the open segment."""
        return self._start

    @property
    def heard(self) -> int:
        """How many samples have been judged."""
        return self._labelled

    @property
    def speech_end(self) -> int | None:
        """The sample after the newest speech of the open segment; None where it has none."""
        return self._speech_end

    @property
    def pauses(self) -> list[tuple[int, int]]:
        """Where nobody speaks between words of the open segment, and after them: first to last."""
        if self._speech_end is None:
            return []
        return [*self._pauses, (self._speech_end, self._labelled)]

    def open_segment(self) -> Segment:
        """Give what has come so far of the segment that is not complete yet."""
        end = self._total
        samples = self._read(self._start - self._lead, end)
        return Segment(self._start, end, samples, self._lead, speech_end=self._speech_end)

    def finish(self, places: Sequence[int] = ()) -> list[Segment]:
        """End the stream; give the segments that remain.

        Args:
            places: in pauses of the open segment, where it may be cut because what it sounds like
                up to there is known. The last is taken that leaves enough to be understood.
        """
        segments = self.push(np.zeros(0, np.float32), last=True)
        total = self._total
        for probability in self._unfilled:
            self._label(probability)
        self._labelled = total
        understood = (self._speech_end or 0) - _samples(LEAST)
        if place := max((place for place in places if place <= understood), default=0):
            self._cut_at(place)
        if self._speech_end is not None:
            end = min(self._speech_end + _samples(PADDING), total)
            if end > self._start:
                self._end_segment(end, speech_end=self._speech_end)
        self._skip_silence(total)
        return segments + self._taken()

    @property
    def _total(self) -> int:
        """How many samples have come."""
        return self._base + len(self._tape) // 4

    def _label(self, probability: float) -> None:
        if probability >= SPEECH_FROM:
            self._speaking = True
        elif probability < SPEECH_UNTIL:
            self._speaking = False
        start = self._labelled
        self._labelled += FRAME
        if self._speaking:
            self._hear_speech(start)
        else:
            self._hear_silence()

    def _hear_speech(self, start: int) -> None:
        if self._speech_end is None:
            self._skip_silence(start - _samples(PADDING))
        elif start > self._speech_end:
            self._pauses.append((self._speech_end, start))
        self._speech_end = self._labelled

    def _hear_silence(self) -> None:
        now = self._labelled
        if self._speech_end is None:
            if now - self._start >= _samples(PADDING + SILENCE_STEP):
                self._skip_silence(now - _samples(PADDING))
            return
        pause, length = now - self._speech_end, now - self._start
        policy = self._policy
        if pause >= _samples(policy.silence) or (
            pause >= _samples(policy.pause) and length >= _samples(policy.minimum)
        ):
            self._end_segment(self._speech_end + _samples(PADDING), speech_end=self._speech_end)

    def _is_full(self) -> bool:
        return self._labelled + FRAME - (self._start - self._lead) > _samples(self._policy.maximum)

    def _split(self) -> None:
        """Cut the full segment at its best pause, or by force where it has none."""
        now = self._labelled
        usable = [pause for pause in self.pauses if pause[1] - pause[0] >= _samples(SHORTEST_PAUSE)]
        later = self._start + round(LATER_PART * (now - self._start))
        candidates = [pause for pause in usable if middle(pause) >= later] or usable
        if not candidates:
            self._end_segment(now, overlap=_samples(self._policy.overlap))
            self._speech_end = now
            return
        best = max(
            candidates, key=lambda pause: (min(pause[1] - pause[0], _samples(LONG_ENOUGH)), pause)
        )
        self._cut_at(middle(best))

    def _cut_at(self, place: int) -> None:
        """End the open segment in one of its pauses; what was said since belongs to the next."""
        speech_end = self._speech_end
        remaining = [pause for pause in self._pauses if pause[0] > place]
        self._end_segment(place)
        self._pauses = remaining
        if speech_end is not None and speech_end > place:
            self._speech_end = speech_end

    def _end_segment(self, end: int, *, overlap: int = 0, speech_end: int | None = None) -> None:
        samples = self._read(self._start - self._lead, end)
        self._cut.append(Segment(self._start, end, samples, self._lead, overlap, speech_end))
        self._open(end, lead=overlap)

    def _skip_silence(self, until: int) -> None:
        if until > self._start:
            self._cut.append(Segment(self._start, until))
            self._open(until)

    def _open(self, start: int, *, lead: int = 0) -> None:
        self._start, self._lead = start, lead
        self._speech_end = None
        self._pauses = []
        unused = start - lead - self._base
        del self._tape[: unused * 4]
        self._base += unused

    def _read(self, start: int, end: int) -> Samples:
        first = start - self._base
        samples: Samples = np.frombuffer(self._tape, np.float32, end - start, 4 * first).copy()
        return samples

    def _taken(self) -> list[Segment]:
        taken, self._cut = self._cut, []
        return taken


@lru_cache(maxsize=64)
def _samples(seconds: float) -> int:
    return sys.maxsize if math.isinf(seconds) else round(seconds * SAMPLE_RATE)


def middle(pause: tuple[int, int]) -> int:
    """Give the place in a pause that is farthest from what is said around it."""
    return (pause[0] + pause[1]) // 2


def _show(path: Path) -> None:
    from capswriter.audio.decode import AudioFile  # noqa: PLC0415

    segmenter = Segmenter()
    with AudioFile(path) as file:
        segments = [segment for block in file.blocks() for segment in segmenter.push(block)]
    for segment in segments + segmenter.finish():
        kind = (
            "silence"
            if segment.samples is None
            else f"speech, {segment.lead / SAMPLE_RATE:.1f} s again"
        )
        sys.stdout.write(
            f"{segment.start / SAMPLE_RATE:9.2f} {segment.end / SAMPLE_RATE:9.2f} {kind}\n"
        )


if __name__ == "__main__":
    _show(Path(sys.argv[1]))
