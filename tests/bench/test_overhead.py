"""What the server adds to an utterance is measured, and judged."""

from __future__ import annotations

import pytest
from recordings import samples_of
from servers import TESTS

from capswriter.audio import SAMPLE_RATE
from capswriter.bench.material import Material
from capswriter.bench.overhead import (
    CannotMeasure,
    Overhead,
    aims,
    beyond,
    measure,
    phrase_of,
    table,
)
from capswriter.bench.serving import NotServing
from capswriter.bench.subject import Subject

SPEED = 100.0
"""Seconds of audio that the fake engine does in a second."""


class Fake(Subject):
    """A model of the tests."""

    def serve(self, *, workers, trace):
        keys = (f"workers={workers}", f"trace={trace}")
        return [str(TESTS / "serve_fake.py"), self.loader, self.model, *keys, "--port", "0"]


@pytest.fixture(autouse=True)
def engines_of_tests(monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(TESTS))


@pytest.fixture(scope="module")
def phrase(samples):
    return phrase_of([Material("01", samples_of(samples / "01.mp3"))])


def test_a_phrase_is_ten_seconds_of_speech_without_a_pause(phrase):
    assert phrase.material.seconds == 10
    assert 8.5 < len(phrase.segment) / SAMPLE_RATE <= 10
    silence = Material("silence", phrase.material.samples * 0)
    with pytest.raises(CannotMeasure, match="name another"):
        phrase_of([silence])


@pytest.mark.anyio
async def test_the_parts_of_each_wait_are_measured_beside_the_bare_engine(tmp_path, phrase):
    (tmp_path / "speed").write_text(str(SPEED))
    subject = Fake("fake", str(tmp_path), "fake_engine:load")
    found, said = Overhead(), []
    trace = tmp_path / "trace"
    await measure(subject, phrase, found, at_once=3, paced=1, trace=trace, tell=said.append)
    at_once, paced, bare = runs = found.runs(phrase, trace)
    assert [len(run.stages) for run in runs] == [3, 1, 0]
    assert [len(run.samples) for run in runs] == [3, 1, 3]
    assert len(at_once.spans) == 3
    assert paced.spans  # with guesses
    engine = len(phrase.segment) / SAMPLE_RATE / SPEED
    for run in (at_once, paced):
        for sample, stages in zip(run.samples, run.stages, strict=True):
            # Another cut may make another word of a second that it moves.
            assert len(sample.text.split()) == len(bare.samples[0].text.split())
            assert stages.engine == pytest.approx(engine, abs=0.2)
            assert stages.total == pytest.approx(sample.ended - sample.spoken)
            assert 0 < beyond(stages) == pytest.approx(stages.total - stages.engine)
    assert paced.samples[0].spoken - paced.samples[0].sent >= 9.9
    shown = table(runs)
    assert shown.rows[0][0] == "receive"
    assert len(shown.rows[0]) == len(shown.header) == 5
    (aim,) = aims(runs)
    assert aim.measured == pytest.approx(beyond(paced.stages[0]) * 1000)
    assert said[-1] == "1 utterances as they are spoken"


@pytest.mark.anyio
async def test_an_engine_that_does_not_load_is_named(tmp_path, phrase):
    broken = Fake("fake", str(tmp_path), "fake_engine:load_refused")
    with pytest.raises((CannotMeasure, NotServing), match="cheese"):
        await measure(
            broken, phrase, Overhead(), at_once=1, paced=0, trace=tmp_path / "t", tell=str
        )
