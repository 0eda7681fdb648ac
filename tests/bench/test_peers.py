"""Other programs beside ours: stand-ins for those that are not installed, and faster-whisper."""

from __future__ import annotations

import importlib
import re
import wave
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from made_results import machine

from capswriter.audio.decode import AudioFile
from capswriter.bench.arrangements import Load, observed
from capswriter.bench.figures import throughput
from capswriter.bench.material import Material
from capswriter.bench.peers import programs
from capswriter.bench.peers.loop import Loop
from capswriter.bench.peers.turns import AT_ONCE, ONE, peers_table
from capswriter.bench.result import Result, Run, Sample
from capswriter.cli.bench.peers import command
from capswriter.errors import UserError

SENSEVOICE = Path(__file__).parents[1] / "engines" / "sensevoice" / "funasr"
PARAFORMER = Path(__file__).parents[1] / "engines" / "paraformer" / "timestamped"

FUNASR = """
class SenseVoiceSmall:
    def __init__(self, directory, quantize=False, intra_op_num_threads=4):
        self.said = f"quantize {quantize}, {intra_op_num_threads} threads"

    def __call__(self, samples, language="zh", textnorm="woitn"):
        return [f"<|en|><|NEUTRAL|><|{textnorm}|>{len(samples)} samples, {self.said}"]


class Paraformer:
    def __init__(self, directory, quantize=False, intra_op_num_threads=4):
        raise RuntimeError("this model is\\nbroken")
"""

SHERPA = """
class OfflineRecognizer:
    @classmethod
    def from_sense_voice(cls, model, tokens, num_threads=1, use_itn=False):
        self = cls()
        self.threads = num_threads
        return self

    def create_stream(self):
        return Stream()

    def decode_stream(self, stream):
        stream.result.text = f" {stream.heard} samples, {self.threads} threads "


class Stream:
    def __init__(self):
        self.result = type("Result", (), {"text": ""})()

    def accept_waveform(self, rate, samples):
        self.heard = len(samples)
"""


@pytest.fixture
def stand_ins(tmp_path, monkeypatch):
    folder = tmp_path / "stand-ins"
    folder.mkdir()
    (folder / "funasr_onnx.py").write_text(FUNASR)
    (folder / "sherpa_onnx.py").write_text(SHERPA)
    monkeypatch.syspath_prepend(str(folder))
    importlib.invalidate_caches()


@pytest.fixture
def _nothing_installed(monkeypatch, tmp_path):
    monkeypatch.setattr(programs, "find_spec", lambda name: None)
    monkeypatch.setenv("CAPSWRITER_MODEL_DIR", str(tmp_path))


def load(passes=2) -> Load:
    rate = 16_000
    materials = [Material(f"{n} s", np.zeros(n * rate, np.float32)) for n in (1, 2)]
    return Load(materials, passes=passes)


def texts(run: Run) -> list[str]:
    assert not run.error
    return [sample.text for sample in run.samples]


@pytest.mark.usefixtures("_nothing_installed")
def test_what_is_left_out_is_named_with_what_to_do(tmp_path):
    found, missing = programs.programs(tmp_path)
    assert found == []
    assert "capswriter models pull whisper-base" in missing[0]
    for line, name in zip(missing[1:], ("funasr-onnx", "sherpa-onnx"), strict=True):
        assert line.startswith(f"{name} is left out: it is not installed; pip install ")


@pytest.mark.usefixtures("stand_ins")
def test_a_program_without_a_model_says_which_it_wants(whisper_base):
    found, missing = programs.programs(whisper_base)
    assert {each.program for each in found} == {"faster-whisper"}
    assert "--funasr-model" in missing[0]
    assert "model.int8.onnx and tokens.txt" in missing[1]
    with pytest.raises(UserError, match="holds no SenseVoice or Paraformer"):
        programs.programs(whisper_base, funasr=whisper_base)


@pytest.mark.usefixtures("stand_ins")
def test_funasr_is_measured_as_it_comes_and_with_all_cores():
    found, _ = programs.programs(SENSEVOICE)
    funasr = [each for each in found if each.program == "funasr-onnx"]
    first, second = (observed(Loop(each), load(), number=3) for each in funasr)
    ends = [f"{n * 16_000} samples, quantize True, " for n in (1, 2, 1, 2)]
    assert texts(first) == [end + "4 threads" for end in ends]
    assert texts(second) == [end + f"{programs.cores()} threads" for end in ends]
    assert (first.arrangement, first.workers, first.round) == ("peer", 1, 3)
    assert throughput(first) > 0
    assert [span.audio for span in first.spans] == [1.0, 2.0, 1.0, 2.0]
    assert {usage.process for usage in first.usage} == {"worker 0"}


@pytest.mark.usefixtures("stand_ins")
def test_sherpa_is_measured_as_it_comes_and_with_all_cores(tmp_path):
    for file in programs.SHERPA_FILES:
        (tmp_path / file).touch()
    found, _ = programs.programs(SENSEVOICE, sherpa=tmp_path)
    last = [each for each in found if each.program == "sherpa-onnx"][-1]
    run = observed(Loop(last), load(passes=1), number=0)
    assert texts(run) == [f"{n * 16_000} samples, {programs.cores()} threads" for n in (1, 2)]


@pytest.mark.usefixtures("stand_ins")
def test_a_program_that_fails_says_why_in_one_line():
    found, _ = programs.programs(PARAFORMER)
    broken = next(each for each in found if each.program == "funasr-onnx")
    run = observed(Loop(broken), load(), number=0)
    assert run.error == f"{broken.name}: this model is broken"
    assert run.samples == ()


def made(name: str, arrangement: str, seconds: float, number: int) -> Run:
    """One file of 60 s."""
    sample = Sample(recording="a", client=0, sent=0, spoken=0, ended=seconds, audio=60, text="a b")
    return Run(
        arrangement=arrangement,
        name=name,
        workers=1,
        round=number,
        seconds=seconds,
        samples=(sample,),
    )


def test_ratios_are_taken_in_each_round():
    # Everything is ten times as slow in the second round.
    runs = [
        made(name, arrangement, seconds * slow, number)
        for number, slow in enumerate((1, 10))
        for name, arrangement, seconds in (
            (AT_ONCE, "server", 2.0),
            (ONE, "server", 3.0),
            ("another", "peer", 6.0),
        )
    ]
    result = Result(
        kind="peers",
        created="",
        command="",
        version="",
        machine=machine(),
        model="",
        settings={},
        recordings=(),
        runs=tuple(runs),
    )
    row = peers_table(result).rows[-1]
    assert row[0] == "another"
    assert row[2] == "3.00 ×"
    assert row[4] == "2.00 ×"


@pytest.mark.model
def test_the_command_compares_with_faster_whisper(tmp_path, samples, whisper_base):
    with AudioFile(samples / "01.mp3") as file:
        speech = np.concatenate(list(file.blocks()))[: 8 * 16_000]
    with wave.open(str(tmp_path / "a.wav"), "wb") as out:
        out.setparams((1, 2, 16_000, 0, "NONE", ""))
        out.writeframes((speech * 32_767).astype("<i2").tobytes())
    (tmp_path / "a.txt").write_text("Dictation is an old idea.")
    asked = [str(tmp_path / "a.wav"), "--rounds", "1", "--workers", "1"]
    asked += ["--clients", "1", "--warm-up", "0", "--out", str(tmp_path / "out")]
    done = CliRunner().invoke(command, asked, standalone_mode=False, catch_exceptions=False)
    assert done.return_value == 0, done.output
    result = Result.load(tmp_path / "out" / "peers.json")
    names = [run.name for run in result.runs]
    assert names[:2] == [AT_ONCE, ONE]
    assert [bool(re.match("faster-whisper whisper-base, ", each)) for each in names[2:]] == [
        True
    ] * 3
    assert all("ictation" in text for run in result.runs for text in texts(run))
    assert [run.arrangement for run in result.runs] == ["server"] * 2 + ["peer"] * 3
