"""The report of ``scripts/bench-engines``, and its measures on the small models that tests have.

The reference libraries are not needed: stand-ins give what they would.
"""

from __future__ import annotations

import asyncio
import json
import math
import re
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import onnxruntime as ort
import pytest
from engines.paraformer.clips import clip

from capswriter.audio import SAMPLE_RATE
from capswriter.bench.engines import bare, memory, parity, replacement, speech, speed, throughput
from capswriter.bench.engines.contenders import OURS, UNPREPARED, contender
from capswriter.bench.engines.fixtures import Place
from capswriter.bench.engines.machine import describe
from capswriter.bench.engines.parity import Heard
from capswriter.bench.engines.report import Report, Section, Skipped
from capswriter.bench.engines.serving import FORKING, SPAWNING, serving
from capswriter.bench.engines.speed import RunClock, interleaved, outside_share
from capswriter.bench.load import Outcome, Work
from capswriter.bench.tables import Aim, Table
from capswriter.engines import features
from capswriter.engines.graph import prepared

PARAFORMER = Path(__file__).parents[1] / "engines" / "paraformer" / "timestamped"
SENSEVOICE = Path(__file__).parents[1] / "engines" / "sensevoice" / "funasr"
LOUD = 0.1


@pytest.fixture(scope="module", autouse=True)
def _store(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CAPSWRITER_MODEL_DIR", str(tmp_path_factory.mktemp("store")))
        yield


@pytest.fixture
def row():
    """What funasr-onnx has heard in one second of noise."""
    rows = json.loads((PARAFORMER / "expected.json").read_text())["clips"]
    return next(each for each in rows if each["seconds"] == 1)


def outcome(final_at: float, *, seconds: float = 10.0, error: str = "") -> Outcome:
    text = None if error else "text"
    return Outcome("file", "", 0, seconds, 0.0, 0.0, final_at, text=text, error=error)


def test_a_table_is_markdown_with_figures_to_the_right():
    assert Table(["", "ours"], [["3 s", "12"]]).markdown() == (
        "|  | ours |\n| --- | --: |\n| 3 s | 12 |"
    )


@pytest.mark.parametrize(
    ("measured", "at_least", "state"),
    [
        (1.9, False, "met"),
        (1.91, False, "not met"),
        (1.9, True, "met"),
        (1.89, True, "not met"),
        (math.nan, False, "not measured"),
        (math.nan, True, "not measured"),
    ],
)
def test_an_aim_is_met_up_to_its_limit_and_never_without_a_figure(measured, at_least, state):
    aim = Aim("memory", measured, 1.9, at_least=at_least)
    assert aim.met is (state == "met")
    assert aim.row()[-1] == ("met" if aim.met else f"**{state}**")


def test_a_report_ends_with_the_aims_of_all_measures_and_tells_what_was_skipped():
    fast = Section("Speed", ["text"], [Aim("ratio", 0.5, 1.0)], {"ratio": 0.5})
    short = Section("Memory", skipped="no model", aims=[Aim("sum", 3.0, 2.0, unit=" MiB")])
    report = Report({"processor": "abacus"}, [fast, short], "scripts/bench-engines")
    lines = report.markdown().splitlines()
    assert lines[-2:] == [
        "| ratio | 0.5 | ≤ 1 | met |",
        "| sum | 3 MiB | ≤ 2 MiB | **not met** |",
    ]
    assert "- processor: abacus" in lines
    assert "Skipped: no model" in lines
    told = json.loads(report.json())
    assert told["figures"] == {"Speed": {"ratio": 0.5}}
    assert told["skipped"] == {"Memory": "no model"}
    assert [aim["met"] for aim in told["aims"]] == [True, False]


def test_the_flags_that_decide_are_told_whether_the_processor_has_them_or_not(tmp_path):
    (tmp_path / "cpuinfo").write_text("model name\t: Xeon\nflags\t\t: fpu avx2 amx_int8\n")
    told = describe(tmp_path / "cpuinfo")["processor"]
    assert told.startswith("Xeon, ")
    assert told.endswith("has avx2, no avx_vnni, no avx512_vnni, has amx_int8")


def test_actions_take_turns_and_the_first_time_is_not_counted():
    done = []
    seconds = interleaved({name: lambda name=name: done.append(name) for name in "ab"}, 3)
    assert "".join(done) == "abababab"
    assert {name: len(each) for name, each in seconds.items()} == {"a": 3, "b": 3}


def test_the_share_outside_of_onnx_runtime_is_what_its_sessions_do_not_take(monkeypatch):
    now = 0.0

    def take(seconds):
        nonlocal now
        now += seconds

    def recognise(_):
        ort.InferenceSession.run(None)
        take(1)

    monkeypatch.setattr(speed, "time", SimpleNamespace(perf_counter=lambda: now))
    monkeypatch.setattr(ort.InferenceSession, "run", lambda _: take(3))
    assert outside_share(recognise, np.zeros(0), 3) == 0.25


def test_the_clock_lets_go_of_onnx_runtime_after_an_error():
    before = ort.InferenceSession.run
    with pytest.raises(ZeroDivisionError), RunClock().ticking():
        raise ZeroDivisionError
    assert ort.InferenceSession.run is before


def test_clips_are_short_ones_whole_recordings_and_all_of_them_in_pieces_of_30_s():
    heard = {"a": np.zeros(40 * SAMPLE_RATE, "f"), "b": np.ones(10 * SAMPLE_RATE, "f")}
    lengths = {name: len(samples) / SAMPLE_RATE for name, samples in speech.clips(heard).items()}
    assert lengths == {
        "a, 0.1 s": 0.1,
        "a, 1 s": 1.0,
        "a, from 0 s": 30.0,
        "a, from 30 s": 10.0,
        "b, 0.1 s": 0.1,
        "b, 1 s": 1.0,
        "b, from 0 s": 10.0,
        "all, from 0 s": 30.0,
        "all, from 30 s": 20.0,
    }


def test_speech_that_is_too_short_is_repeated():
    heard = {"a": np.arange(SAMPLE_RATE, dtype="f")}
    samples = speech.exactly(heard, 2.5)
    assert len(samples) == 2.5 * SAMPLE_RATE
    assert (samples[SAMPLE_RATE : 2 * SAMPLE_RATE] == heard["a"]).all()


def test_utterances_are_what_a_session_gives_to_an_engine_in_one_piece(speech):
    from capswriter.bench.engines.speech import recordings, utterances

    made = utterances(recordings(speech), 3)
    assert len(made) == 3
    assert all(8 <= len(each) / SAMPLE_RATE <= 15 for each in made)


def test_ids_times_and_their_lengths_count_for_equality():
    theirs = Heard([1, 2, 3], [[0, 10], [10, 20], [20, 30]])
    score = parity.score(
        {
            "same": theirs,
            "longer": Heard([1, 2, 3, 4], theirs.times),
            "late": Heard([1, 2, 3], [[0, 10], [10, 20], [20, 31]]),
        },
        {"same": theirs, "longer": theirs, "late": theirs},
    )
    assert (score.clips, score.same_clips) == (3, 1)
    assert (score.tokens, score.same_tokens, score.same_times) == (10, 9, 8)


def test_our_paraformer_is_asked_for_what_the_reference_tells(row):
    samples = clip(row["seconds"], row["seed"])
    heard = parity.heard_by_us("paraformer", PARAFORMER, {"clip": samples})
    assert heard == {"clip": Heard(row["ids"], row["times"])}


def test_our_sensevoice_is_asked_in_both_ways(monkeypatch):
    rows = json.loads((SENSEVOICE / "expected.json").read_text())["clips"]
    asked = [(row["language"], row["itn"]) for row in rows if row["seconds"] == 1]
    monkeypatch.setattr(parity, "ASKED", asked)
    expected = {f"clip, {row['language']}": row["ids"] for row in rows if row["seconds"] == 1}
    (seed,) = {row["seed"] for row in rows if row["seconds"] == 1}
    heard = parity.heard_by_us("sensevoice", SENSEVOICE, {"clip": clip(1, seed)})
    assert {name: each.ids for name, each in heard.items()} == expected


def test_features_that_differ_in_one_value_are_told_so():
    samples = clip(1, 0)
    theirs = features.fbank(samples)
    theirs[3, 7] += 0.5
    frontend = SimpleNamespace(fbank=lambda _: (theirs, len(theirs)))
    largest, equal = parity.features_apart(SimpleNamespace(frontend=frontend), {"": samples})
    assert largest == pytest.approx(0.5, abs=1e-5)
    assert equal == 1 - 1 / theirs.size


def test_ours_is_prepared_and_can_be_had_as_it_is(tmp_path, monkeypatch, row):
    monkeypatch.setenv("CAPSWRITER_MODEL_DIR", str(tmp_path / "store"))
    samples = clip(row["seconds"], row["seed"])
    plain = contender(UNPREPARED, "paraformer", PARAFORMER)
    assert not (tmp_path / "store").exists()
    ours = contender(OURS, "paraformer", PARAFORMER)
    assert prepared.state(PARAFORMER / "model_quant.onnx") == "prepared"
    assert ours(samples) == plain(samples) != ""


def test_a_model_that_could_not_be_prepared_is_not_measured_in_its_place(tmp_path, monkeypatch):
    monkeypatch.setenv("CAPSWRITER_MODEL_DIR", str(tmp_path / "store"))
    monkeypatch.setattr(prepared, "find_or_make", lambda *_: None)
    with pytest.raises(Skipped, match="is not prepared"):
        contender(OURS, "paraformer", PARAFORMER)


def test_a_bare_process_recognises_what_it_is_told_and_its_memory_can_be_read(tmp_path):
    bare.save_clips(tmp_path / "clips.npz", [clip(1, 0), clip(3, 0)])
    with bare.Bare(UNPREPARED, "paraformer", PARAFORMER, tmp_path / "clips.npz") as process:
        process.ready()
        process.tell("once 1")
        audio, seconds = process.done()
        assert (audio, seconds > 0) == (3.0, True)
        if sys.platform == "linux":
            assert 20 < memory.proportional(process.pid) < 1000


def test_a_bare_loop_goes_round_from_where_it_is_told_until_the_time_is_up():
    heard = []
    clips = {str(seconds): np.full(seconds * 16_000, seconds) for seconds in (1, 2)}

    def recognise(samples):
        heard.append(int(samples[0]))
        time.sleep(0.01)

    audio, seconds = bare.obey(recognise, clips, "loop 0.025 2")
    assert heard[:3] == [2, 1, 2]
    assert audio == sum(heard)
    assert seconds >= 0.025


def test_a_dead_bare_process_is_an_error_and_no_hang(tmp_path):
    with (
        bare.Bare(OURS, "paraformer", tmp_path, tmp_path / "missing.npz") as process,
        pytest.raises(RuntimeError, match="ended: 1"),
    ):
        process.ready()


def test_the_rate_counts_what_ends_while_all_clients_are_at_it():
    # One answer a second; the first five warm up, and the clients' last five are fewer and fewer.
    outcomes = [outcome(float(second)) for second in range(20)]
    assert throughput.rate(outcomes) == pytest.approx(10.0)
    outcomes[-1] = outcome(100.0)
    assert throughput.rate(outcomes) == pytest.approx(10.0)


def test_a_rate_is_not_computed_from_failures():
    with pytest.raises(Skipped, match="overloaded"):
        throughput.rate([outcome(float(n)) for n in range(20)] + [outcome(5.0, error="overloaded")])


@pytest.mark.skipif(sys.platform != "linux", reason="memory that is shared is told by Linux alone")
def test_memory_is_that_of_the_workers_of_a_real_server_and_the_rest_apart(tmp_path):
    model, clips = PARAFORMER, [clip(1, 0), clip(3, 0)]
    workers, rest = asyncio.run(memory.of_workers(model, 2, clips, tmp_path))
    assert 20 < workers < 1000
    assert 20 < rest < 1000


@pytest.mark.parametrize("program", [FORKING, SPAWNING])
@pytest.mark.skipif(sys.platform == "win32", reason="there is no kill -9")
def test_a_killed_worker_of_a_real_server_is_replaced_whichever_way_it_starts(
    tmp_path, monkeypatch, program
):
    monkeypatch.setattr(replacement, "KILLS", 1)
    work = Work("file", clip(1, 0))
    killed, alive = asyncio.run(replacement.kill_workers(PARAFORMER, program, work, tmp_path))
    assert all(0 < each < 30 for each in (*killed, *alive))


def test_a_server_that_does_not_start_is_skipped_with_its_log(tmp_path):
    async def start():
        async with serving(tmp_path / "nothing", workers=1, log=tmp_path / "serve.log"):
            pass

    with pytest.raises(Skipped, match=re.escape("serve.log says why")):
        asyncio.run(start())
    assert "nothing" in (tmp_path / "serve.log").read_text()


def maker(folder: Path, *lines: str) -> Place:
    """Write a program that stands for the one that makes SenseVoice."""
    (folder / "make_sensevoice.py").write_text("\n".join(["import sys, pathlib", *lines]))
    return Place(folder / "work", folder / "speech", folder)


def test_a_model_is_made_once_and_in_both_layouts(tmp_path):
    place = maker(
        tmp_path,
        "_, target, flag, sherpa = sys.argv",
        "assert flag == '--sherpa'",
        "pathlib.Path(sherpa).mkdir(parents=True)",
        "pathlib.Path(target, 'model_quant.onnx').touch()",
    )
    place.work.mkdir()
    made = place.model("sensevoice")
    assert made == place.work / "sensevoice"
    (tmp_path / "make_sensevoice.py").unlink()
    assert place.model("sensevoice") == made
    assert place.for_sherpa().is_dir()


def test_a_model_that_is_made_half_is_not_taken_for_whole(tmp_path):
    place = maker(
        tmp_path,
        "pathlib.Path(sys.argv[1]).mkdir(parents=True)",
        "pathlib.Path(sys.argv[1], 'model_quant.onnx').touch()",
        "raise SystemExit('no memory')",
    )
    with pytest.raises(Skipped, match="no memory"):
        place.model("sensevoice")
    assert not (place.work / "sensevoice").exists()


def test_a_kind_that_cannot_be_made_leaves_the_other_to_be_measured(tmp_path):
    (tmp_path / "paraformer").mkdir()
    (tmp_path / "paraformer" / "model_quant.onnx").touch()
    section = Section("Memory")
    place = Place(tmp_path, tmp_path, tmp_path / "nothing")
    assert list(place.models(section)) == [("paraformer", tmp_path / "paraformer")]
    (told,) = section.parts
    assert told.startswith("sensevoice was skipped: there is no ")


def test_a_model_whose_maker_is_missing_is_skipped(tmp_path):
    with pytest.raises(Skipped, match=re.escape("make_sensevoice.py, which makes the model")):
        Place(tmp_path, tmp_path, tmp_path / "nothing").model("sensevoice")
