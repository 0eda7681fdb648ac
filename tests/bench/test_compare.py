"""Comparisons with real processes, and what can go wrong with them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import nullcontext
from pathlib import Path

import psutil
import pytest
from fake_bench import TESTS, fake_subject, front, killing
from servers import lives

from capswriter.bench.arrangements import (
    INTERRUPTED,
    Bare,
    Load,
    Notes,
    OwnServer,
    SharedQueue,
    Trouble,
    observed,
)
from capswriter.bench.compare import CannotMeasure, Comparison, compare, order
from capswriter.bench.draft import Draft, NoPlace, command_line, place_for
from capswriter.bench.material import NothingToHear, cut, read
from capswriter.bench.result import Result
from capswriter.cli import main
from capswriter.cli.bench.ending import finish

PATIENCE = 60.0


class Quiet:
    """Is told nothing that it would pass on."""

    def doing(self, what):
        return nullcontext()

    def done(self, what):
        pass


@pytest.fixture(scope="module")
def materials(samples):
    found, _ = read([samples / "01.mp3"])
    return found


@pytest.fixture(autouse=True)
def _fakes_can_be_imported(monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(TESTS))


def subject(directory: Path, *, speed: float = 200, loader: str = "fake_engine:load"):
    (directory / "speed").write_text(str(speed))
    return fake_subject(directory, loader)


def arrangements(directory: Path, **options):
    of = subject(directory, **options)
    return [OwnServer(of, 2, directory), Bare(of.loading, 2), SharedQueue(of.loading, 2)]


def eventually(true, seconds: float = PATIENCE):
    ends = time.monotonic() + seconds
    while not (found := true()):
        assert time.monotonic() < ends, "it did not come to pass"
        time.sleep(0.02)
    return found


@pytest.fixture(autouse=True)
def others() -> set[psutil.Process]:
    """What other tests have started and go on using, such as a server that they share."""
    OTHERS.clear()
    OTHERS.update(psutil.Process().children())
    return OTHERS


OTHERS: set[psutil.Process] = set()


def family() -> list[psutil.Process]:
    ignored = "resource_tracker"
    found = []
    for child in psutil.Process().children():
        if child in OTHERS:
            continue
        try:
            if ignored not in " ".join(child.cmdline()):
                found += [child, *child.children(recursive=True)]
        except psutil.Error:
            continue
    return found


def test_all_arrangements_make_the_same_texts_with_both_workers(materials, tmp_path):
    texts = []
    for arrangement in arrangements(tmp_path):
        run = observed(arrangement, Load(materials, passes=2, clients=2, interval=0.1), number=3)
        assert (run.error, run.round, run.workers) == ("", 3, 2)
        assert len(run.samples) == 2
        assert {span.worker for span in run.spans} == {0, 1}
        heard = sum(span.audio for span in run.spans)
        parts = [len(part.samples) / 16_000 for part in cut(materials[0], 30.0)]
        assert heard == pytest.approx(2 * sum(parts), abs=0.01)
        assert all(0 <= span.began < span.ended <= run.seconds + 0.5 for span in run.spans)
        assert {usage.process for usage in run.usage} >= {"worker 0", "worker 1"}
        texts += [sample.text for sample in run.samples]
    assert len(set(texts)) == 1
    assert texts[0].startswith("w")
    assert not [each for each in family() if lives(each)]


def test_a_run_by_seconds_begins_no_file_after_them(materials, tmp_path):
    of = subject(tmp_path, speed=400)
    run = observed(Bare(of.loading, 1), Load(materials, passes=None, seconds=0.5), number=0)
    assert run.samples
    assert max(sample.sent for sample in run.samples) <= 1.0


@pytest.mark.parametrize("place", [0, 1, 2], ids=["server", "bare", "queue"])
def test_what_is_killed_in_the_middle_leaves_what_it_did(materials, tmp_path, place):
    """The front of a server; a worker that nobody would start again."""
    arrangement = arrangements(tmp_path, speed=100)[place]
    notes = Notes(0.1)
    load = Load(materials, passes=1000, clients=2, interval=0.1)

    victim = front if place == 0 else lambda: next(each for each in family() if lives(each))
    with killing(victim, when=lambda: notes.samples), pytest.raises(Trouble, match="ended"):
        arrangement.work(load, notes)
    assert notes.samples[0].text
    assert notes.seconds > 0
    assert notes.usage
    assert notes.spans
    eventually(lambda: not [each for each in family() if lives(each)])


@pytest.mark.parametrize("place", [0, 1, 2], ids=["server", "bare", "queue"])
def test_what_hangs_is_given_up(materials, tmp_path, place):
    arrangement = arrangements(tmp_path, speed=0.01)[place]
    short = [type(materials[0])("short", materials[0].samples[:16_000])]
    load = Load(short, clients=1, warm_up=0, patience=2.0, interval=0.2)
    run = observed(arrangement, load, number=0)
    assert "hang" in run.error or "no worker said anything" in run.error
    assert not [sample for sample in run.samples if sample.text]
    eventually(lambda: not [each for each in family() if lives(each)])


@pytest.mark.parametrize("place", [0, 1, 2], ids=["server", "bare", "queue"])
def test_an_engine_that_cannot_be_loaded_ends_the_run_with_its_words(materials, tmp_path, place):
    arrangement = arrangements(tmp_path, loader="fake_engine:load_refused")[place]
    run = observed(arrangement, Load(materials), number=0)
    assert run.error
    assert "cheese" in run.error or place == 0


def test_every_other_round_runs_backwards(tmp_path):
    wanted = Comparison(subject(tmp_path), (1, 2), Load([]))
    draft = Draft("compare", tmp_path, "fake", {})
    first, second = (
        [(each.kind, each.workers) for each in order(wanted, number, draft)] for number in (0, 1)
    )
    servers, bare = [("server", 1), ("server", 2)], [("bare", 1), ("bare", 2)]
    assert first == [*servers, *bare, ("queue", 2)]
    assert second == first[::-1]


def test_an_engine_that_fails_alone_is_not_compared(materials, tmp_path):
    of = subject(tmp_path, loader="fake_engine:load_refused")
    with pytest.raises(CannotMeasure, match="cheese"):
        compare(
            Comparison(of, (1, 2), Load(materials)), Draft("compare", tmp_path, "f", {}), Quiet()
        )


def test_a_comparison_with_a_missing_file_is_made_and_says_so(tmp_path):
    (tmp_path / "speed").write_text("400")
    done = subprocess.run(
        [sys.executable, TESTS / "fake_bench.py", tmp_path, tmp_path / "out", "files=2"],
        check=False,
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert done.returncode == 1, done.stderr
    assert "missing.mp3: there is no such file" in done.stderr
    result = Result.load(tmp_path / "out" / "compare.json")
    assert result.missing == ("missing.mp3: there is no such file",)
    assert [(run.arrangement, run.workers) for run in result.runs] == [
        ("server", 1),
        ("server", 2),
        ("bare", 1),
        ("bare", 2),
        ("queue", 2),
    ]
    (recording,) = result.recordings
    texts = {sample.text for run in result.runs for sample in run.samples}
    assert texts == {recording.expected}
    assert str(tmp_path / "out" / "compare.json") in done.stdout
    assert (tmp_path / "out" / "report.html").is_file()


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGINT to send")
def test_ctrl_c_keeps_what_was_measured_and_leaves_nothing_running(tmp_path):
    (tmp_path / "speed").write_text("100")
    out = tmp_path / "out"
    bench = subprocess.Popen(
        [sys.executable, TESTS / "fake_bench.py", tmp_path, out, "rounds=50"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        eventually((out / "compare.json").is_file)
        time.sleep(0.7)  # it is in the middle of something
        below = psutil.Process(bench.pid).children(recursive=True)
        os.killpg(bench.pid, signal.SIGINT)  # as a terminal does
        said, complained = bench.communicate(timeout=PATIENCE)
    finally:
        bench.kill()
        bench.wait()
    assert bench.returncode == 130, complained
    assert "Traceback" not in complained
    result = Result.load(out / "compare.json")
    assert result.runs
    assert [run.error for run in result.runs if run.error] in ([], [INTERRUPTED])
    assert any("interrupted" in line for line in result.missing)
    assert "nterrupted" in said
    assert (out / "report.html").is_file()
    eventually(lambda: not [each for each in below if lives(each)])


def test_a_folder_that_cannot_be_written_to_is_refused_before_anything_runs(
    tmp_path, capsys, samples
):
    (tmp_path / "file").write_text("")
    with pytest.raises(NoPlace, match="--out"):
        place_for("compare", tmp_path / "file" / "below")
    asked = ["--model", str(tmp_path), "--out", str(tmp_path / "file" / "below")]
    with pytest.raises(SystemExit) as end:
        main(["bench", "compare", *asked, str(samples / "01.mp3")])
    assert end.value.code == 1
    assert len(capsys.readouterr().err.splitlines()) == 1


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no full disk at hand")
def test_a_disk_that_gets_full_keeps_what_was_written_and_says_so(tmp_path, capsys):
    draft = Draft("compare", tmp_path, "fake", {})
    draft.save()
    before = draft.path.read_bytes()
    draft.missing.append("much")
    draft.path.with_name("compare.json.part").symlink_to("/dev/full")
    assert finish(draft, status=0, interrupted=False) == 1
    assert draft.path.read_bytes() == before
    assert "no space left on device" in capsys.readouterr().err


def test_no_recording_at_all_is_an_error(tmp_path):
    (tmp_path / "broken.mp3").write_bytes(b"noise" * 100)
    with pytest.raises(NothingToHear, match=r"broken\.mp3"):
        read([tmp_path / "broken.mp3", tmp_path / "none.mp3"])


def test_the_command_is_kept_without_its_secrets():
    given = ["bench", "run", "--token", "s3cret", "--token=s3cret", "--server", "ws://me:pw@host:1"]
    assert command_line(given) == (
        "capswriter bench run --token TOKEN --token=TOKEN --server ws://host:1"
    )
