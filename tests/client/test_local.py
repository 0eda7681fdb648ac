"""The private server of ``--local``, with stand-ins for ``capswriter serve``."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import anyio
import pytest

from capswriter.client import local as module
from capswriter.client.local import Local, LocalServerFailed, local_server

READY = """
import sys
print("loading", flush=True)
print("ready: ws://127.0.0.1:4711 whisper-base, 2 workers", flush=True)
if {noise}:
    print("noise " * {noise}, flush=True)
sys.stdin.read()
open({log!r}, "w").write(" ".join(sys.argv[1:]))
"""


def stand_in(code):
    return (sys.executable, "-c", code)


@pytest.mark.anyio
async def test_its_url_is_read_and_it_ends_with_its_standard_input(tmp_path):
    log = tmp_path / "log"
    program = stand_in(READY.format(log=str(log), noise=100_000))
    local = Local("2", "whisper-base", tmp_path / "config.py", program)
    with anyio.fail_after(20):
        async with local_server(local) as url:
            assert url == "ws://127.0.0.1:4711"
            assert not log.exists()
    assert log.read_text() == (
        "serve --host 127.0.0.1 --port 0 --tls-cert  --tls-key  --workers 2 --model whisper-base "
        f"--config {tmp_path / 'config.py'} --until-stdin-closes"
    )


def test_nothing_is_added_that_nobody_asked_for():
    assert Local().command()[1:] == [
        *("-m", "capswriter", "serve", "--host", "127.0.0.1", "--port", "0"),
        *("--tls-cert", "", "--tls-key", ""),
        "--until-stdin-closes",
    ]


@pytest.mark.anyio
@pytest.mark.parametrize("status", [0, 1, 2])
async def test_one_that_ends_before_it_is_ready_is_a_failure(status):
    with pytest.raises(LocalServerFailed) as caught:
        async with local_server(Local(program=stand_in(f"raise SystemExit({status})"))):
            pytest.fail("it was never ready")
    assert caught.value.status == status


@pytest.mark.anyio
async def test_one_that_does_not_end_is_ended(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "END_S", 0.2)
    code = (
        "import os, signal, time\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "print(f'ready: ws://127.0.0.1:{os.getpid()} x', flush=True)\n"
        "time.sleep(60)\n"
    )
    async with local_server(Local(program=stand_in(code))) as url:
        pid = int(url.rpartition(":")[2])
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_it_does_not_outlive_us_when_we_are_killed(tmp_path):
    log = tmp_path / "log"
    code = READY.format(log=str(log), noise=0)
    ours = (
        "import anyio\n"
        "from capswriter.client.local import Local, local_server\n"
        "async def main():\n"
        f"    async with local_server(Local(program={stand_in(code)!r})):\n"
        "        print('up', flush=True)\n"
        "        await anyio.sleep(60)\n"
        "anyio.run(main)\n"
    )
    with subprocess.Popen([sys.executable, "-c", ours], stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"up\n"
        process.kill()
    began = time.monotonic()
    while not log.exists():
        assert time.monotonic() - began < 20
        time.sleep(0.02)
