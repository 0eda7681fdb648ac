"""Starting, stopping, limits and failures of the server process, seen from outside."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import capswriter_clients as clients
import httpx
import numpy as np
import psutil
import pytest
from capswriter_clients import frame, read_to_final
from marked_engine import BLOCK, mark
from servers import lives, serving, serving_fake, tree, workers
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosedError, InvalidStatus

from capswriter.audio import SAMPLE_RATE

pytestmark = pytest.mark.anyio


def capswriter(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "capswriter", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        env=os.environ | environment,
        check=False,
    )


def words_every_half_second(directory: Path, seconds: int, speed: float = 0) -> list[str]:
    """Say that a word is spoken every half second, whatever the sound."""
    words = [[f"w{n}", n / 2 + 0.1, n / 2 + 0.3] for n in range(2 * seconds)]
    spoken = {"period": seconds, "words": words, "speed": speed}
    (directory / "words.json").write_text(json.dumps(spoken))
    return [word for word, _, _ in words]


@pytest.fixture(scope="session")
def marked(first, second):
    """Marked speech whose blocks are numbered: 160 s of it."""
    pcm = np.round(np.concatenate((first, second)) * 32_767).astype(np.int16)
    pcm = mark(pcm[: len(pcm) // BLOCK * BLOCK])
    return pcm.astype(np.float32) / 32_768


def heard(text: str) -> set[str]:
    return set(text.split())


async def test_a_killed_worker_in_the_middle_of_a_file_costs_no_word(tmp_path, marked):
    words_every_half_second(tmp_path, 170, speed=20)
    with serving_fake("marked_engine:load", tmp_path, workers=2) as server:
        whole = (await clients.v2_6_file(server.url, marked)).text
        assert len(heard(whole)) > 200
        transcribing = asyncio.create_task(clients.v2_6_file(server.url, marked))
        for pause in (0.5, 3.2):  # a segment takes up to 1.5 s: none loses two workers
            await asyncio.sleep(pause)
            workers(server.pid)[0].kill()
        assert (await transcribing).text == whole


async def test_sigterm_finishes_what_was_accepted_and_leaves_no_process(tmp_path, marked):
    words_every_half_second(tmp_path, 170, speed=40)
    with serving_fake("marked_engine:load", tmp_path, workers=2) as server:
        processes = tree(server.pid)
        async with connect(server.url) as open_socket:
            await open_socket.send(frame("t", "file", marked.tobytes(), is_final=True))
            await asyncio.sleep(0.5)
            server.process.send_signal(signal.SIGTERM)
            answer = await read_to_final(open_socket)
        assert len(heard(answer.text)) > 200
        assert server.process.wait(20) == 0
        psutil.wait_procs(processes, timeout=3)
        assert not [process for process in processes if lives(process)]


async def test_a_stopping_server_refuses_new_tasks_and_says_so(tmp_path, marked):
    words_every_half_second(tmp_path, 170, speed=20)
    with serving_fake("marked_engine:load", tmp_path, workers=1) as server:
        async with connect(server.url) as busy, connect(server.url) as late:
            await busy.send(frame("t", "file", marked.tobytes(), is_final=True))
            await asyncio.sleep(0.3)
            server.process.send_signal(signal.SIGTERM)
            await asyncio.sleep(0.3)
            await late.send(frame("late", "mic", bytes(3200), encoding="f32le"))
            reply = json.loads(await late.recv())
            assert (reply["code"], reply["retryable"]) == ("overloaded", True)
            assert "stopping" in reply["message"]
            assert len(heard((await read_to_final(busy)).text)) > 200


async def test_workers_end_when_the_front_is_killed(tmp_path):
    program = (str(Path(__file__).parents[1] / "serve_fake.py"), "fake_engine:load", "/nowhere")
    process = subprocess.Popen(
        [sys.executable, *program, "--port", "0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])},
    )
    with process:
        process.stdout.readline()
        left = tree(process.pid)
        process.kill()
        process.wait()
        psutil.wait_procs(left, timeout=2)
        assert not [each for each in left if lives(each)]


async def test_a_frame_over_the_limit_closes_only_its_own_connection():
    with serving_fake(max_frame_mb=1) as server:
        async with connect(server.url) as other:
            with pytest.raises(ConnectionClosedError) as closed:
                await clients.v1_0_file(server.url, np.zeros(20 * SAMPLE_RATE, np.float32))
            assert closed.value.rcvd.code == 1009
            await other.send(frame("t", "mic", bytes(3200), is_final=True))
            assert (await read_to_final(other)).text == ""
        assert any("over 1 MB" in line for line in server.log)


async def test_one_connection_too_many_is_refused_with_503():
    with serving_fake(max_connections=2) as server:
        async with connect(server.url), connect(server.url):
            with pytest.raises(InvalidStatus) as refused:
                await connect(server.url)
            assert refused.value.response.status_code == 503
        async with connect(server.url):
            pass


async def test_silence_in_the_middle_of_a_task_ends_the_connection_but_not_between_tasks():
    with serving_fake(ws_timeout=0.5) as server, httpx.Client() as http:
        async with connect(server.url) as idle, connect(server.url) as stuck:
            await stuck.send(frame("t", "mic", bytes(3200)))
            began = time.monotonic()
            with pytest.raises(ConnectionClosedError) as closed:
                await stuck.recv()
            assert time.monotonic() - began < 3
            assert "nothing came for 0.5 s" in closed.value.rcvd.reason
            await idle.send(frame("t", "mic", bytes(3200), is_final=True))
            assert (await read_to_final(idle)).text == ""
        assert http.get(server.http + "/ready").status_code == 200


async def test_more_audio_than_an_utterance_may_have_is_refused():
    with serving_fake(max_audio_hours=0.001) as server:
        async with connect(server.url) as open_socket:
            data = bytes(4 * 5 * SAMPLE_RATE)
            await open_socket.send(frame("t", "file", data, encoding="f32le"))
            reply = json.loads(await open_socket.recv())
    assert reply["code"] == "audio_too_long"


def one_line(result: subprocess.CompletedProcess[str], status: int) -> str:
    assert result.returncode == status
    assert result.stdout == ""
    lines = [line for line in result.stderr.splitlines() if " INFO " not in line]
    assert len(lines) == 1, result.stderr
    return lines[0]


@pytest.mark.model
def test_a_port_in_use_is_one_line():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        line = one_line(capswriter("serve", "--port", str(port), "--model", "whisper-base"), 1)
    assert f"port {port}" in line
    assert "--port" in line


def test_a_model_that_is_not_there_is_one_line_with_the_command_that_mends_it(tmp_path):
    result = capswriter(
        "serve", "--port", "0", "--model", "whisper-base", CAPSWRITER_MODEL_DIR=str(tmp_path)
    )
    assert "capswriter models pull whisper-base" in one_line(result, 1)


def test_a_model_nobody_knows_is_one_line_and_wrong_usage():
    assert "whisper-base" in one_line(capswriter("serve", "--model", "whisper-huge"), 2)


def test_a_directory_without_a_model_is_one_line(tmp_path):
    line = one_line(capswriter("serve", "--port", "0", "--model", str(tmp_path)), 1)
    assert "no model that can be loaded" in line


def test_an_address_of_another_machine_is_one_line():
    line = one_line(capswriter("serve", "--host", "192.0.2.1", "--allow-anonymous"), 1)
    assert "192.0.2.1" in line


@pytest.mark.model
def test_memory_that_does_not_suffice_is_one_line_and_leaves_no_process():
    limited = f"ulimit -v 900000; exec {sys.executable} -m capswriter serve --port 0 --workers 2"
    process = subprocess.Popen(
        ["bash", "-c", limited],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    output, errors = process.communicate(timeout=60)
    result = subprocess.CompletedProcess(limited, process.returncode, output, errors)
    assert "not enough memory to load the model" in one_line(result, 1)
    ends = time.monotonic() + 2
    while left := [each for each in of_session(process.pid) if lives(each)]:  # may be on their way
        assert time.monotonic() < ends, left
        time.sleep(0.05)


def of_session(leader: int) -> list[psutil.Process]:
    return [each for each in psutil.process_iter() if session_of(each.pid) == leader]


def session_of(pid: int) -> int | None:
    try:
        return os.getsid(pid)
    except ProcessLookupError:
        return None


@pytest.mark.parametrize(
    ("loader", "reason"),
    [("marked_engine:load_greedy", "not enough memory"), ("marked_engine:load_dying", "status 9")],
)
def test_workers_that_cannot_load_are_told_of_in_one_line(loader, reason):
    tests = Path(__file__).parents[1]
    result = subprocess.run(
        [sys.executable, str(tests / "serve_fake.py"), loader, "/nowhere", "--port", "0"],
        capture_output=True,
        text=True,
        timeout=60,
        env=os.environ | {"PYTHONPATH": str(tests)},
        check=False,
    )
    assert result.returncode == 1
    assert reason in result.stderr.splitlines()[-1]
    assert result.stdout == ""


@pytest.mark.model
async def test_the_server_ends_with_the_process_that_holds_its_stdin():
    process = subprocess.Popen(
        [sys.executable, "-m", "capswriter", "serve", "--port", "0", "--until-stdin-closes"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    with process:
        assert process.stdout.readline().startswith("ready: ws://127.0.0.1:")
        process.stdin.close()
        assert process.wait(10) == 0


@pytest.mark.model
async def test_ready_is_503_until_a_worker_has_loaded(tmp_path):
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "capswriter", "serve", "--port", str(port), "--workers", "1"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    seen = set()
    with process:
        try:
            async with httpx.AsyncClient() as http:
                for _ in range(500):
                    try:
                        seen.add((await http.get(f"http://127.0.0.1:{port}/ready")).status_code)
                    except httpx.TransportError:
                        seen.add(None)
                    if 200 in seen:
                        break
                    await asyncio.sleep(0.02)
        finally:
            process.terminate()
    assert 503 in seen
    assert 200 in seen


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return probe.getsockname()[1]


@pytest.mark.model
def test_start_server_py_takes_the_same_flags():
    root = Path(__file__).parents[2]
    with serving("--workers", "1", program=(str(root / "start_server.py"),)) as server:
        assert server.stop() == 0
