"""How many workers a machine can feed: by its cores, and by its memory."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import psutil

from capswriter.pool.errors import NoWorkers

RESERVE_MB = 500
"""Megabytes left to the front and to everything else."""

CGROUP = Path("/sys/fs/cgroup")


@dataclass(frozen=True, slots=True)
class Capacity:
    """What this process may use.

    Args:
        cores: by affinity and by the container's quota.
        free_mb: megabytes of memory, by the machine and by the container's limit.
    """

    cores: int
    free_mb: int


def measure(cgroup: Path = CGROUP) -> Capacity:
    """Look at the machine, and at the container if there is one."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    free = psutil.virtual_memory().available
    quota, _, period = _read(cgroup / "cpu.max").partition(" ")
    if quota.isdigit() and period.strip().isdigit():
        cores = min(cores or 1, max(1, int(quota) // int(period)))
    limit, used = _read(cgroup / "memory.max"), _read(cgroup / "memory.current")
    if limit.isdigit() and used.isdigit():
        free = min(free, int(limit) - int(used))
    return Capacity(cores or 1, max(0, free) // 1_000_000)


def choose_workers(capacity: Capacity, *, memory_mb: int) -> tuple[int, str]:
    """Choose how many workers to start, and say why in one line.

    Args:
        capacity: of the machine.
        memory_mb: what one worker takes.

    Raises:
        NoWorkers: there is not memory enough for one.
    """
    need, free = f"{memory_mb / 1000:.1f} GB", f"{capacity.free_mb / 1000:.1f} GB"
    if capacity.free_mb < memory_mb:
        raise NoWorkers(f"there is not enough memory: a worker takes {need}, {free} are free")
    by_memory = max(1, (capacity.free_mb - RESERVE_MB) // memory_mb)
    workers = max(1, min(capacity.cores, by_memory))
    plural = "s" if workers > 1 else ""
    cores = f"{capacity.cores} core{'s' if capacity.cores > 1 else ''}"
    return workers, f"{cores}, {free} free, {need} a worker: {workers} worker{plural}"


def _read(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""
