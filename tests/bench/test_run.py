"""``capswriter bench run`` against real servers with an engine of the tests."""

from __future__ import annotations

import media
import pytest
from fake_bench import TESTS, fake_subject, front, killing
from recordings import samples_of
from servers import serving_fake

from capswriter.audio import SAMPLE_RATE
from capswriter.bench.arrangements import Load, Notes, Trouble
from capswriter.bench.material import read
from capswriter.bench.result import Result
from capswriter.bench.run import Loaded, shares
from capswriter.cli import main

TOKEN = "let-me-in"


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    directory = tmp_path_factory.mktemp("engine")
    (directory / "speed").write_text("200")
    with serving_fake(directory=directory, token=TOKEN) as server:
        yield server


@pytest.fixture(scope="module")
def clip(tmp_path_factory, samples):
    """A recording of 4 s as a file."""
    speech = samples_of(samples / "01.mp3")[: 4 * SAMPLE_RATE]
    path = tmp_path_factory.mktemp("clip") / "clip.wav"
    return media.write(path, speech, SAMPLE_RATE, "pcm_s16le")


def bench_run(*arguments) -> int:
    with pytest.raises(SystemExit) as end:
        main(["bench", "run", *map(str, arguments)])
    return end.value.code


def test_a_running_server_is_loaded_in_a_closed_loop(running, clip, tmp_path, capsys):
    asked = ("--server", running.url, "--token", TOKEN, "--clients", 3, "--passes", 5)
    assert bench_run(*asked, "--out", tmp_path, clip) == 0
    result = Result.load(tmp_path / "run.json")
    (run,) = result.runs
    assert len(run.samples) == 5
    assert {sample.client for sample in run.samples} == {0, 1, 2}
    assert len({sample.text for sample in run.samples}) == 1
    assert {usage.process for usage in run.usage} >= {"front", "worker 0", "worker 1"}
    done = [result.settings[f"worker {number}, segments"] for number in (0, 1)]
    assert sum(done) == 5
    assert TOKEN not in (tmp_path / "run.json").read_text()
    assert str(tmp_path / "run.json") in capsys.readouterr().out


def test_at_a_rate_tasks_begin_when_they_are_due(running, clip, tmp_path):
    asked = ("--server", running.url, "--token", TOKEN, "--rate", 5, "--seconds", 1)
    assert bench_run(*asked, "--out", tmp_path, clip) == 0
    (run,) = Result.load(tmp_path / "run.json").runs
    sent = sorted(sample.sent for sample in run.samples)
    assert len(sent) == 5
    assert all(each >= sent[0] + 0.2 * place - 0.05 for place, each in enumerate(sent))


def test_a_paced_recording_takes_as_long_as_it_was_spoken(running, clip, tmp_path):
    asked = ("--server", running.url, "--token", TOKEN, "--paced", "--clients", 1, "--warm-up", 0)
    assert bench_run(*asked, "--out", tmp_path, clip) == 0
    ((sample,),) = [run.samples for run in Result.load(tmp_path / "run.json").runs]
    assert sample.spoken - sample.sent >= sample.audio - 0.1


def test_a_wrong_token_and_a_missing_server_are_one_line(running, clip, tmp_path, capsys):
    asked = ("--out", tmp_path, clip)
    assert bench_run("--server", running.url, "--token", "wrong", *asked) == 1
    assert "wants its token" in capsys.readouterr().err
    assert bench_run("--server", "ws://127.0.0.1:1", *asked) == 1
    assert len(capsys.readouterr().err.splitlines()) == 1


@pytest.mark.parametrize(
    "both", [("--server", "ws://x", "--workers", "2"), ("--rate", "1", "--passes", "2")]
)
def test_options_that_contradict_each_other_are_refused(both, clip, tmp_path):
    assert bench_run(*both, "--out", tmp_path, clip) == 2


def test_a_server_of_its_own_that_dies_leaves_what_was_measured(clip, tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(TESTS))
    (tmp_path / "speed").write_text("100")
    materials, _ = read([clip])
    loaded = Loaded(2, None, fake_subject(tmp_path), tmp_path, None, paced=False, shares={})
    notes = Notes(0.1)
    with killing(front, when=lambda: notes.samples), pytest.raises(Trouble, match="has ended"):
        loaded.work(Load(materials, passes=100_000, clients=2), notes)
    assert notes.samples[0].text
    assert notes.spans
    assert notes.usage


def test_a_worker_that_was_replaced_counts_from_nothing():
    before = {"workers": [{"number": 0, "pid": 1, "tasks": 5, "busy_seconds": 2.0}]}
    after = {"workers": [{"number": 0, "pid": 9, "tasks": 3, "busy_seconds": 1.0}]}
    assert shares(before, after) == {"worker 0, segments": 3, "worker 0, busy seconds": 1.0}
