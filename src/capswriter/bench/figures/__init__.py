"""Everything that is worked out from a result: pure functions of what the file holds.

What cannot be worked out is None, never zero. Runs that ended early count where single tasks are
counted, not where whole runs are compared.
"""

from __future__ import annotations

from capswriter.bench.figures.groups import Group, Ratio, common, group, groups, plural
from capswriter.bench.figures.memory import (
    Cost,
    Moment,
    cost,
    drift,
    has_pss,
    memory_growth,
    moments,
    peak,
    replaced,
    steady,
)
from capswriter.bench.figures.processor import (
    BusyTime,
    busy_times,
    cores_used,
    idle_share,
    load_over_time,
    under_way,
)
from capswriter.bench.figures.speed import (
    Waits,
    efficiency,
    error_counts,
    ratio,
    real_time_factors,
    share_of_bare_speed_up,
    speed_up,
    throughput,
    waits,
)
from capswriter.bench.figures.stages import STAGES, beyond_engine, stage_times
from capswriter.bench.figures.texts import Correctness, correctness, error_rates

__all__ = [
    "STAGES",
    "BusyTime",
    "Correctness",
    "Cost",
    "Group",
    "Moment",
    "Ratio",
    "Waits",
    "beyond_engine",
    "busy_times",
    "common",
    "cores_used",
    "correctness",
    "cost",
    "drift",
    "efficiency",
    "error_counts",
    "error_rates",
    "group",
    "groups",
    "has_pss",
    "idle_share",
    "load_over_time",
    "memory_growth",
    "moments",
    "peak",
    "plural",
    "ratio",
    "real_time_factors",
    "replaced",
    "share_of_bare_speed_up",
    "speed_up",
    "stage_times",
    "steady",
    "throughput",
    "under_way",
    "waits",
]
