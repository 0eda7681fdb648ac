"""Where streams are cut: properties for scripted detectors, and Silero on real recordings."""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from recordings import samples_of

from capswriter.audio import SAMPLE_RATE, Samples
from capswriter.audio.hearing import SPEECH_FROM, SPEECH_UNTIL
from capswriter.audio.segment import (
    PADDING,
    SHORTEST_PAUSE,
    Segment,
    Segmenter,
    SegmentPolicy,
)
from capswriter.audio.vad import FRAME, SileroVad

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

MANY = settings(max_examples=200)
"""A fault may need a certain place in a certain frame."""

PAD, SHORTEST = round(PADDING * SAMPLE_RATE), round(SHORTEST_PAUSE * SAMPLE_RATE)


class ScriptedDetector:
    """Gives the probabilities of a list, one for each frame of numbered samples."""

    def __init__(self, probabilities: list[float]) -> None:
        self._probabilities = probabilities
        self.judged = 0
        self.restart()

    def restart(self) -> None:
        self._rest = np.zeros(0, np.float32)

    def push(self, samples: Samples, *, last: bool = False) -> Samples:
        stream = np.concatenate((self._rest, samples))
        frames = -(-len(stream) // FRAME) if last else len(stream) // FRAME
        self._rest = stream[frames * FRAME :]
        self.judged += frames
        first = int(stream[0]) // FRAME if frames else 0
        assert not frames or stream[0] % FRAME == 0
        return np.array(self._probabilities[first : first + frames], np.float32)

    def glance(self, stretches: Samples) -> Samples:
        numbers = stretches[:, FRAME - 1 :: FRAME].astype(int) // FRAME
        self.judged += numbers.size
        return np.array(self._probabilities, np.float32)[numbers]


def numbered(total: int) -> Samples:
    """Samples of which each tells its place."""
    return np.arange(total, dtype=np.float32)


def cut(
    labels: list[bool] | list[float],
    total: int,
    policy: SegmentPolicy,
    blocks: Sequence[int] = (),
    *,
    closely: bool = False,
) -> list[Segment]:
    segmenter = Segmenter(policy, detector=ScriptedDetector([float(label) for label in labels]))
    stream = numbered(total)
    segments: list[Segment] = []
    edges = sorted({min(block, total) for block in blocks})
    for start, end in itertools.pairwise([0, 0, *edges]):
        segments += segmenter.push(stream[start:end], closely=closely)
    rest = stream[edges[-1] if edges else 0 :]
    return segments + segmenter.push(rest, closely=closely) + segmenter.finish()


def plain(segments: list[Segment]) -> list[tuple[object, ...]]:
    return [
        (s.start, s.end, s.lead, s.tail, None if s.samples is None else s.samples.tobytes())
        for s in segments
    ]


def runs_of(labels: list[bool], total: int) -> list[tuple[bool, int, int]]:
    """The runs of equal labels: label, first sample, sample after the last."""
    runs, at = [], 0
    for label, group in itertools.groupby(labels):
        end = min(at + sum(1 for _ in group) * FRAME, total)
        runs.append((label, at, end))
        at = end
    return runs


def sounded(segments: list[Segment], total: int) -> np.ndarray:
    """Whether each sample is given to an engine."""
    heard = np.zeros(total, bool)
    for segment in segments:
        if segment.samples is not None:
            heard[segment.start : segment.end] = True
    return heard


@st.composite
def policies(draw: st.DrawFn) -> SegmentPolicy:
    maximum = draw(st.floats(1.5, 9.0))
    return SegmentPolicy(
        maximum=maximum,
        overlap=draw(st.floats(0.05, maximum / 2 - 0.01)),
        silence=draw(st.floats(2 * PADDING, 4.0)),
        pause=draw(st.one_of(st.just(math.inf), st.floats(2 * PADDING, 2.0))),
        minimum=draw(st.floats(0.0, 5.0)),
    )


@st.composite
def streams(draw: st.DrawFn) -> tuple[list[bool], int]:
    """Labels of frames, and the samples they are for; the last frame need not be full."""
    speaks = draw(st.booleans())
    long = st.integers(1, 400)
    short = st.integers(1, 14)
    labels: list[bool] = []
    for length in draw(st.lists(st.one_of(short, short, long), max_size=24)):
        labels += [speaks] * length
        speaks = not speaks
    missing = draw(st.integers(0, FRAME - 1)) if labels else 0
    return labels, len(labels) * FRAME - missing


@MANY
@given(streams(), policies())
def test_segments_tile_the_stream_and_hold_its_samples_exactly(stream, policy):
    labels, total = stream
    segments = cut(labels, total, policy)
    assert [s.start for s in segments] == [0, *(s.end for s in segments)][: len(segments)]
    assert (segments[-1].end if segments else 0) == total
    assert all(s.start < s.end for s in segments)
    everything = numbered(total)
    for segment in segments:
        if segment.samples is not None:
            expected = everything[segment.start - segment.lead : segment.end]
            assert segment.samples.dtype == np.float32
            assert np.array_equal(segment.samples, expected)


@MANY
@given(streams(), policies())
def test_no_piece_is_longer_than_the_maximum(stream, policy):
    for segment in cut(*stream, policy):
        if segment.samples is not None:
            assert len(segment.samples) <= round(policy.maximum * SAMPLE_RATE)


@MANY
@given(streams(), policies())
def test_only_a_forced_cut_overlaps_and_both_sides_know_it(stream, policy):
    segments = cut(*stream, policy)
    for before, after in itertools.pairwise(segments):
        assert after.lead == before.tail
    for segment in segments:
        assert segment.tail in {0, round(policy.overlap * SAMPLE_RATE)}
        if segment.samples is None:
            assert (segment.lead, segment.tail) == (0, 0)
    assert not segments or segments[0].lead == 0


@MANY
@given(streams(), policies())
def test_a_cut_is_forced_only_in_a_full_piece_without_a_pause(stream, policy):
    labels, total = stream
    runs = runs_of(labels, total)
    for segment in cut(labels, total, policy):
        if not segment.tail:
            continue
        assert len(segment.samples) > round(policy.maximum * SAMPLE_RATE) - FRAME
        clipped = [
            (label, max(start, segment.start), min(end, segment.end))
            for label, start, end in runs
            if start < segment.end and end > segment.start
        ]
        if not segment.lead and not clipped[0][0]:
            del clipped[0]  # silence before the first speech is no pause in it
        assert all(label or end - start < SHORTEST for label, start, end in clipped)


@MANY
@given(streams(), policies())
def test_nothing_spoken_is_dropped_and_its_surroundings_are_kept(stream, policy):
    labels, total = stream
    segments = cut(labels, total, policy)
    heard = sounded(segments, total)
    for speaks, start, end in runs_of(labels, total):
        if not speaks:
            continue
        assert heard[max(0, start - PAD) : end].all()
        missing = np.flatnonzero(~heard[end : end + PAD])
        if len(missing):
            # A piece got full while the speaker paused: it is cut in the middle of that pause.
            at = end + int(missing[0])
            (full,) = (s for s in segments if s.end == at)
            now = at + (at - end) + 1
            assert at - end >= SHORTEST // 2
            assert now + FRAME - (full.start - full.lead) >= round(policy.maximum * SAMPLE_RATE)


@MANY
@given(streams(), policies())
def test_long_silence_is_not_sent(stream, policy):
    labels, total = stream
    heard = sounded(cut(labels, total, policy), total)
    for speaks, start, end in runs_of(labels, total):
        if not speaks and end - start >= (policy.silence + SHORTEST_PAUSE) * SAMPLE_RATE:
            sent = np.count_nonzero(heard[start:end]) / SAMPLE_RATE
            # Padding on both sides, or, in a piece that got full meanwhile, half of the pause.
            assert sent <= max(PADDING, policy.silence / 2) + PADDING + SHORTEST_PAUSE


@MANY
@given(streams(), policies())
def test_a_cut_that_is_not_forced_lies_inside_a_pause(stream, policy):
    labels, total = stream
    for before in cut(labels, total, policy)[:-1]:
        if before.samples is not None and not before.tail:
            nearest = (before.end + np.array([-SHORTEST // 2 + 1, 0, SHORTEST // 2 - 1])) // FRAME
            assert not any(labels[frame] for frame in nearest if frame < len(labels))


@MANY
@given(streams(), policies(), st.lists(st.integers(0, 200_000), max_size=40))
def test_segments_do_not_depend_on_the_blocks_that_are_pushed(stream, policy, blocks):
    assert plain(cut(*stream, policy, blocks)) == plain(cut(*stream, policy))


@MANY
@given(streams(), policies(), st.lists(st.integers(0, 3000 * FRAME), max_size=3))
def test_segments_are_the_same_where_every_frame_is_judged(stream, policy, blocks):
    assert plain(cut(*stream, policy, blocks, closely=True)) == plain(cut(*stream, policy))


def test_segments_do_not_depend_on_blocks_of_one_sample():
    labels = [False] * 20 + [True] * 60 + [False] * 9 + [True] * 15
    total = len(labels) * FRAME - 100
    policy = SegmentPolicy(maximum=1.6, overlap=0.4, silence=1.2)
    pushed = cut(labels, total, policy, list(range(total)))
    assert plain(pushed) == plain(cut(labels, total, policy))
    assert [s.tail > 0 for s in pushed] == [False, True, False, False]


def test_a_stream_that_gets_full_in_its_last_unfilled_frame_ends_with_itself():
    policy = SegmentPolicy(maximum=2.0, overlap=0.5)
    frames = round(2.0 * SAMPLE_RATE) // FRAME
    (segment,) = cut([True] * frames, frames * FRAME - 100, policy)
    assert (segment.start, segment.end, segment.tail) == (0, frames * FRAME - 100, 0)


def test_an_empty_stream_has_no_segments():
    assert cut([], 0, SegmentPolicy()) == []


def test_a_pause_ends_a_segment_at_once_when_it_is_long_enough():
    policy = SegmentPolicy(maximum=30.0, pause=1.0, minimum=3.0)
    second = SAMPLE_RATE // FRAME
    labels = [True] * 2 * second + [False] * 4 * second
    segmenter = Segmenter(policy, detector=ScriptedDetector([float(label) for label in labels]))
    given_after = {}
    for second_of in range(6):
        stream = numbered(6 * SAMPLE_RATE)[second_of * SAMPLE_RATE :][:SAMPLE_RATE]
        for segment in segmenter.push(stream):
            given_after.setdefault(second_of + 1, segment)
    assert min(given_after) == 4  # the pause is seen, and the minimum reached, at 3.008 s
    assert given_after[4].end == 2 * second * FRAME + PAD


def test_the_longest_pause_of_the_later_part_is_taken():
    runs = [(True, 60), (False, 18), (True, 40), (False, 8), (True, 40), (False, 12), (True, 200)]
    labels = [speaks for speaks, frames in runs for _ in range(frames)]
    first = cut(labels, len(labels) * FRAME, SegmentPolicy(maximum=6.0, overlap=1.0))[0]
    assert first.end == (60 + 18 + 40 + 8 + 40 + 6) * FRAME


def test_an_early_pause_is_better_than_a_forced_cut():
    labels = [True] * 20 + [False] * 8 + [True] * 300
    first = cut(labels, len(labels) * FRAME, SegmentPolicy(maximum=6.0, overlap=1.0))[0]
    assert (first.end, first.tail) == (24 * FRAME, 0)


def test_between_the_thresholds_a_frame_is_what_the_last_one_was():
    between = (SPEECH_FROM + SPEECH_UNTIL) / 2
    probabilities = [between] * 50 + [0.9] * 10 + [between] * 40 + [0.1] * 50
    policy = SegmentPolicy(maximum=30.0, silence=1.2)
    segments = cut(probabilities, len(probabilities) * FRAME, policy)
    (spoken,) = (segment for segment in segments if segment.samples is not None)
    assert (spoken.start, spoken.end) == (50 * FRAME - PAD, 100 * FRAME + PAD)


@pytest.mark.parametrize(
    "wrong",
    [
        {"overlap": 0.0},
        {"overlap": -1.0},
        {"overlap": 15.0},
        {"maximum": 0.0},
        {"maximum": math.nan},
        {"overlap": math.nan},
        {"silence": 0.7},
        {"pause": 0.7},
        {"silence": math.nan},
        {"pause": math.nan},
    ],
    ids=str,
)
def test_a_policy_that_cannot_be_kept_is_refused(wrong):
    with pytest.raises(ValueError, match=r"overlap|pauses"):
        SegmentPolicy(**wrong)


@given(policies(), st.floats(1.0, 60.0))
def test_within_shortens_what_an_engine_cannot_take_and_nothing_else(policy, maximum):
    within = policy.within(maximum)
    if maximum >= policy.maximum:
        assert within == policy
    else:
        assert within.maximum == maximum
        assert within.overlap <= policy.overlap
        assert (within.silence, within.pause, within.minimum) == (
            policy.silence,
            policy.pause,
            policy.minimum,
        )


# Silero, on real recordings.


def segments_of(stream: Samples, policy: SegmentPolicy) -> list[Segment]:
    segmenter = Segmenter(policy)
    return segmenter.push(stream) + segmenter.finish()


def spoken_frames(stream: Samples) -> list[bool]:
    vad, labels, speaks = SileroVad(), [], False
    for probability in vad.push(stream, last=True):
        speaks = probability >= (SPEECH_UNTIL if speaks else SPEECH_FROM)
        labels.append(bool(speaks))
    return labels


def check_cuts(path: Path, policy: SegmentPolicy) -> None:
    stream = samples_of(path)
    labels = spoken_frames(stream)
    segments = segments_of(stream, policy)
    assert segments[-1].end == len(stream)
    heard = sounded(segments, len(stream))
    for label, start, end in runs_of(labels, len(stream)):
        assert heard[start:end].all() or not label
    for before in segments[:-1]:
        if before.samples is not None and not before.tail:
            # Set down anew, the detector may take a frame beside a word for another.
            nearest = before.end + np.array([-SHORTEST // 2 + FRAME, 0])
            assert not any(labels[frame] for frame in nearest // FRAME)


@pytest.mark.parametrize("maximum", [4.0, 10.0, 30.0])
@pytest.mark.parametrize("name", ["01.mp3", "02.mp3"])
def test_no_word_of_the_samples_is_cut(samples, name, maximum):
    check_cuts(samples / name, SegmentPolicy(maximum=maximum, overlap=1.0))


@pytest.mark.speech
@pytest.mark.parametrize("maximum", [3.0, 10.0])
@pytest.mark.parametrize("name", ["two_cities_16k.wav", "jfk.flac", "zh_long.wav", "light_ja.wav"])
def test_no_word_of_the_recordings_is_cut(speech, name, maximum):
    check_cuts(speech / name, SegmentPolicy(maximum=maximum, overlap=1.0))


@pytest.mark.speech
def test_no_cut_is_forced_in_speech_that_is_read_with_pauses(speech):
    segments = segments_of(samples_of(speech / "two_cities_16k.wav"), SegmentPolicy(maximum=15.0))
    assert len(segments) >= 3
    assert not any(segment.tail for segment in segments)


@pytest.mark.parametrize("level", [0.0, 1e-4, 3e-3])
def test_silence_and_faint_noise_are_no_speech(level):
    noise = np.random.default_rng(1).normal(0, 1, 20 * SAMPLE_RATE).astype(np.float32)
    segments = segments_of(noise * np.float32(level), SegmentPolicy())
    assert all(segment.samples is None for segment in segments)
    assert segments[-1].end == len(noise)
