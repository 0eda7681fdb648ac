"""What ``/proc`` says of a process, read without psutil."""

from __future__ import annotations

import os
import re
from pathlib import Path


def in_proc(pid: int, file: str, field: str) -> int:
    """Read a field of a file in /proc; bytes."""
    text = Path(f"/proc/{pid}/{file}").read_text()
    [size] = re.findall(rf"^{field}:\s+(\d+) kB$", text, re.MULTILINE)
    return int(size) * 1024


def ticks(pid: int) -> float:
    """Processor seconds of a process, user and system."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
