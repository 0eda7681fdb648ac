from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from capswriter.dictation.microphone.ring import DRIFT, Ring, SampleClock

LENGTHS = st.lists(st.integers(0, 50), max_size=60)


@given(LENGTHS, st.integers(1, 100), st.integers(0, 3000))
def test_what_is_kept_is_the_end_of_what_was_pushed(lengths, capacity, position):
    ring, pushed = Ring(capacity), np.arange(sum(lengths), dtype=np.float32)
    for end, length in zip(np.cumsum(lengths), lengths, strict=True):
        ring.push(pushed[end - length : end])
        assert ring.end == end
        assert ring.end - ring.start >= min(end, capacity)
        assert ring.end - ring.start <= capacity + 50
    kept = ring.since(position)
    assert kept.tolist() == pushed[max(position, ring.start) :].tolist()


@given(st.lists(st.floats(0, 0.5), min_size=1, max_size=200), st.floats(-1e6, 1e6))
def test_blocks_that_come_late_do_not_move_the_clock(delays, zero):
    clock, rate = SampleClock(16_000), 16_000
    for number, delay in enumerate([0.0, *delays]):
        clock.tell(number * 320, zero + number * 0.02 + delay)
    drifted = DRIFT * len(delays) * 0.02
    assert zero - 1e-6 <= clock.time(0) <= zero + drifted + 1e-6
    assert abs(clock.position(clock.time(4321)) - 4321) <= 1
    assert clock.time(rate) - clock.time(0) == pytest.approx(1, abs=1e-6)


def test_the_clock_follows_a_sound_card_that_runs_fast_or_slow():
    for speed in (0.9995, 1.0005):
        clock = SampleClock(16_000)
        for number in range(6000):  # two minutes
            clock.tell(number * 320, number * 0.02 * speed)
        assert clock.time(6000 * 320) == pytest.approx(120 * speed, abs=0.001)


def test_a_clock_that_is_restarted_believes_the_next_word():
    clock = SampleClock(1000)
    clock.tell(0, 10.0)
    clock.restart()
    clock.tell(1000, 13.0)
    assert clock.time(1000) == pytest.approx(13.0)
