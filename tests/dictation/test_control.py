"""Commands from another process, with real processes and real permissions."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
import time
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING

import pytest

from capswriter.dictation.keys.control import (
    STATUS,
    AlreadyRunning,
    NotPrivate,
    NotRunning,
    control,
    control_folder,
    tell,
)
from capswriter.dictation.keys.listen import Listening
from capswriter.dictation.shortcuts import Command, Shortcuts

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Unix domain sockets and modes")

SOCKETS = pytest.mark.parametrize("sockets", [True, False], ids=["socket", "port"])

INSTANCE = """
import asyncio, sys
from pathlib import Path
from capswriter.dictation.keys.control import control
from capswriter.dictation.keys.listen import Listening
from capswriter.dictation.shortcuts import Shortcuts

async def main():
    async with Listening(Shortcuts([]), None) as listening:
        sockets = sys.argv[2] == "True"
        async with control(
            listening.ask, lambda: listening.running, folder=Path(sys.argv[1]), sockets=sockets
        ):
            print("ready", flush=True)
            await asyncio.Event().wait()

asyncio.run(main())
"""


@contextmanager
def instance(folder: Path, *, sockets: bool = True):
    command = [sys.executable, "-c", INSTANCE, str(folder), str(sockets)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield process
    finally:
        process.kill()
        process.communicate()


@asynccontextmanager
async def controlled(folder: Path, *, sockets: bool = True):
    async with Listening(Shortcuts([]), None) as listening:
        running = lambda: listening.running  # noqa: E731
        async with control(listening.ask, running, folder=folder, sockets=sockets):
            yield listening


@SOCKETS
def test_another_process_is_told_and_answers(tmp_path, sockets):
    folder = tmp_path / "run"
    with instance(folder, sockets=sockets):
        said = [
            tell(each, folder=folder, sockets=sockets)
            for each in (
                STATUS,
                Command.TOGGLE,
                STATUS,
                Command.START,
                Command.TOGGLE,
                Command.STOP,
                Command.START,
                Command.CANCEL,
                "nonsense",
            )
        ]
    assert said == [
        "idle",
        "started",
        "dictating",
        "unchanged",
        "stopped",
        "unchanged",
        "started",
        "cancelled",
        "unknown",
    ]


@SOCKETS
def test_only_the_user_can_reach_it(tmp_path, sockets):
    folder = tmp_path / "run"
    with instance(folder, sockets=sockets):
        assert folder.stat().st_mode & 0o777 == 0o700
        places = [each for each in folder.iterdir() if each.suffix != ".lock"]
        assert len(places) == 1
        assert places[0].stat().st_mode & 0o777 == 0o600


@pytest.mark.skipif(
    sys.platform == "win32" or os.getuid() != 0, reason="only root can become somebody else"
)
def test_another_user_cannot_control_it(tmp_path):
    for folder in (tmp_path, *tmp_path.parents):
        if folder.owner() == "root" and len(folder.parts) > 2:
            folder.chmod(0o755)
    folder = tmp_path / "run"
    place = str(folder / "dictation.socket")
    connect = f"socket.socket(socket.AF_UNIX).connect({place!r})"
    become = "os.setgroups([]); os.setgid(65534); os.setuid(65534)"

    def run(program: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", f"import os, socket; {program}"]
        return subprocess.run(command, check=False, capture_output=True, text=True)

    with instance(folder):
        mine, theirs = run(connect), run(f"{become}; {connect}")
    assert mine.returncode == 0
    assert "PermissionError" in theirs.stderr


@SOCKETS
def test_the_remains_of_a_killed_instance_do_not_matter(tmp_path, sockets):
    folder = tmp_path / "run"
    with instance(folder, sockets=sockets) as process:
        process.kill()
        process.wait()
    with pytest.raises(NotRunning, match="capswriter dictate"):
        tell(Command.TOGGLE, folder=folder, sockets=sockets)
    with instance(folder, sockets=sockets):
        assert tell(STATUS, folder=folder, sockets=sockets) == "idle"


def test_a_second_instance_is_refused_and_the_first_goes_on(tmp_path):
    folder = tmp_path / "run"

    async def second() -> None:
        async with controlled(folder):
            pass

    with instance(folder):
        with pytest.raises(AlreadyRunning, match="--toggle"):
            asyncio.run(second())
        assert tell(STATUS, folder=folder) == "idle"


def test_a_stopped_instance_is_still_the_first(tmp_path):
    import signal

    folder = tmp_path / "run"

    async def second() -> None:
        async with controlled(folder):
            pass

    with instance(folder) as process:
        process.send_signal(signal.SIGSTOP)
        with pytest.raises(AlreadyRunning):
            asyncio.run(second())


def test_nobody_running_is_one_line(tmp_path):
    with pytest.raises(NotRunning, match="start it with 'capswriter dictate'"):
        tell(Command.TOGGLE, folder=tmp_path)


def test_a_folder_open_to_others_is_refused(tmp_path):
    folder = tmp_path / "run"
    folder.mkdir()
    folder.chmod(0o755)

    async def enter() -> None:
        async with controlled(folder):
            pass

    with pytest.raises(NotPrivate, match="chmod 700"):
        asyncio.run(enter())


def test_a_link_in_place_of_the_folder_is_refused(tmp_path):
    (tmp_path / "elsewhere").mkdir(mode=0o700)
    (tmp_path / "run").symlink_to(tmp_path / "elsewhere")

    async def enter() -> None:
        async with controlled(tmp_path / "run"):
            pass

    with pytest.raises(NotPrivate):
        asyncio.run(enter())


def test_a_wrong_secret_changes_nothing(tmp_path):
    with instance(tmp_path / "run", sockets=False):
        port, _ = (tmp_path / "run" / "dictation.port").read_text().split()
        for line in (b"wrong start\n", b"start\n", b"\xff\xfe start\n"):
            with socket.create_connection(("127.0.0.1", int(port))) as connection:
                connection.sendall(line)
                assert connection.makefile().readline() == "refused\n"
        assert tell(STATUS, folder=tmp_path / "run", sockets=False) == "idle"


def test_who_says_nothing_or_too_much_keeps_nobody_waiting(tmp_path):
    folder = tmp_path / "run"
    with instance(folder):
        silent = socket.socket(socket.AF_UNIX)
        silent.connect(str(folder / "dictation.socket"))
        loud = socket.socket(socket.AF_UNIX)
        loud.connect(str(folder / "dictation.socket"))
        loud.sendall(b"x" * 100_000)
        started = time.monotonic()
        assert tell(STATUS, folder=folder) == "idle"
        assert time.monotonic() - started < 4.0
        silent.close()
        loud.close()


async def _close_leaves_nothing(folder: Path) -> None:
    async with controlled(folder):
        silent = socket.socket(socket.AF_UNIX)
        silent.connect(str(folder / "dictation.socket"))
        assert await asyncio.to_thread(tell, STATUS, folder=folder) == "idle"
    silent.close()
    assert not (folder / "dictation.socket").exists()


def test_it_ends_at_once_and_leaves_no_socket(tmp_path):
    asyncio.run(_close_leaves_nothing(tmp_path / "run"))


def test_the_folder_is_in_the_runtime_directory(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    assert control_folder() == tmp_path / "capswriter"
    monkeypatch.delenv("XDG_RUNTIME_DIR")
    assert control_folder().parts[-2:] == ("capswriter", "run")


def test_starting_tells_whoever_listens(tmp_path):
    async def dictate() -> list[str]:
        async with controlled(tmp_path / "run") as listening:
            for command in (Command.START, Command.STOP):
                await asyncio.to_thread(tell, command, folder=tmp_path / "run")
            told = aiter(listening)
            return [type(await anext(told)).__name__ for _ in range(2)]

    assert asyncio.run(dictate()) == ["Start", "Stop"]
