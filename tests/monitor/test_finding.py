"""Which server is watched, and what is said when there is none, several, or another program."""

from __future__ import annotations

import os
import socket
import subprocess
import sys

import psutil
import pytest
from servers import serving_fake

from capswriter.monitor.finding import NoFront, find_front


def port_of(server) -> int:
    return int(server.url.rstrip("/").rpartition(":")[2])


@pytest.fixture
def alone(monkeypatch, server):
    """Let nothing be on this machine but ``server`` and what this test starts."""
    whole = psutil.process_iter
    others = [each for each in psutil.Process().children() if each.pid != server.pid]

    def ours(attributes):
        children = [each for each in psutil.Process().children() if each not in others]
        families = ((child, *child.children(recursive=True)) for child in children)
        below = {each.pid for family in families for each in family}
        return (each for each in whole(attributes) if each.pid in below)

    monkeypatch.setattr(psutil, "process_iter", ours)


def refusal(**wanted) -> str:
    with pytest.raises(NoFront) as refused:
        find_front(**wanted)
    assert "\n" not in str(refused.value)
    return str(refused.value)


def test_a_server_is_found_by_port_and_by_process(server):
    assert find_front(port=port_of(server)).process.pid == server.pid
    assert find_front(pid=server.pid).process.pid == server.pid
    assert find_front(pid=server.pid, port=port_of(server)).ports == (port_of(server),)


def test_one_that_is_alone_is_found_without_help_and_several_are_named(server, alone):
    with serving_fake() as other:
        told = refusal()
        assert told.startswith("2 servers run here: ")
        assert told.endswith("; choose one with --pid or --port")
        for each in (server, other):
            assert f"process {each.pid} on port {port_of(each)}" in told
    assert find_front().process.pid == server.pid


def test_there_is_none(monkeypatch):
    monkeypatch.setattr(psutil, "process_iter", lambda attributes: iter(()))
    assert refusal() == "no server runs on this machine; start one with 'capswriter serve'"


def test_nothing_listens_there():
    with socket.socket() as bound:  # it does not listen
        bound.bind(("127.0.0.1", 0))
        port = bound.getsockname()[1]
        assert refusal(port=port).startswith(f"no server of yours listens on port {port}; ")


def test_another_program_is_no_server(server):
    name = psutil.Process().name()
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        told = refusal(port=port)
    assert told == f"port {port}: process {os.getpid()} ({name}) is no CapsWriter Server"
    own = f"process {os.getpid()}"
    assert refusal(pid=os.getpid()) == f"{own} ({name}) is no CapsWriter Server"
    assert refusal(pid=2**22 + 1) == f"there is no process {2**22 + 1}"
    told = refusal(pid=server.pid, port=1)
    assert told.startswith(f"process {server.pid} on port 1 (")


@pytest.mark.skipif(sys.platform == "win32", reason="there is no fork")
def test_a_worker_is_no_front(server):
    worker = psutil.Process(server.pid).children(recursive=True)[-1]
    assert "is no CapsWriter Server" in refusal(pid=worker.pid)


STRANGER = """
import os, sys
import capswriter.cli.monitor, capswriter.monitor.finding
from capswriter.cli import main
os.setgroups([])
os.setuid(65534)
main(["monitor", *sys.argv[1:]])
"""


@pytest.mark.skipif(
    sys.platform != "linux" or os.geteuid() != 0, reason="only root can run this as somebody else"
)
def test_what_a_stranger_may_not_know_of_a_server_is_said_or_left_out(server):
    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", STRANGER, *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    told = run("--port", str(port_of(server)))
    assert (told.returncode, told.stdout) == (1, "")
    assert told.stderr == (
        f"capswriter: what listens on port {port_of(server)} belongs to another user; "
        "run this as that user\n"
    )
    told = run("--pid", str(server.pid), "--duration", "0.2")
    assert (told.returncode, told.stderr) == (0, "")
    assert "PSS - MiB: front " in told.stdout
