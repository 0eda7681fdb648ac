"""How little of a stream is judged, and that nothing is missed by it."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from recordings import samples_of

from capswriter.audio import SAMPLE_RATE, Samples
from capswriter.audio.hearing import DOUBT, SPEECH_FROM, Hearing
from capswriter.audio.segment import LONG_ENOUGH, Segment, Segmenter, SegmentPolicy
from capswriter.audio.vad import FRAME, SileroVad

if TYPE_CHECKING:
    from collections.abc import Sequence

LOUD = 0.05
"""Samples from which a frame is speech to ``Loudness``."""


class Loudness:
    """Takes loud frames for speech, and counts those that it is asked about."""

    def __init__(self) -> None:
        self.judged = 0

    def restart(self) -> None:
        """It remembers nothing."""

    def push(self, samples: Samples, *, last: bool = False) -> Samples:
        missing = -len(samples) % FRAME
        assert last or not missing
        return self.glance(np.pad(samples, (0, missing))[np.newaxis])[0]

    def glance(self, stretches: Samples) -> Samples:
        frames = stretches.reshape(len(stretches), -1, FRAME)
        self.judged += frames.shape[0] * frames.shape[1]
        return (np.abs(frames).max(axis=2) >= LOUD).astype(np.float32)


class Unsure(Loudness):
    """Is never sure of what it hears."""

    def glance(self, stretches: Samples) -> Samples:
        return super().glance(stretches) * np.float32((DOUBT + SPEECH_FROM) / 2)


class Counting(SileroVad):
    """Counts the frames that the real network judges."""

    judged = 0

    def push(self, samples: Samples, *, last: bool = False) -> Samples:
        found = super().push(samples, last=last)
        self.judged += len(found)
        return found

    def glance(self, stretches: Samples) -> Samples:
        self.judged += stretches.size // FRAME
        return super().glance(stretches)


def sound(runs: Sequence[tuple[float, int]]) -> Samples:
    """Noise whose frames are as loud as the runs say: level, frames."""
    rng = np.random.default_rng(len(runs))
    levels = np.repeat([level for level, _ in runs], [frames * FRAME for _, frames in runs])
    signs = rng.choice([-1.0, 1.0], len(levels))
    return (levels * signs).astype(np.float32)


def cut(stream: Samples, policy: SegmentPolicy, *, closely: bool = False) -> list[Segment]:
    segmenter = Segmenter(policy, detector=Loudness())
    return segmenter.push(stream, closely=closely) + segmenter.finish()


def plain(segments: list[Segment]) -> list[tuple[int, int, int, bool]]:
    return [(each.start, each.end, each.lead, each.samples is None) for each in segments]


speech = st.tuples(st.floats(LOUD, 0.9), st.integers(1, 120))
pauses = st.tuples(st.floats(0.0, LOUD * 0.9), st.one_of(st.integers(1, 24), st.integers(1, 200)))


@given(st.lists(st.tuples(speech, pauses), max_size=12), st.floats(3.0, 12.0), st.booleans())
@settings(max_examples=200)
def test_segments_are_those_of_who_hears_everything(runs, maximum, waits):
    stream = sound([run for pair in runs for run in pair])
    policy = SegmentPolicy(maximum=maximum, overlap=1.0, pause=1.0 if waits else np.inf)
    assert plain(cut(stream, policy)) == plain(cut(stream, policy, closely=True))


def test_a_full_segment_is_cut_in_the_last_pause_that_is_long_enough():
    long_enough = round(LONG_ENOUGH * SAMPLE_RATE / FRAME) + 1
    lengths = [(100, long_enough), (60, long_enough), (60, 9), (40, long_enough - 3), (100, 5)]
    stream = sound([run for says, rests in lengths for run in ((0.4, says), (0.001, rests))])
    first = cut(stream, SegmentPolicy(maximum=11.0, overlap=1.0))[0]
    assert first.end == round((100 + long_enough + 60 + long_enough / 2) * FRAME)


def test_a_pause_as_loud_as_speech_is_found_all_the_same():
    runs = [(0.06, 150), (0.045, 30), (0.06, 150), (0.06, 100)]
    first = cut(sound(runs), SegmentPolicy(maximum=8.0, overlap=1.0))[0]
    assert (first.end, first.tail) == (165 * FRAME, 0)


def test_of_speech_with_short_pauses_a_fifth_is_judged():
    phrase = [(0.3, 70), (0.001, 15)]
    detector = Loudness()
    segmenter = Segmenter(detector=detector)
    stream = sound(phrase * 10)
    assert len(segmenter.push(stream, last=True) + segmenter.finish()) == 1
    assert detector.judged <= len(stream) / FRAME / 5


def test_a_detector_in_doubt_is_asked_again_and_then_taken_for_hearing_speech():
    detector = Unsure()
    hearing = Hearing(detector)
    hearing.push(sound([(0.4, 200)]))
    hearing.glance(0, 10)
    assert hearing.spoken(0, 200) is None
    assert hearing.some_speech(40, 100) == 99


@pytest.mark.parametrize("frames", [(0, 30), (3, 17), (10, 11)])
def test_what_has_been_judged_is_not_judged_again(frames):
    detector = Loudness()
    hearing = Hearing(detector)
    hearing.push(sound([(0.4, 30)]))
    hearing.judge(0, 30)
    judged = detector.judged
    hearing.judge(*frames)
    hearing.glance(*frames)
    assert (judged, detector.judged) == (30, 30)


@pytest.mark.parametrize("name", ["01.mp3", "02.mp3"])
def test_of_a_real_recording_less_than_a_third_is_judged(samples, name):
    stream = samples_of(samples / name)
    detector = Counting()
    segmenter = Segmenter(SegmentPolicy(), detector=detector)
    segments = segmenter.push(stream, last=True) + segmenter.finish()
    assert segments[-1].end == len(stream)
    assert detector.judged <= len(stream) / FRAME / 3


@pytest.mark.parametrize("name", ["01.mp3", "02.mp3"])
@pytest.mark.parametrize("maximum", [5.0, 15.0, 20.0, 30.0])
def test_no_speech_is_taken_for_silence(samples, name, maximum):
    stream = samples_of(samples / name)
    labels, speaks = [], False
    for probability in SileroVad().push(stream, last=True):
        speaks = probability >= (0.35 if speaks else 0.5)
        labels.append(speaks)
    segmenter = Segmenter(SegmentPolicy(maximum=maximum, overlap=1.0))
    segments = segmenter.push(stream, last=True) + segmenter.finish()
    for before, after in itertools.pairwise(segments):
        assert before.end == after.start
    for segment in segments:
        if segment.samples is None:
            assert not any(labels[-(-segment.start // FRAME) : segment.end // FRAME])
