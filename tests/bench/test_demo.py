"""The two commands that show what the server is worth, as they are called."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.model

ROOT = Path(__file__).parents[2]


def run(module: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", f"capswriter.bench.{module}", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


def test_the_demo_shows_both_texts_and_the_figures(whisper_base):
    done = run("demo")
    assert done.returncode == 0, done.stderr
    assert "Dictation is an old idea." in done.stdout
    assert "Anna lived in a small house" in done.stdout
    rates = [float(rate) for rate in re.findall(r"word error rate ([\d.]+)%", done.stdout)]
    assert len(rates) == 2
    assert max(rates) <= 8
    assert re.search(r"167\.5 s of audio in [\d.]+ s: real-time factor [\d.]+", done.stdout)
    assert "2 workers" in done.stdout.splitlines()[-1]


def test_the_accuracy_table_says_whether_the_server_says_what_the_engine_says(
    tmp_path, samples, whisper_base
):
    (tmp_path / "01.mp3").write_bytes((samples / "01.mp3").read_bytes())
    text = (samples / "01.txt").read_text(encoding="utf-8")
    entry = {"file": "01.mp3", "language": "en", "text": text}
    (tmp_path / "manifest.json").write_text(json.dumps([entry]))
    done = run("accuracy", str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert re.search(r"\| 01\.mp3 \| en \| 73\.4 \| \d\.\d% WER \| yes \|", done.stdout)
