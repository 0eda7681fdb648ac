"""Recordings of hours, through the real client and the real server."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
import wave
from pathlib import Path

import jiwer
import numpy as np
import psutil
import pytest
from marked_engine import BLOCK, mark
from servers import serving_fake

from capswriter.audio import SAMPLE_RATE

pytestmark = pytest.mark.timeout(400)

HOURS = 3
"""Of the recording, with ``--full``; else one."""

GROWTH_MB = 60


def transcribe(file: Path, url: str, **options: object) -> tuple[dict, float]:
    """Run the client; give its JSON and the most memory it held, in megabytes."""
    process = subprocess.Popen(
        [sys.executable, "-m", "capswriter", "transcribe", str(file), "--server", url],
        stderr=subprocess.PIPE,
        text=True,
    )
    peak = Peak(process.pid)
    _, errors = process.communicate(timeout=390)
    assert process.returncode == 0, errors
    return json.loads(file.with_suffix(".json").read_text(encoding="utf-8")), peak.stop()


class Peak:
    """Watches the resident memory of a process."""

    def __init__(self, pid: int) -> None:
        self._process = psutil.Process(pid)
        self.now = self.most = self._rss()
        self._watched = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()

    def _rss(self) -> float:
        try:
            return self._process.memory_info().rss / 1e6
        except psutil.NoSuchProcess:
            return 0.0

    def _watch(self) -> None:
        while not self._watched.wait(0.05):
            self.now = self._rss()
            self.most = max(self.most, self.now)

    def stop(self) -> float:
        self._watched.set()
        self._thread.join()
        return self.most


def write_marked(path: Path, pcm: np.ndarray, seconds: float) -> int:
    """Write ``pcm`` again and again, with its place in the whole in its lowest bits."""
    turns = int(seconds * SAMPLE_RATE // len(pcm))
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE)
        for turn in range(turns):
            file.writeframesraw(mark(pcm, turn * len(pcm) // BLOCK).tobytes())
    return turns


@pytest.fixture(scope="module")
def spoken(first, second, whisper_base):
    """Both samples as PCM, and what is said in them when, by the real engine."""
    from capswriter.audio.segment import Segmenter
    from capswriter.engines import Options, load

    pcm = np.round(np.concatenate((first, second)) * 32_767).astype(np.int16)
    pcm = pcm[: len(pcm) // BLOCK * BLOCK]
    engine, segmenter, words = load(whisper_base), Segmenter(), []
    segments = segmenter.push(pcm.astype(np.float32) / 32_768) + segmenter.finish()
    for segment in segments:
        if segment.samples is not None:
            begin = segment.start / SAMPLE_RATE
            tokens = engine.transcribe(segment.samples, Options()).tokens
            words += [[t.text.strip(), begin + t.start, begin + t.end] for t in tokens]
    return pcm, words


@pytest.mark.model
def test_hours_lose_nothing_and_cost_no_memory(tmp_path, spoken, full):
    hours = HOURS if full else 1
    pcm, words = spoken
    period = len(pcm) / SAMPLE_RATE
    (tmp_path / "words.json").write_text(json.dumps({"period": period, "words": words}))
    short, long = tmp_path / "short.wav", tmp_path / "long.wav"
    write_marked(short, pcm, period + 1)
    turns = write_marked(long, pcm, hours * 3600)
    with serving_fake("marked_engine:load", tmp_path, workers=2) as server:
        _, client_before = transcribe(short, server.url)
        front_before = psutil.Process(server.pid).memory_info().rss / 1e6
        front = Peak(server.pid)
        began = time.monotonic()
        result, client_peak = transcribe(long, server.url)
        seconds = time.monotonic() - began
        front_growth, client_growth = front.stop() - front_before, client_peak - client_before
    print(
        f"{hours} h in {seconds:.1f} s; front {front_before:.0f} MB +{front_growth:.1f} MB, "
        f"client {client_before:.0f} MB +{client_growth:.1f} MB"
    )
    assert result["duration"] == pytest.approx(turns * period, abs=0.1)
    heard = result["text"].split()
    said = [word for text, _, _ in words for word in text.split()] * turns
    assert len(heard) == len(said)
    assert heard == said
    starts = [token["start"] for token in result["tokens"]]
    assert starts == sorted(starts)
    assert front_growth < GROWTH_MB
    assert client_growth < GROWTH_MB


@pytest.mark.model
def test_ten_minutes_through_the_real_engine_lose_no_sentence_and_double_none(
    tmp_path, server, samples, first, second
):
    turns = 4
    pcm = np.round(np.concatenate((first, second)) * 32_767).astype(np.int16)
    path = tmp_path / "long.wav"
    write_marked(path, pcm[: len(pcm) // BLOCK * BLOCK], turns * len(pcm) / SAMPLE_RATE)
    result, _ = transcribe(path, server.url)
    assert result["duration"] == pytest.approx(turns * len(pcm) / SAMPLE_RATE, abs=0.1)
    assert result["duration"] > 600
    said = " ".join(turns * [plain((samples / name).read_text()) for name in ("01.txt", "02.txt")])
    measure = jiwer.process_words(said, plain(result["text"]))
    # A lost or doubled phrase is a run of missing or additional words; misheard ones stand alone.
    reference, heard = measure.references[0], measure.hypotheses[0]
    runs = [
        (
            chunk.type,
            reference[chunk.ref_start_idx : chunk.ref_end_idx],
            heard[chunk.hyp_start_idx : chunk.hyp_end_idx],
        )
        for chunk in measure.alignments[0]
        if chunk.type in {"delete", "insert"}
    ]
    assert not [run for run in runs if len(run[1]) + len(run[2]) > 2]
    assert measure.wer < 0.05
    print(f"{result['duration']:.1f} s, word error rate {measure.wer:.2%}")


def plain(text: str) -> str:
    return " ".join("".join(c if c.isalnum() else " " for c in text.lower()).split())
