"""How many workers a machine can feed: by its cores, and by its memory."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from capswriter.pool.errors import NoWorkers
from capswriter.pool.memory import free_mb, number_in

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
    if hasattr(os, "sched_getaffinity"):
        cores = len(os.sched_getaffinity(0))
    else:
        cores = os.cpu_count() or 1
    return Capacity(min(cores, _quota(cgroup) or cores), free_mb())


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


def _quota(cgroup: Path) -> int | None:
    """Whole cores by the container's quota, at least one; None without a quota."""
    try:
        quota, period = map(int, (cgroup / "cpu.max").read_text().split())
    except (OSError, ValueError):  # no version 2, or "max": no quota
        quota = number_in(cgroup / "cpu" / "cpu.cfs_quota_us") or 0
        period = number_in(cgroup / "cpu" / "cpu.cfs_period_us") or 1
    return max(1, quota // period) if quota > 0 else None
