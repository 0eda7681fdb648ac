"""A marked engine that fails in every way there is, where ``words.json`` says so.

Its key ``faults`` maps a fault to the seconds [from, to] of the marked whole in which it strikes.
While it works there is a file ``busy-<pid>`` in its directory.
"""

from __future__ import annotations

import json
import os
import resource
import time
from contextlib import contextmanager
from pathlib import Path

import marked_engine

from capswriter.audio import SAMPLE_RATE, Samples
from capswriter.engines import EngineFailed, Options
from capswriter.transcript import Transcript

GROUPS = Path("/sys/fs/cgroup/memory")
"""Control groups of memory (version 1), where root may make them."""

MORE_MB = 200
"""What a worker may have besides what it has when it runs out of memory."""


def abort() -> None:
    os.abort()


def fail() -> None:
    raise RuntimeError("out of luck")


def hang() -> None:
    time.sleep(3600)


def exhaust() -> None:
    """Take memory until there is none, under a limit of this process's own."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + MORE_MB * 2**20
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    taken = []
    while True:
        taken.append(bytearray(2**24))


def overrun() -> None:
    """Take more than a control group allows, until the kernel kills this process."""
    group = GROUPS / f"capswriter-test-{os.getpid()}"
    group.mkdir()
    (group / "memory.limit_in_bytes").write_text(str(MORE_MB * 2**20))
    (group / "cgroup.procs").write_text(str(os.getpid()))
    taken = []
    while True:
        taken.append(b"x" * 2**24)


FAULTS = {"abort": abort, "fail": fail, "hang": hang, "exhaust": exhaust, "overrun": overrun}


class FaultyEngine(marked_engine.MarkedEngine):
    """Strikes where it is told to, and is a marked engine everywhere else."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self._directory = directory
        self._faults = json.loads((directory / "words.json").read_text()).get("faults", {})

    def transcribe(self, samples: Samples, options: Options) -> Transcript:
        with self._busy():
            begin = marked_engine.place(samples) / SAMPLE_RATE
            for fault, (first, last) in self._faults.items():
                if begin < last and begin + len(samples) / SAMPLE_RATE > first:
                    FAULTS[fault]()
            return super().transcribe(samples, options)

    @contextmanager
    def _busy(self):
        flag = self._directory / f"busy-{os.getpid()}"
        flag.touch()
        try:
            yield
        finally:
            flag.unlink()


def load(directory: Path, *, threads: int, device: str) -> FaultyEngine:
    return FaultyEngine(directory)


def load_until_told(directory: Path, *, threads: int, device: str) -> FaultyEngine:
    """Load, hang, die or refuse, as the file ``loading`` says; each attempt is a line in a file."""
    with (directory / "attempts").open("a") as file:
        file.write(f"{time.time()}\n")
    told = directory / "loading"
    match told.read_text().strip() if told.is_file() else "":
        case "hang":
            time.sleep(3600)
        case "die":
            os._exit(9)
        case "refuse":
            raise EngineFailed("the model is made of cheese")
    return FaultyEngine(directory)
