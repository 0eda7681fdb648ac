"""A server's trace tells what its workers did, and where an utterance's time went."""

from __future__ import annotations

import time

import anyio
import pytest
from servers import serving_fake

from capswriter.bench.load import Work, calling
from capswriter.bench.trace import Times, read_trace, read_utterances
from capswriter.errors import UserError
from capswriter.trace import note, tracing_to

SPEED = 50.0
"""Seconds of audio that the fake engine does in a second."""


@pytest.mark.anyio
async def test_every_segment_and_utterance_of_a_server_is_in_its_trace(tmp_path, second):
    (tmp_path / "speed").write_text(str(SPEED))
    file = tmp_path / "trace"
    began = time.monotonic()
    with serving_fake(directory=tmp_path, trace=file, workers=2) as server:
        async with calling(server.url) as caller:
            whole = await caller.say(Work("file", second))
            phrase = await caller.say(Work("file", second[:160_000]))
    ended = time.monotonic()
    spans = read_trace(file, began)
    assert {span.worker for span in spans} == {0, 1}
    assert sum(span.audio for span in spans) == pytest.approx(104, abs=15)
    for span in spans:
        assert 0 < span.began < span.ended < ended - began
        assert span.ended - span.began == pytest.approx(span.audio / SPEED, abs=0.5)
    assert any(  # two workers at the same time
        one.began < other.ended and other.began < one.ended and one.worker != other.worker
        for one in spans
        for other in spans
    )
    utterances = read_utterances(file)
    assert len(utterances) == 2
    for outcome, times in zip((whole, phrase), utterances, strict=True):
        points = [getattr(times, name) for name in Times.__slots__]
        assert points == sorted(points)
        assert outcome.sent_at < times.arrived < times.written < outcome.final_at
        stages = times.stages(outcome.spoken_at, outcome.final_at)
        parts = [value for name, value in stages if name != "total"]
        assert min(parts) >= 0
        assert sum(parts) == pytest.approx(stages.total) == pytest.approx(outcome.wait)
    engine = utterances[1].stages(phrase.spoken_at, phrase.final_at).engine
    assert engine == pytest.approx(0.2, abs=0.1)  # 10 s of audio
    assert not any(word in file.read_text() for word in (phrase.text or "").split())


@pytest.mark.anyio
async def test_what_was_done_while_the_client_spoke_is_not_waited_for(tmp_path, second):
    file = tmp_path / "trace"
    with serving_fake(trace=file) as server:
        async with calling(server.url) as caller, anyio.create_task_group() as group:
            for _ in range(2):
                group.start_soon(caller.say, Work("mic", second[:32_000], paced=True))
    assert len(read_utterances(file)) == 2
    early = Times(0.9, 0.2, 0.3, 0.4, 0.8, 1.1, 1.3, 1.5)
    stages = early.stages(1.0, 1.6)
    assert (stages.receive, stages.queue, stages.engine) == (0, 0, 0)
    assert stages.pipe == pytest.approx(0.1)
    assert stages.merge == pytest.approx(0.2)
    assert stages.send == pytest.approx(0.3)


def test_without_a_trace_nothing_is_written_and_an_unwritable_one_is_refused(tmp_path, capfd):
    note("segment", worker=0)
    with tracing_to(tmp_path / "trace"):
        note("sent", sent=1.0)
    note("segment", worker=1)
    assert (tmp_path / "trace").read_text().count("\n") == 1
    assert not capfd.readouterr().err
    with pytest.raises(UserError, match="cannot write the trace"), tracing_to(tmp_path):
        pass
