"""FunASR's own models in real workers and behind a real server."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import psutil
import pytest
from capswriter_clients import v2_6_file
from sentencepiece import sentencepiece_model_pb2
from servers import serving_fake

from capswriter.engines import Options
from capswriter.engines.funasr_results import transcript_of
from capswriter.pool import EngineSpec, InferenceFailed, NoWorkers, Recogniser, Task

pytestmark = pytest.mark.anyio

LOADER = "capswriter.engines.funasr:load"
IMPORTS = ("capswriter.engines.funasr_imports",)


def pool_of(directory: Path | str, workers: int = 1) -> Recogniser:
    spec = EngineSpec(Path(directory), loader=LOADER, modules=IMPORTS)
    return Recogniser(spec, workers=workers)


async def all_ready(pool: Recogniser) -> None:
    while any(row.state.value != "idle" for row in pool.statistics().workers):
        await asyncio.sleep(0.01)


async def test_two_workers_with_sensevoice_hear_what_is_said(models):
    async with pool_of(models.directory / "sensevoice", workers=2) as pool:
        await all_ready(pool)
        tasks = [pool.recognise(Task(models.segment)) for _ in range(12)]
        results = await asyncio.gather(*tasks)
        plain = await pool.recognise(Task(models.segment, Options(itn=False)))
    assert {result.worker for result in results} == {0, 1}
    heard = results[0].transcript
    assert all(result.transcript == heard for result in results)
    assert heard.text == models.text
    assert (heard.language, heard.emotion, heard.event) == ("en", "neutral", "speech")
    expected = models.expected["sensevoice"]
    assert heard == transcript_of(expected, duration=len(models.segment) / 16_000)
    assert [token.text.strip() for token in heard.tokens[1:]] == expected["words"][1:]
    starts = [round(1000 * token.start) for token in heard.tokens]
    assert starts == [start for start, _ in expected["timestamp"]]
    assert plain.transcript.text == models.text.lower().replace(".", "").replace(",", "")


async def test_a_worker_that_is_killed_costs_no_text(models):
    long = np.resize(models.segment, 29 * 16_000)
    async with pool_of(models.directory / "sensevoice", workers=2) as pool:
        undisturbed = (await pool.recognise(Task(long))).transcript
        await all_ready(pool)
        tasks = [asyncio.create_task(pool.recognise(Task(long))) for _ in range(12)]
        while not (
            busy := [row.pid for row in pool.statistics().workers if row.state.value == "busy"]
        ):
            await asyncio.sleep(0)
        os.kill(busy[0], signal.SIGKILL)
        results = await asyncio.gather(*tasks)
        assert pool.statistics().retried == 1
    assert undisturbed.text
    assert all(result.transcript == undisturbed for result in results)


async def test_paraformer_gives_each_character_its_time(models):
    async with pool_of(models.directory / "paraformer") as pool:
        options = Options(language="zh", prompt="hello", itn=False)  # it knows none of these
        heard = (await pool.recognise(Task(models.segment, options))).transcript
        silence = await pool.recognise(Task(np.zeros(300, np.float32)))
    expected = models.expected["paraformer"]
    assert heard.text == expected["text"].replace(" ", "")
    assert heard.language == "zh"
    assert len(heard.tokens) == len(heard.text) > 20
    times = [[round(1000 * token.start), round(1000 * token.end)] for token in heard.tokens]
    assert times == expected["timestamp"]
    assert silence.transcript.text == ""


async def test_hotwords_reach_a_model_that_takes_them_and_are_only_words(models, tmp_path):
    words = tmp_path / "words.txt"
    words.write_text("\u4e03\n" * 9)

    async def heard(pool: Recogniser, prompt: str) -> str:
        task = Task(models.segment, Options(prompt=prompt))
        return (await pool.recognise(task)).transcript.text

    async with pool_of(models.directory / "contextual") as pool:
        assert await heard(pool, "") == models.expected["contextual"]["text"]
        unknown = await heard(pool, "no")
        assert await heard(pool, "\u4e03, \u4e08") not in {await heard(pool, ""), unknown}
        # FunASR would fetch the first of these, and read the second.
        assert await heard(pool, "http://127.0.0.1:9/words.txt") == unknown
        assert await heard(pool, str(words)) == unknown


async def test_a_language_that_sensevoice_does_not_know_is_refused(models):
    async with pool_of(models.directory / "sensevoice") as pool:
        with pytest.raises(InferenceFailed, match="'de' is not one of: auto, en, ja"):
            await pool.recognise(Task(models.segment, Options(language="de")))
        heard = await pool.recognise(Task(models.segment, Options(language="en")))
        assert heard.transcript.text


async def test_where_funasr_fails_to_align_a_text_the_text_is_still_heard(models, tmp_path):
    """It takes the pieces of a text for as many as the pieces of these pieces."""
    directory = tmp_path / "prefixed"
    shutil.copytree(models.directory / "sensevoice", directory)
    (path,) = directory.glob("*.bpe.model")
    proto = sentencepiece_model_pb2.ModelProto.FromString(path.read_bytes())
    proto.normalizer_spec.add_dummy_prefix = True
    proto.pieces[1].piece, proto.pieces[1].type = "\u2581", proto.SentencePiece.NORMAL
    path.write_bytes(proto.SerializeToString())
    async with pool_of(directory) as pool:
        heard = (await pool.recognise(Task(models.segment))).transcript
    assert heard.text == models.text
    assert [token.text for token in heard.tokens] == [
        word if index == 0 else f" {word}" for index, word in enumerate(models.text.split())
    ]
    assert heard.tokens[0].start == 0
    assert heard.tokens[-1].end == pytest.approx(len(models.segment) / 16_000)


async def test_weights_that_are_broken_are_said_in_one_line(models, tmp_path):
    directory = tmp_path / "broken"
    shutil.copytree(models.directory / "sensevoice", directory)
    (directory / "model.pt").write_bytes(b"cheese")
    with pytest.raises(NoWorkers, match=f"FunASR cannot load {directory}: ") as told:
        await pool_of(directory).__aenter__()
    assert "\n" not in str(told.value)


async def test_a_hub_that_cannot_be_reached_is_said_in_one_line(models, monkeypatch, tmp_path):
    """The second line of FunASR's own error says only that a directory is missing."""
    monkeypatch.setenv("MODELSCOPE_CACHE", str(tmp_path))
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    script = (
        "from capswriter.engines.funasr import load\n"
        "try: load('funasr:hf:tests/absent', threads=1, device='cpu')\n"
        "except Exception as error: print(type(error).__name__, error)"
    )
    said = run(script).splitlines()
    assert len(said) == 1
    assert said[0].startswith("EngineFailed FunASR cannot load tests/absent: Download: ")


async def test_torch_keeps_to_the_threads_that_it_is_given(models):
    directory = models.directory / "sensevoice"
    script = (
        "import numpy, sys; from pathlib import Path; import capswriter.engines.funasr as engine\n"
        "assert 'torch' not in sys.modules\n"
        f"loaded = engine.load(Path({str(directory)!r}), threads=3, device='auto')\n"
        "loaded.transcribe(numpy.zeros(16000, numpy.float32), engine.Options())\n"
        "import torch; print(torch.get_num_threads(), loaded.traits.name)"
    )
    assert run(script) == "3 funasr sensevoice\n"


def run(script: str) -> str:
    """Run Python in a process of its own; what it prints is all that it may print."""
    done = subprocess.run(
        [sys.executable, "-c", script], check=False, capture_output=True, text=True, timeout=100
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def in_a_cache(model: Path, hub: str, cache: Path) -> None:
    """Put a model where the hub's library keeps what it has downloaded."""
    if hub == "hf":
        snapshot = cache / "models--tests--tiny" / "snapshots" / ("0" * 40)
        (cache / "models--tests--tiny" / "refs").mkdir(parents=True)
        (cache / "models--tests--tiny" / "refs" / "main").write_text("0" * 40)
    else:
        snapshot = cache / "models" / "tests--tiny" / "snapshots" / "master"
    shutil.copytree(model, snapshot)


@pytest.mark.parametrize("hub", ["", "hf:", "ms:"])
async def test_the_server_hears_a_recording(models, hub, tmp_path, monkeypatch):
    directory = models.directory / "sensevoice"
    if hub:
        in_a_cache(directory, hub.rstrip(":"), tmp_path)
        monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
        monkeypatch.setenv("MODELSCOPE_CACHE", str(tmp_path))
    name = f"funasr:{hub}tests/tiny" if hub else f"funasr:{directory}"
    with serving_fake(LOADER, name, workers=1) as server:
        assert not loads_torch(server.pid)
        answer = await v2_6_file(server.url, models.recording)
        log = "".join(server.log)
    assert answer.text == models.text
    assert answer.final["tokens"][0] == "Dictation"
    assert " root: " not in log
    assert "trust_remote_code" not in log


def loads_torch(pid: int) -> bool:
    return any("libtorch" in row.path for row in psutil.Process(pid).memory_maps())
