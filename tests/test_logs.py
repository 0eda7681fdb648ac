"""The log: its lines, their ids, its files, and what must never be in it."""

from __future__ import annotations

import json
import logging
import os
import re
import subprocess
import sys

import capswriter_clients as clients
import fake_engine
import numpy as np
import pytest
from capswriter_clients import frame, read_to_final
from servers import serving_fake
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from capswriter import logs
from capswriter.audio import SAMPLE_RATE
from capswriter.logs import LogFileRefused, logging_to, of_connection, of_task
from capswriter.pool import EngineSpec, InferenceFailed, Recogniser, Task

logger = logging.getLogger("capswriter.tests")


def written(file, **options):
    return logging_to(level="info", file=file, **options)


def objects(file):
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


def test_a_file_rotates_at_10_mb_and_five_are_kept(tmp_path, monkeypatch):
    assert (logs.ROTATE_AT, logs.KEEP) == (10_000_000, 5)
    monkeypatch.setattr(logs, "ROTATE_AT", 10_000)
    with written(tmp_path / "server.log"):
        for number in range(1000):
            logger.info("line %d %s", number, "x" * 50)
    files = {path.name: path.stat().st_size for path in tmp_path.iterdir()}
    assert set(files) == {"server.log", *(f"server.log.{n}" for n in range(1, 6))}
    assert max(files.values()) <= 10_000
    assert "line 999 " in (tmp_path / "server.log").read_text()


def test_a_line_of_text_has_the_ids_and_no_brackets_without_any(tmp_path):
    with written(tmp_path / "log"):
        logger.info("nobody's")
        with of_connection("c17"), of_task("t-1"):
            logger.warning("somebody's")
        logger.debug("too quiet")
        logging.getLogger("elsewhere").info("not ours")
        logging.getLogger("elsewhere").warning("not ours, but it matters")
    nobody, somebody, elsewhere = (tmp_path / "log").read_text().splitlines()
    assert re.fullmatch(r"[-\d]{10} [:,\d]{12} INFO capswriter\.tests: nobody's", nobody)
    assert somebody.endswith(" WARNING capswriter.tests: [c17 t-1] somebody's")
    assert elsewhere.endswith(" WARNING elsewhere: not ours, but it matters")


def test_json_is_one_object_a_line_with_the_ids_and_the_trace(tmp_path):
    with written(tmp_path / "log", style="json"):
        with of_connection("c17"), of_task("听写"):
            try:
                raise ValueError("bad\nluck")
            except ValueError:
                logger.exception("it %s", "failed")
        logger.info("plain")
    failed, plain = objects(tmp_path / "log")
    assert failed.pop("time").endswith("+00:00")
    assert failed.pop("exception").startswith("Traceback ")
    assert failed == {
        "level": "error",
        "logger": "capswriter.tests",
        "message": "it failed",
        "connection": "c17",
        "task": "听写",
    }
    assert set(plain) == {"time", "level", "logger", "message"}


@pytest.mark.parametrize("style", ["text", "json"])
def test_what_a_client_sends_cannot_look_like_a_line_or_fill_the_file(tmp_path, style):
    with written(tmp_path / "log", style=style), of_task("x\n2026-01-01 ERROR forged\x1b[2J"):
        logger.info("task %s", "y\r\n\u2028forged" + "z" * 100_000)
    [line] = (tmp_path / "log").read_bytes().splitlines()
    assert b"\x1b" not in line
    assert len(line) < 5000


@pytest.mark.parametrize("secret", ["/ws?token=s3cret&x=1", "Authorization: Bearer s3cret"])
def test_tokens_are_not_written(tmp_path, secret):
    with written(tmp_path / "log"):
        logger.warning("refused: %s", secret)
    text = (tmp_path / "log").read_text()
    assert "***" in text
    assert "s3cret" not in text


def test_a_file_that_cannot_be_written_is_one_line(tmp_path):
    path = tmp_path / "nowhere" / "log"
    with pytest.raises(LogFileRefused, match=r"^cannot write the log file .*no such file"):
        written(path).__enter__()


@pytest.mark.skipif(sys.platform == "win32", reason="there are no pseudo-terminals")
def test_a_terminal_gets_colours_and_a_pipe_gets_plain_lines():
    import pty

    code = (
        "import logging; from capswriter.logs import logging_to, of_connection\n"
        "with logging_to(level='info'), of_connection('c3'):\n"
        "    logging.getLogger('capswriter').info('[red]hello')\n"
    )
    ours, theirs = pty.openpty()
    environment = os.environ | {"TERM": "xterm-256color", "COLUMNS": "100"}
    subprocess.run([sys.executable, "-c", code], stderr=theirs, env=environment, check=True)
    os.close(theirs)
    shown = os.read(ours, 65_536)
    os.close(ours)
    assert b"\x1b[" in shown
    assert b"red" in shown
    assert b"hello" in shown
    piped = subprocess.run(
        [sys.executable, "-c", code], stderr=subprocess.PIPE, check=True, text=True
    )
    assert piped.stderr.endswith(" INFO capswriter: [c3] [red]hello\n")


@pytest.mark.anyio
async def test_what_a_worker_logs_arrives_with_its_number_and_trace(tmp_path):
    spec = EngineSpec(loader="fake_engine:load", modules=("fake_engine",))
    samples = np.full(SAMPLE_RATE, fake_engine.RAISE, np.float32)
    with written(tmp_path / "log", style="json"):
        async with Recogniser(spec, workers=1) as recogniser:
            with pytest.raises(InferenceFailed):
                await recogniser.recognise(Task(samples))
    [line] = [line for line in objects(tmp_path / "log") if line["logger"].endswith("worker")]
    assert (line["level"], line["worker"]) == ("error", 0)
    assert line["message"] == "the engine failed"
    assert line["exception"].endswith("RuntimeError: out of luck")


@pytest.mark.anyio
async def test_a_server_at_debug_never_writes_a_token(tmp_path, second):
    file = tmp_path / "log"
    with serving_fake(log_file=file, log_level="debug", token="s3cret") as server:
        for url, headers in (
            (f"{server.url}/?token=s3cret", {}),
            (server.url, {"Authorization": "Bearer s3cret"}),
        ):
            async with connect(url, additional_headers=headers) as socket:
                data = second[: 4 * SAMPLE_RATE].tobytes()
                await socket.send(frame("t", "mic", data, is_final=True))
                assert (await read_to_final(socket)).text
        with pytest.raises(InvalidStatus):
            await connect(f"{server.url}/?token=s3cret-not")
    assert "active=" in file.read_text()
    assert "s3cret" not in file.read_text() + "".join(server.log)


@pytest.mark.anyio
async def test_the_server_logs_each_task_s_start_and_end_with_ids_and_no_text(tmp_path, second):
    spoken = second[: 8 * SAMPLE_RATE]
    file = tmp_path / "log"
    with serving_fake(log_file=file, log_format="json") as server:
        async with connect(server.url, max_size=None) as socket:
            await socket.send(frame("m-1", "mic", spoken.tobytes(), is_final=True))
            texts = [(await read_to_final(socket)).text]
            await socket.send(frame("f-1", "file", spoken.tobytes(), is_final=True))
            texts.append((await read_to_final(socket)).text)
        texts.append(await clients.v0_6(server.url, spoken))
        async with connect(server.url) as socket:
            await socket.send(frame("bad", "file", b"no flac", is_final=True, encoding="flac"))
            assert json.loads(await socket.recv())["code"] == "decode_failed"
    assert all(texts)
    lines = objects(file)
    told = [
        (line.get("connection"), line.get("task"), *line["message"].split()[:2])
        for line in lines
        if line["logger"] == "capswriter.server.task_log"
    ]
    assert told == [
        ("c1", "m-1", "start", "mic"),
        ("c1", "m-1", "end", "mic"),
        ("c1", "f-1", "start", "file"),
        ("c1", "f-1", "end", "file"),
        ("c2", None, "start", "v0"),
        ("c2", None, "end", "v0"),
        ("c3", "bad", "start", "file"),
        ("c3", "bad", "end", "file"),
    ]
    ends = [line["message"] for line in lines if line["message"].startswith("end ")]
    numbers = r"active=\d/2 queued=\d+ wait=\d+\.\d\ds audio=\d+\.\ds rtf=\d+\.\d{3}"
    assert all(re.fullmatch(rf"end \w+ (done|failed) {numbers}", end) for end in ends)
    assert [end.split()[2] for end in ends] == ["done", "done", "done", "failed"]
    assert 4 < float(re.search(r"audio=(\S+)s", ends[0])[1]) <= 8.5
    said = {word for text in texts for word in text.split()}
    everything = file.read_text() + "".join(server.log)
    assert said
    assert not [word for word in said if re.search(rf"\b{word}\b", everything)]
    assert all(json.loads(line) for line in server.log)
