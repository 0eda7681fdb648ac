"""Which process is the front of a server: from a port, a process id, or by looking around."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from capswriter.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

PRELOADED = "capswriter.pool.worker"
"""What our forkserver has imported; its command line says so."""

_INTERPRETERS = ("python", "pypy", "capswriter")


class NoFront(UserError):
    """There is no server to be watched, or too many, or it is not to be watched by us."""


@dataclass(frozen=True, slots=True)
class Front:
    """A server of ours that runs on this machine.

    Args:
        process: its front.
        ports: on which it listens; none where the system does not tell.
    """

    process: psutil.Process
    ports: tuple[int, ...]

    def __str__(self) -> str:
        ports = " and ".join(map(str, self.ports))
        return f"process {self.process.pid}" + (f" on port {ports}" if ports else "")


def find_front(*, port: int | None = None, pid: int | None = None) -> Front:
    """Find the one server that is meant.

    Args:
        port: on which it listens.
        pid: its front, or what started its front.

    Raises:
        NoFront: and the message says what to do.
    """
    fronts = [Front(process, _ports(process)) for process in _fronts()]
    if pid is not None:
        fronts = [each for each in fronts if each.process.pid in _at_or_below(pid)]
    if port is not None:
        fronts = [each for each in fronts if port in each.ports]
    if not fronts:
        raise NoFront(_why_none(port, pid))
    if len(fronts) > 1:
        found = ", ".join(map(str, fronts))
        raise NoFront(f"{len(fronts)} servers run here: {found}; choose one with --pid or --port")
    _check_permitted(fronts[0].process)
    return fronts[0]


def _fronts() -> list[psutil.Process]:
    """Find all servers: by their forkserver, and by their command line where there is none."""
    processes = list(psutil.process_iter(["ppid", "cmdline"]))
    marked = {p.pid for p in processes if _is_forkserver(p.info["cmdline"] or ())}
    found = {p.info["ppid"] for p in processes if p.pid in marked} - marked
    found |= {p.pid for p in processes if _serves(p.info["cmdline"] or (), p)}
    # What starts a server, such as a launcher on Windows, has the same words in its command line.
    starters = {p.info["ppid"] for p in processes if p.pid in found}
    return [p for p in processes if p.pid in found - starters]


def _is_forkserver(command: Iterable[str]) -> bool:
    words = " ".join(command)
    return "multiprocessing.forkserver" in words and PRELOADED in words


def _serves(command: Sequence[str], process: psutil.Process) -> bool:
    if not command or not Path(command[0]).stem.lower().startswith(_INTERPRETERS):
        return False
    for word, following in zip(command, (*command[1:], ""), strict=True):
        if following == "serve" and (
            Path(word).stem == "capswriter" or word.startswith("capswriter.")
        ):
            return True
        if Path(word).name == "start_server.py":
            return _is_our_script(Path(word), process)
    return False


def _is_our_script(script: Path, process: psutil.Process) -> bool:
    """Tell our ``start_server.py`` from that of others: theirs is called the same."""
    try:
        return b"capswriter.cli" in Path(process.cwd(), script).read_bytes()
    except (OSError, psutil.Error):
        return False


def _ports(process: psutil.Process) -> tuple[int, ...]:
    try:
        connections = process.net_connections("tcp")
    except psutil.Error:
        return ()
    listening = [each for each in connections if each.status == psutil.CONN_LISTEN]
    return tuple(sorted({each.laddr.port for each in listening if each.laddr}))


def _at_or_below(pid: int) -> set[int]:
    """Tell which processes are meant by one: what it has started, too, where it is a launcher."""
    try:
        process = psutil.Process(pid)
        if any(word == "serve" or word.endswith("start_server.py") for word in process.cmdline()):
            return {pid, *(each.pid for each in process.children(recursive=True))}
    except psutil.Error:
        pass
    return {pid}


def _why_none(port: int | None, pid: int | None) -> str:
    if pid is not None:
        return _why_not(pid, f"process {pid}" if port is None else f"process {pid} on port {port}")
    if port is None:
        return "no server runs on this machine; start one with 'capswriter serve'"
    try:
        connections = psutil.net_connections("tcp")
    except psutil.Error:
        connections = []  # not everyone may ask
    listening = [
        each
        for each in connections
        if each.status == psutil.CONN_LISTEN and each.laddr and each.laddr.port == port
    ]
    if not listening:
        return (
            f"no server of yours listens on port {port}; 'capswriter monitor' without --port "
            "finds one by itself"
        )
    if listening[0].pid is None:
        return f"what listens on port {port} belongs to another user; run this as that user"
    return _why_not(listening[0].pid, f"port {port}: process {listening[0].pid}")


def _why_not(pid: int, name: str) -> str:
    try:
        return f"{name} ({psutil.Process(pid).name()}) is no CapsWriter Server"
    except psutil.AccessDenied:
        return f"{name} belongs to another user; run this as that user"
    except psutil.Error:
        return f"there is no process {pid}"


def _check_permitted(process: psutil.Process) -> None:
    try:
        process.cpu_times()
        process.memory_info()
    except psutil.AccessDenied as error:
        raise NoFront(
            f"process {process.pid} belongs to another user; run this as that user"
        ) from error
    except psutil.Error as error:
        raise NoFront(f"process {process.pid} has just ended") from error
