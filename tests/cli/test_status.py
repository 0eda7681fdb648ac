"""``capswriter status`` against a real server, and against none."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest
from servers import serving_fake

COMMAND = (sys.executable, "-m", "capswriter", "status")


def status(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        env=os.environ | {"COLUMNS": "100"} | environment,
        check=False,
    )


def one_line(result: subprocess.CompletedProcess[str]) -> str:
    assert (result.returncode, result.stdout) == (1, "")
    [line] = result.stderr.splitlines()
    return line


@pytest.fixture(scope="module")
def server():
    with serving_fake() as running:
        yield running


def test_the_table_shows_the_server_and_each_worker(server):
    result = status("--server", server.url)
    assert (result.returncode, result.stderr) == (0, "")
    told = json.loads(status("--server", server.url, "--json").stdout)
    lines = result.stdout.splitlines()
    assert lines[0].startswith("healthy  fake, version ")
    assert f"front: pid {server.pid}, " in lines[1]
    assert "0 of 2 at work, 0 wait" in result.stdout
    for row in told["workers"]:
        [line] = [line for line in lines if f" {row['pid']} " in line]
        assert " idle " in line


def test_the_server_s_url_comes_from_the_client_s_settings(server):
    result = status("--json", CAPSWRITER_CLIENT_SERVER=server.url)
    assert json.loads(result.stdout)["front"]["pid"] == server.pid


def test_watching_shows_it_again_and_again_until_ctrl_c(server):
    process = subprocess.Popen(
        [*COMMAND, "--server", server.url, "--watch", "--interval", "0.1", "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        times = [json.loads(process.stdout.readline())["timestamp"] for _ in range(3)]
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == 0
        assert process.stderr.read() == ""
    assert len(set(times)) == 3


@pytest.mark.skipif(sys.platform == "win32", reason="there are no pseudo-terminals")
def test_watching_draws_the_table_in_place(server):
    import pty

    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [*COMMAND, "--server", server.url, "--watch", "--interval", "0.1"],
        stdout=theirs,
        stderr=theirs,
        env=os.environ | {"COLUMNS": "100", "LINES": "40", "TERM": "xterm"},
    )
    with process:
        os.close(theirs)
        drawn = b""
        until = time.monotonic() + 20
        while drawn.count(b"healthy") < 3 and time.monotonic() < until:
            drawn += os.read(ours, 65_536)
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == 0
    os.close(ours)
    assert drawn.count(b"healthy") >= 3
    assert b"\x1b[1A" in drawn  # up a line, to draw over what was there


def test_no_server_is_one_line_and_exit_status_1():
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    line = one_line(status("--server", f"ws://127.0.0.1:{port}"))
    assert f"no server answers at ws://127.0.0.1:{port}" in line
    assert "capswriter serve" in line


class Answers(BaseHTTPRequestHandler):
    code, body = 200, b"hello"

    def do_GET(self):
        self.send_response(self.code)
        self.end_headers()
        self.wfile.write(self.body)

    def log_message(self, *_):
        pass


@pytest.mark.parametrize(
    ("code", "body", "says"),
    [
        (401, b"", "--token"),
        (421, b"x is no name\nof this server", "refuses: x is no name of this server"),
        (200, b"hello", "no CapsWriter Server"),
        (200, b"[]", "no CapsWriter Server"),
        (404, b"", "no CapsWriter Server"),
    ],
)
def test_a_server_that_does_not_tell_is_one_line(code, body, says):
    handler = type("Handler", (Answers,), {"code": code, "body": body})
    with HTTPServer(("127.0.0.1", 0), handler) as other:
        Thread(target=other.handle_request).start()
        assert says in one_line(status("--server", f"ws://127.0.0.1:{other.server_port}"))


def test_the_token_goes_into_the_header_and_never_into_the_url():
    seen = []

    class Handler(Answers):
        code = 401

        def do_GET(self):
            seen.append((self.path, self.headers["Authorization"]))
            super().do_GET()

    with HTTPServer(("127.0.0.1", 0), Handler) as other:
        Thread(target=other.handle_request).start()
        result = status("--server", f"ws://127.0.0.1:{other.server_port}", "--token", "s3cret")
    assert seen == [("/stats", "Bearer s3cret")]
    assert "s3cret" not in result.stderr
