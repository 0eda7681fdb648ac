"""What the system says about memory: how much may be used, and whether it killed for want of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import psutil

MEGABYTE = 1_000_000

V2, V1 = Path("/sys/fs/cgroup"), Path("/sys/fs/cgroup/memory")
"""Where a container's limits are, by the version of Linux's control groups."""

_LIMITS = (
    (V2 / "memory.max", V2 / "memory.current"),
    (V1 / "memory.limit_in_bytes", V1 / "memory.usage_in_bytes"),
)
_OOM_COUNTERS = (
    Path("/proc/vmstat"),
    V2 / "memory.events",
    V1 / "memory.oom_control",
)


def free_mb() -> int:
    """Megabytes that this process may still use, by the machine and by the container's limit."""
    free = psutil.virtual_memory().available
    for limit, used in _LIMITS:
        most, now = number_in(limit), number_in(used)
        if most is not None and now is not None:
            free = min(free, most - now)
    return max(0, free) // MEGABYTE


@dataclass(slots=True)
class OomKills:
    """Notices whether the system has killed a process for want of memory since this was made."""

    _before: int = -1

    def __post_init__(self) -> None:
        self._before = _count()

    def happened(self) -> bool:
        """Tell whether there was such a kill."""
        return _count() > self._before


def number_in(path: Path) -> int | None:
    """Read a file that holds one number; None where it does not, or is not there."""
    try:
        text = path.read_text().strip()
    except OSError:
        return None
    return int(text) if text.isdigit() else None


def _count() -> int:
    total = 0
    for path in _OOM_COUNTERS:
        try:
            lines = path.read_text().splitlines()
        except OSError:
            continue
        total += sum(int(line.split()[1]) for line in lines if line.startswith("oom_kill "))
    return total
