"""Capswriter with its arguments after FILE, which tells on SIGUSR1 what it holds: FILE ARGUMENTS.

FILE gets a JSON object: how many tasks of each coroutine, threads by their names, open files by
their kinds, and child processes there are.
"""

from __future__ import annotations

import asyncio
import json
import re
import signal
import sys
import threading
from collections import Counter
from pathlib import Path

import psutil

from capswriter.cli import main


def kind(file: Path) -> str:
    """What a descriptor is, without numbers that differ from one to the next."""
    try:
        return re.sub(r"\[\d+\]|/\d[^/]*", "", str(file.readlink()))
    except OSError:  # the one that reads the folder
        return ""


def name(coroutine: object) -> str:
    """What is awaited: not all that can be has a name of its own."""
    return getattr(coroutine, "__qualname__", type(coroutine).__name__)


def tell(path: Path) -> None:
    # Threads of the loop's pool come as they are needed, up to its size.
    threads = [known for each in threading.enumerate() if "asyncio_" not in (known := each.name)]
    files = filter(None, map(kind, Path("/proc/self/fd").iterdir()))
    held = {
        "tasks": Counter(name(task.get_coro()) for task in asyncio.all_tasks()),
        "threads": Counter(threads),
        "files": Counter(files),
        "children": len(psutil.Process().children()),
    }
    fresh = path.with_suffix(".new")
    fresh.write_text(json.dumps(held, sort_keys=True))
    fresh.replace(path)


if __name__ == "__main__":
    place = Path(sys.argv.pop(1))
    signal.signal(signal.SIGUSR1, lambda *_: tell(place))
    main(sys.argv[1:])
