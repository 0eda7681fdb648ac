"""How long recognition takes in one thread, beside the reference libraries, and by length."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import onnxruntime as ort

from capswriter.bench.engines.contenders import (
    FUNASR,
    OURS,
    SHERPA,
    UNPREPARED,
    Recognise,
    contender,
)
from capswriter.bench.engines.report import Section, median, milliseconds
from capswriter.bench.engines.speech import exactly, recordings
from capswriter.bench.tables import Aim, Table

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from capswriter.audio import Samples
    from capswriter.bench.engines.fixtures import Place

LENGTHS = {3: 1.7, 10: 1.7, 30: 1.5}
"""Seconds of audio on which libraries are compared, and how many times as fast as them to be."""

CURVE = (2, 4, 6, 8, 10, 12, 15, 20, 25, 30)
"""Seconds of audio by which the length of segments is chosen."""

OUTSIDE = 0.05
"""Of our time, at most this share is to be spent outside of ONNX Runtime."""


class RunClock:
    """Adds up the seconds that ONNX Runtime's sessions run for."""

    def __init__(self) -> None:
        self.seconds = 0.0

    @contextmanager
    def ticking(self) -> Iterator[None]:
        """Measure every session of this process meanwhile."""
        original = ort.InferenceSession.run

        def run(*args: object, **kwargs: object) -> object:
            began = time.perf_counter()
            try:
                return original(*args, **kwargs)
            finally:
                self.seconds += time.perf_counter() - began

        ort.InferenceSession.run = run
        try:
            yield
        finally:
            ort.InferenceSession.run = original


def interleaved(actions: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, list[float]]:
    """Time each action once a round, in turns, so that a busy moment hits all of them.

    Args:
        actions: by name; each is done once more before, and not timed then.
        rounds: how many.

    Returns:
        Seconds of each, by round.
    """
    for action in actions.values():
        action()
    seconds: dict[str, list[float]] = {name: [] for name in actions}
    for _ in range(rounds):
        for name, action in actions.items():
            began = time.perf_counter()
            action()
            seconds[name].append(time.perf_counter() - began)
    return seconds


def outside_share(recognise: Recognise, samples: Samples, rounds: int) -> float:
    """Measure the share of the time that is spent outside of ONNX Runtime; a median."""
    shares = []
    for _ in range(rounds):
        clock = RunClock()
        with clock.ticking():
            began = time.perf_counter()
            recognise(samples)
            total = time.perf_counter() - began
        shares.append(1 - clock.seconds / total)
    return median(shares)


def measure(place: Place, rounds: int) -> Section:
    """Compare the libraries."""
    section = Section("Speed, one thread, from samples to text")
    heard = recordings(place.speech)
    section.parts.append(f"Milliseconds, medians of {rounds} rounds in which all take turns.")
    for kind, directory in place.models(section):
        names = [OURS, UNPREPARED, FUNASR, *([SHERPA] if kind == "sensevoice" else [])]
        in_layout = {name: place.for_sherpa() if name == SHERPA else directory for name in names}
        loaded = {name: contender(name, kind, in_layout[name]) for name in names}
        rows = []
        for length, faster in LENGTHS.items():
            samples = exactly(heard, length)
            times = interleaved({name: _bound(loaded[name], samples) for name in names}, rounds)
            middle = {name: median(each) for name, each in times.items()}
            ratio = middle[OURS] / min(
                middle.get(each, middle[FUNASR]) for each in (FUNASR, SHERPA)
            )
            outside = outside_share(loaded[OURS], samples, rounds)
            times_of = [milliseconds(middle[name]) for name in names]
            rows.append([f"{length} s", *times_of, f"{ratio:.2f}", f"{outside:.1%}"])
            section.figures[f"{kind}, {length} s"] = {
                "seconds": times,
                "ratio": ratio,
                "outside": outside,
            }
            section.aims += [
                Aim(
                    f"{kind}, {length} s: times as fast as the faster reference",
                    1 / ratio,
                    faster,
                    at_least=True,
                ),
                Aim(
                    f"{kind}, {length} s: outside ONNX Runtime",
                    100 * outside,
                    100 * OUTSIDE,
                    unit=" %",
                ),
            ]
        last = ["ours / faster reference", "of ours, outside ONNX Runtime"]
        section.parts += [f"**{kind}**", Table(["audio", *names, *last], rows)]
    return section


def measure_curve(place: Place, rounds: int) -> Section:
    """Measure ours alone, by the length of the audio."""
    section = Section("Time by the length of a segment, one thread")
    heard = recordings(place.speech)
    found = {}
    for kind, directory in place.models(section):
        recognise = contender(OURS, kind, directory)
        actions = {str(length): _bound(recognise, exactly(heard, length)) for length in CURVE}
        times = interleaved(actions, rounds)
        found[kind] = {int(length): median(each) / int(length) for length, each in times.items()}
        section.figures[kind] = {"seconds": times, "per second": found[kind]}
    rows = [
        [kind, *(f"{per[length] * 1000:.1f}" for length in CURVE)] for kind, per in found.items()
    ]
    section.parts += [
        f"Milliseconds per second of audio, prepared, medians of {rounds} rounds.",
        Table(["", *(f"{length} s" for length in CURVE)], rows),
    ]
    return section


def _bound(recognise: Recognise, samples: Samples) -> Callable[[], object]:
    return lambda: recognise(samples)
