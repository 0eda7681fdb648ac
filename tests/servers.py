"""Real server processes for tests."""

from __future__ import annotations

import asyncio
import os
import queue
import signal
import subprocess
import sys
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

TESTS = Path(__file__).parent


@dataclass
class Server:
    """A server process that has said that it is ready."""

    process: subprocess.Popen[str]
    url: str
    log: list[str]

    @property
    def http(self) -> str:
        return self.url.replace("ws://", "http://")

    @property
    def pid(self) -> int:
        return self.process.pid

    def stop(self, kind: signal.Signals = signal.SIGTERM, timeout: float = 40) -> int:
        self.process.send_signal(kind)
        return self.process.wait(timeout)


@contextmanager
def serving(*arguments: str, program: tuple[str, ...] = ("-m", "capswriter", "serve")):
    """Start a server on a free port; end it, and fail if it did not end well."""
    environment = {name: os.environ[name] for name in os.environ if name != "CAPSWRITER_PORT"}
    process = subprocess.Popen(
        [sys.executable, *program, "--port", "0", *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment | {"PYTHONPATH": str(TESTS), "PYTHONUNBUFFERED": "1"},
    )
    log: list[str] = []
    said: queue.Queue[str] = queue.Queue()
    readers = [
        threading.Thread(target=lambda: [log.append(line) for line in process.stderr]),
        threading.Thread(target=lambda: [said.put(line) for line in process.stdout]),
    ]
    for reader in readers:
        reader.start()
    try:
        line = said.get(timeout=60)
        assert line.startswith("ready: "), line
        yield Server(process, line.split()[1], log)
    except queue.Empty:
        raise AssertionError("the server did not get ready: " + "".join(log)) from None
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        try:
            code = process.wait(40)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
        finally:
            for reader in readers:
                reader.join()
            process.stdout.close()
            process.stderr.close()
    assert code == 0, f"the server ended with {code}: " + "".join(log[-20:])


@contextmanager
def serving_fake(loader: str = "fake_engine:load", directory: Path = Path("/nowhere"), **config):
    """Start a server whose workers run an engine of the tests."""
    keys = [f"{key}={value}" for key, value in config.items()]
    program = (str(TESTS / "serve_fake.py"), loader, str(directory), *keys)
    with serving(program=program) as server:
        yield server


@contextmanager
def serving_at(port: int, directory: Path = Path("/nowhere"), loader: str = "fake_engine:load"):
    """Start a server with an engine of the tests at a port; it may be killed."""
    engine = (loader, str(directory))
    program = (str(TESTS / "serve_fake.py"), *engine, "--port", str(port))  # the first one counts
    try:
        with serving(program=program) as server:
            yield server
    except AssertionError as error:
        if "ended with -9" not in str(error):
            raise


async def kill(server: Server) -> None:
    """Kill a server, and wait until it is gone."""
    server.process.kill()
    await asyncio.to_thread(server.process.wait, 10)


def lives(process: psutil.Process) -> bool:
    """Tell whether a process runs; one that has ended and waits to be asked how does not."""
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def tree(pid: int) -> list[psutil.Process]:
    """All processes below one."""
    return psutil.Process(pid).children(recursive=True)


def workers(pid: int) -> list[psutil.Process]:
    """The worker processes of a front: the forkserver's children."""
    of_its_own = psutil.Process(pid).children()
    return [process for process in tree(pid) if process not in of_its_own]
