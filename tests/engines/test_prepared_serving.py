"""A server whose workers prepare a model, share it, and find it again."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from servers import serving, workers

MODEL = Path(__file__).parent / "sensevoice" / "funasr"


@pytest.fixture
def store(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("CAPSWRITER_MODEL_DIR", str(tmp_path / "store"))
    return tmp_path / "store"


def transcribed(url: str, path: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "capswriter", "transcribe", path, "--server", url, "--stdout"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env=os.environ | {"PYTHONUTF8": "1"},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def mapping(pid: int, weights: Path) -> set[int]:
    """The workers that have mapped the weights."""
    found = set()
    for worker in workers(pid):
        maps = Path(f"/proc/{worker.pid}/maps").read_text()
        if str(weights) in maps:
            found.add(worker.pid)
    return found


def wait_for_two(pid: int, weights: Path) -> set[int]:
    until = time.monotonic() + 30
    while len(found := mapping(pid, weights)) < 2:
        assert time.monotonic() < until
        time.sleep(0.05)
    return found


@pytest.mark.skipif(sys.platform != "linux", reason="reads what a process has mapped from /proc")
def test_workers_prepare_a_model_once_and_those_that_follow_use_the_copy(store, samples):
    with serving("--model", str(MODEL), "--workers", "2") as server:
        (weights,) = store.rglob("weights.bin")
        first = wait_for_two(server.pid, weights)
        text = transcribed(server.url, samples / "01.mp3")
        assert len(text.split()) > 20
        psutil.Process(min(first)).kill()
        until = time.monotonic() + 30
        while len(second := mapping(server.pid, weights) - first) < 1:
            assert time.monotonic() < until
            time.sleep(0.05)
        assert len(second) == 1
        assert transcribed(server.url, samples / "01.mp3") == text
        log = "".join(server.log)
    assert log.count(f"preparing {MODEL / 'model_quant.onnx'} for this computer, once") == 1
    assert log.count("model_quant.onnx was prepared in ") == 1
