"""Cutting a stream into segments that an engine can take, in silence wherever there is any.

``python -m capswriter.audio.segment FILE`` prints the segments of a file.

The rule. A segment runs on until it reaches ``SegmentPolicy.maximum``; then it is cut in the middle
of the longest pause of its later part (or of its earlier part, if the later has none), and nothing
overlaps. A pause in which it is quiet comes before one with noise. Long pauses end a segment at
once and are themselves never sent to an engine. Only where the detector finds no pause in a whole
segment is the cut forced; the next segment then repeats the last ``overlap`` seconds, and whoever
merges the texts uses that to find the seam.
"""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from capswriter.audio import SAMPLE_RATE, Samples
from capswriter.audio.hearing import Hearing
from capswriter.audio.vad import FRAME, SileroVad

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from capswriter.audio.hearing import FrameDetector

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

BRIEF = 100
"""Frames that are sooner judged than looked through: 3 s."""

Pause: TypeAlias = tuple[int, int]
"""First sample of it, and the sample after its last."""


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
        speech_end: the sample after its last speech, as far as it was looked for; None where it
            is cut inside a pause or in the middle of speech, or has none.
    """

    start: int
    end: int
    samples: Samples | None = None
    lead: int = 0
    tail: int = 0
    speech_end: int | None = None


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
        shortest = _samples(min(self._policy.silence, self._policy.pause))
        self._hearing = Hearing(detector or SileroVad(), pause=shortest // FRAME)
        self._start = 0
        self._lead = 0
        self._spoken: tuple[int, int] | None = None
        """The frames of the open segment before which, and after which, no speech is known."""
        self._cut: list[Segment] = []

    def push(self, samples: Samples, *, last: bool = False, closely: bool = False) -> list[Segment]:
        """Take the next samples; give the segments that are complete by them.

        Args:
            samples: float32[n], mono, 16 kHz.
            last: only ``finish`` follows, which cuts.
            closely: judge every frame, for whoever asks for ``speech_end`` and ``pauses``.
        """
        hearing = self._hearing
        hearing.push(samples)
        if last:
            return []
        if closely:
            hearing.judge(self._start // FRAME, hearing.frames)
        while self._advance():
            pass
        if closely:
            self._find_end(hearing.frames)
        return self._taken()

    @property
    def start(self) -> int:
        """The first sample of the open segment."""
        return self._start

    @property
    def heard(self) -> int:
        """How many samples have been judged, where all of them were heard closely."""
        return self._hearing.frames * FRAME

    @property
    def speech_end(self) -> int | None:
        """The sample after the newest speech of the open segment; None where it has none."""
        return None if self._spoken is None else self._spoken[1] * FRAME

    @property
    def pauses(self) -> list[Pause]:
        """Where nobody speaks between words of the open segment, and after them: first to last."""
        return self._pauses(self._hearing.frames)

    def open_segment(self) -> Segment:
        """Give what has come so far of the segment that is not complete yet."""
        end = self._hearing.total
        samples = self._hearing.read(self._start - self._lead, end)
        return Segment(self._start, end, samples, self._lead, speech_end=self.speech_end)

    def finish(self, places: Sequence[int] = ()) -> list[Segment]:
        """End the stream; give the segments that remain.

        Args:
            places: in pauses of the open segment, where it may be cut because what it sounds like
                up to there is known. The last is taken that leaves enough to be understood.
        """
        hearing = self._hearing
        hearing.end()
        if hearing.frames <= BRIEF and hearing.judged(0) == 0:
            hearing.judge(0, hearing.frames)
        while self._advance():
            pass
        total = hearing.total
        for find in (self._find_speech, self._find_end):
            # Who spoke just now ends with the stream, whatever is in between.
            if total - (self.speech_end or 0) > _samples(PADDING):
                find(hearing.frames)
        understood = (self.speech_end or 0) - _samples(LEAST)
        if place := max((place for place in places if place <= understood), default=0):
            self._cut_at(place)
        if (speech_end := self.speech_end) is not None:
            end = min(speech_end + _samples(PADDING), total)
            if end > self._start:
                self._end_segment(end, speech_end=min(speech_end, total))
        self._skip_silence(total)
        return self._taken()

    def _advance(self) -> bool:
        """Do what is next; tell whether there was something to do."""
        if self._spoken is None:
            return self._look_for_speech()
        full, known = self._full(), self._spoken[1]
        due = min(full, self._over(known))
        if due > self._hearing.total // FRAME:
            return False
        until = self._find_speech(due)
        if due < self._over(until):
            if due == full:
                self._split(self._spoken[0], full)
        elif until == known:
            speech_end = until * FRAME
            self._end_segment(speech_end + _samples(PADDING), speech_end=speech_end)
        return True

    def _look_for_speech(self) -> bool:
        """Let silence go until somebody speaks."""
        hearing, padding = self._hearing, _samples(PADDING)
        begin = self._start // FRAME
        near = begin + padding // FRAME
        if hearing.judged(begin) == begin and near <= hearing.frames:
            # Who speaks within the padding begins with the segment.
            hearing.glance(begin, near)
            if (found := hearing.spoken(begin, near)) is not None:
                self._spoken = (begin, found + 1)
                return True
        until, speaks = hearing.first_speech(begin)
        while (now := _frames(self._start + padding + _samples(SILENCE_STEP))) <= until:
            self._skip_silence(now * FRAME - padding)
        if speaks:
            self._skip_silence(until * FRAME - padding)
            self._spoken = (until, until + 1)
        return speaks

    def _over(self, until: int) -> int:
        """Count the frames after which the open segment is over if nobody speaks from one on."""
        policy, speech_end = self._policy, until * FRAME
        long_enough = max(
            speech_end + _samples(policy.pause), self._start + _samples(policy.minimum)
        )
        return _frames(min(speech_end + _samples(policy.silence), long_enough))

    def _full(self) -> int:
        """Count the frames after which the open segment has no room for another."""
        return (self._start - self._lead + _samples(self._policy.maximum)) // FRAME

    def _find_speech(self, until: int) -> int:
        """Look for speech after what is known of; give the frame after it."""
        return self._note(self._hearing.some_speech, until)

    def _find_end(self, until: int) -> int:
        """Look for the last speech before a frame; give the frame after it."""
        return self._note(self._hearing.last_speech, until)

    def _note(self, look: Callable[[int, int], int | None], until: int) -> int:
        if self._spoken is None:
            return 0
        first, known = self._spoken
        if (found := look(known, until)) is not None:
            self._spoken = first, found + 1
        return self._spoken[1]

    def _split(self, first: int, now: int) -> None:
        """Cut the full segment at its best pause, or by force where it has none."""
        self._find_end(now)
        if (best := self._best_pause(first, now)) is not None:
            self._cut_at(middle(best))
        else:
            self._end_segment(now * FRAME, overlap=_samples(self._policy.overlap))
            self._spoken = (now, now)

    def _best_pause(self, first: int, now: int) -> Pause | None:
        """Look where it is quiet in the later part, then everywhere; None where nobody pauses."""
        hearing = self._hearing
        later = self._start + round(LATER_PART * (now * FRAME - self._start))
        best: list[Pause] = []
        for quiet in sorted(_usable(hearing.quiet(first, now)), key=_worth, reverse=True):
            if best and _worth(best[0]) >= _worth(quiet):
                break
            if quiet[1] > later:
                hearing.judge(quiet[0] // FRAME, quiet[1] // FRAME)
                pauses = hearing.pauses(quiet[0] // FRAME, quiet[1] // FRAME)
                best += [pause for pause in _usable(pauses) if middle(pause) >= later]
                best = [max(best, key=_worth)] if best else []
        if not best:
            hearing.judge(first, now)
            pauses = _usable(self._pauses(now))
            best = [pause for pause in pauses if middle(pause) >= later] or pauses
        return max(best, key=_worth, default=None)

    def _pauses(self, until: int) -> list[Pause]:
        """List the pauses of the open segment, up to a frame up to which all have been judged."""
        if self._spoken is None:
            return []
        first: int | None = self._spoken[0]
        if not self._lead:  # else it goes on where the last one ended
            first = self._hearing.spoken(self._spoken[0], until)
        return [] if first is None else self._hearing.pauses(first, until)

    def _cut_at(self, place: int) -> None:
        """End the open segment in one of its pauses; what was said since belongs to the next."""
        until = self._spoken[1] if self._spoken is not None else 0
        self._end_segment(place)
        if until * FRAME > place:
            self._spoken = (place // FRAME, until)

    def _end_segment(self, end: int, *, overlap: int = 0, speech_end: int | None = None) -> None:
        samples = self._hearing.read(self._start - self._lead, end)
        self._cut.append(Segment(self._start, end, samples, self._lead, overlap, speech_end))
        self._open(end, lead=overlap)

    def _skip_silence(self, until: int) -> None:
        if until > self._start:
            self._cut.append(Segment(self._start, until))
            self._open(until)

    def _open(self, start: int, *, lead: int = 0) -> None:
        self._start, self._lead = start, lead
        self._spoken = None
        self._hearing.drop(start - lead)

    def _taken(self) -> list[Segment]:
        taken, self._cut = self._cut, []
        return taken


@lru_cache(maxsize=64)
def _samples(seconds: float) -> int:
    return sys.maxsize if math.isinf(seconds) else round(seconds * SAMPLE_RATE)


def _frames(samples: int) -> int:
    """Count the frames that have come when so many samples have, at least."""
    return -(-samples // FRAME)


def _usable(pauses: list[Pause]) -> list[Pause]:
    return [pause for pause in pauses if pause[1] - pause[0] >= _samples(SHORTEST_PAUSE)]


def _worth(pause: Pause) -> tuple[int, Pause]:
    """Compare pauses as places for a cut: the longer, the better, and of long ones the last."""
    return min(pause[1] - pause[0], _samples(LONG_ENOUGH)), pause


def middle(pause: Pause) -> int:
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
