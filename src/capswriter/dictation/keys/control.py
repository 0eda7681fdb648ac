"""Commands from another process: ``capswriter dictate --toggle`` and its like.

A desktop that lets nobody listen to keys (Wayland) has shortcuts of its own, which run a program.
That program tells the running instance through a socket that only the same user can reach:

- elsewhere than on Windows a Unix domain socket, mode 0600, in a folder of mode 0700;
- on Windows a port of the loopback address, whose number and secret are in a file in the user's own
  application data.

One line goes there, ``toggle``, ``start``, ``stop``, ``cancel`` or ``status``, behind the secret
where there is one, and one line comes back: ``started``, ``stopped``, ``unchanged`` and so on.

A lock that the system lifts when its process ends tells a running instance from the socket of one
that was killed.
"""

from __future__ import annotations

import asyncio
import hmac
import os
import secrets
import socket
import stat
import sys
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
import platformdirs
from filelock import FileLock, Timeout

from capswriter.dictation.shortcuts import Command
from capswriter.errors import UserError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

NAME = "dictation"
STATUS = "status"
PATIENCE_S = 5.0
LONGEST_LINE = 256


class NotRunning(UserError):
    """No dictation client runs that could be told."""


class AlreadyRunning(UserError):
    """Another dictation client of this user runs."""


class NotPrivate(UserError):
    """The folder of the socket is open to others."""


def control_folder() -> Path:
    """The folder of the socket: in ``$XDG_RUNTIME_DIR`` where the system has one."""
    if sys.platform == "win32":
        return Path(platformdirs.user_data_dir("capswriter", appauthor=False))
    if runtime := os.environ.get("XDG_RUNTIME_DIR"):
        return Path(runtime) / "capswriter"
    # Not below /tmp: whoever is first there could keep us from it.
    return Path(platformdirs.user_cache_dir("capswriter")) / "run"


@asynccontextmanager
async def control(
    ask: Callable[[Command], bool],
    running: Callable[[], bool],
    *,
    folder: Path | None = None,
    sockets: bool = sys.platform != "win32",
) -> AsyncIterator[None]:
    """Take commands as long as it is entered.

    Args:
        ask: does what a command wants, and gives whether that changed anything.
        running: whether a dictation runs.
        folder: of the socket; None for ``control_folder()``.
        sockets: whether the system has Unix domain sockets.

    Raises:
        AlreadyRunning: another instance takes commands.
        NotPrivate: others may reach the folder.
    """
    folder = control_folder() if folder is None else folder
    _make_private(folder)
    with _only_one(folder):
        async with _listening(ask, running, folder, sockets=sockets):
            yield


@contextmanager
def _only_one(folder: Path) -> Iterator[None]:
    lock = FileLock(folder / f"{NAME}.lock", timeout=0, thread_local=False)
    try:
        lock.acquire()
    except Timeout:
        raise AlreadyRunning(
            "dictation is running already: 'capswriter dictate --toggle' controls it; "
            "end it before another is started"
        ) from None
    try:
        yield
    finally:
        lock.release()


@asynccontextmanager
async def _listening(
    ask: Callable[[Command], bool], running: Callable[[], bool], folder: Path, *, sockets: bool
) -> AsyncIterator[None]:
    secret = "" if sockets else secrets.token_urlsafe()
    tasks: set[asyncio.Task[None]] = set()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101
        tasks.add(task)
        try:
            with anyio.fail_after(PATIENCE_S):
                line = await reader.readline()
            writer.write(_answer(line, secret, ask, running).encode() + b"\n")
            with anyio.fail_after(PATIENCE_S):
                await writer.drain()
        except (OSError, ValueError):  # TimeoutError is one
            pass  # whoever it was does not keep to the rules, or is gone
        finally:
            tasks.discard(task)
            writer.close()

    place = _place(folder, sockets=sockets)
    with suppress(FileNotFoundError):
        place.unlink()
    if sockets:
        listener = _bound(place)
        server = await asyncio.start_unix_server(talk, sock=listener, limit=LONGEST_LINE)
    else:
        server = await asyncio.start_server(talk, "127.0.0.1", 0, limit=LONGEST_LINE)
        port = server.sockets[0].getsockname()[1]
        _write_private(place, f"{port} {secret}\n")
    try:
        yield
    finally:
        server.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        with suppress(FileNotFoundError):
            place.unlink()


def tell(
    command: Command | str,
    *,
    folder: Path | None = None,
    sockets: bool = sys.platform != "win32",
) -> str:
    """Tell the running instance what to do, and give its answer.

    Args:
        command: one of ``Command``, or ``STATUS``, which is answered ``dictating`` or ``idle``.
        folder: of the socket; None for ``control_folder()``.
        sockets: whether the system has Unix domain sockets.

    Raises:
        NotRunning: nobody answers.
    """
    folder = control_folder() if folder is None else folder
    word = command.value if isinstance(command, Command) else command
    try:
        return _exchange(folder, word, sockets=sockets)
    except (OSError, ValueError) as error:
        raise NotRunning(
            "no dictation is running that could be told: start it with 'capswriter dictate'"
        ) from error


def _answer(
    line: bytes, secret: str, ask: Callable[[Command], bool], running: Callable[[], bool]
) -> str:
    *given, word = line.decode("utf-8", "replace").split() or [""]
    if not hmac.compare_digest(" ".join(given).encode(), secret.encode()):
        return "refused"
    if word == STATUS:
        return "dictating" if running() else "idle"
    try:
        command = Command(word)
    except ValueError:
        return "unknown"
    if not ask(command):
        return "unchanged"
    if running():
        return "started"
    return "cancelled" if command is Command.CANCEL else "stopped"


def _exchange(folder: Path, word: str, *, sockets: bool) -> str:
    place = _place(folder, sockets=sockets)
    if sockets:
        connection = socket.socket(socket.AF_UNIX)
        address: str | tuple[str, int] = str(place)
        line = word
    else:
        port, secret = place.read_text(encoding="ascii").split()
        connection = socket.socket(socket.AF_INET)
        address = ("127.0.0.1", int(port))
        line = f"{secret} {word}"
    with connection:
        connection.settimeout(PATIENCE_S)
        connection.connect(address)
        connection.sendall(line.encode() + b"\n")
        with connection.makefile("rb") as replies:
            reply = replies.readline(LONGEST_LINE).decode().strip()
    if not reply or reply == "refused":
        raise ValueError("no answer")  # for instance, another program has the port now
    return reply


def _place(folder: Path, *, sockets: bool) -> Path:
    return folder / (f"{NAME}.socket" if sockets else f"{NAME}.port")


def _make_private(folder: Path) -> None:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if sys.platform == "win32":
        return  # a user's application data is the user's own there
    status = folder.lstat()
    ours = stat.S_ISDIR(status.st_mode) and status.st_uid == os.getuid()
    if not ours or status.st_mode & 0o077:
        raise NotPrivate(
            f"others may reach {folder}, and could dictate: make it yours alone "
            f"('chmod 700 {folder}'), or remove it"
        )


def _bound(place: Path) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX)
    try:
        listener.bind(str(place))
        place.chmod(0o600)
    except OSError as error:
        listener.close()
        raise NotPrivate(f"no socket can be made at {place}: {error}") from error
    return listener


def _write_private(place: Path, text: str) -> None:
    fresh = place.with_suffix(".new")
    with suppress(FileNotFoundError):
        fresh.unlink()
    handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="ascii") as file:
        file.write(text)
    fresh.replace(place)
