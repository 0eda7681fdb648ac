"""The monitor as a program."""

from __future__ import annotations

import subprocess
import sys
from contextlib import contextmanager

COMMAND = (sys.executable, "-m", "capswriter", "monitor")


def monitor(*arguments: str, **options) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *arguments], capture_output=True, text=True, timeout=60, check=False, **options
    )


@contextmanager
def monitoring(*arguments: str, **options):
    """Start it, and end it if the block does not."""
    command = [*COMMAND, *arguments]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, **options)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()
