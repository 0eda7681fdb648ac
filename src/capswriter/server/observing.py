"""Seeing the server: ``/health``, ``/stats`` and ``/metrics``, all over the same numbers."""

from __future__ import annotations

import asyncio
import os
import time
from dataclasses import asdict
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, Generic, ParamSpec, TypeVar

from starlette.responses import JSONResponse, Response
from starlette.routing import Route

import capswriter
from capswriter.pool import State
from capswriter.processes import Processes, machine
from capswriter.server.metrics import CONTENT_TYPE, exposition

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from starlette.requests import Request

    from capswriter.pool import Percentiles, Statistics, WorkerStatistics
    from capswriter.processes import ProcessUse
    from capswriter.server.front import Front

Asked = ParamSpec("Asked")
Value = TypeVar("Value")

FRESH = 1.0
"""Seconds for which a reading of the operating system serves everyone who asks."""


def observing_routes(front: Front) -> list[Route]:
    """Make the routes that tell how the server is."""
    observer = Observer(front)

    async def health(_: Request) -> Response:
        return JSONResponse(await observer.health())

    async def stats(_: Request) -> Response:
        return JSONResponse(await observer.stats())

    async def metrics(_: Request) -> Response:
        return Response(exposition(await observer.stats()), media_type=CONTENT_TYPE)

    return [Route("/health", health), Route("/stats", stats), Route("/metrics", metrics)]


class Observer:
    """Gathers what there is to know about a running server.

    Args:
        front: of the server.
    """

    def __init__(self, front: Front) -> None:
        self._front = front
        self._began = time.monotonic()
        self._machine = _Reading(machine)
        self._processes = _Reading(Processes().read)
        machine()  # percentages count from here

    async def health(self) -> dict[str, Any]:
        """Tell how the server is, and nothing that a stranger should not know."""
        now = self._front.recogniser.statistics()
        alive = count_alive(now)
        use = await self._machine.get()
        return {
            "status": status(now, draining=self._front.draining),
            "model_loaded": alive > 0,
            "active_connections": self._front.connections,
            "max_connections": self._front.config.max_connections,
            "cpu_usage_percent": use.cpu_percent,
            "memory_usage_percent": use.memory_percent,
            "workers": {"alive": alive, "wanted": len(now.workers)},
            "timestamp": timestamp(),
        }

    async def stats(self) -> dict[str, Any]:
        """Tell all the numbers there are; ``docs/operations.md`` explains each."""
        front = self._front
        now = front.recogniser.statistics()
        pids = {worker.pid for worker in now.workers if worker.pid is not None}
        uses = await self._processes.get(frozenset({os.getpid(), *pids}))
        own = uses.get(os.getpid())
        return {
            "status": status(now, draining=front.draining),
            "trouble": front.recogniser.trouble,
            "version": capswriter.__version__,
            "model": front.model,
            "timestamp": timestamp(),
            "uptime_seconds": round(time.monotonic() - self._began, 1),
            "active_connections": front.connections,
            "max_connections": front.config.max_connections,
            "active_tasks": now.active,
            "max_concurrent": front.recogniser.max_concurrent,
            "queued_tasks": now.queued,
            "queued_seconds": round(now.queued_seconds, 3),
            "backlog_seconds": round(now.backlog_seconds, 3),
            "completed": now.completed,
            "failed": now.failed,
            "retried": now.retried,
            "rejected": now.rejected,
            "success_rate": round(now.success_rate, 4),
            "oom_errors": now.oom_errors,
            "worker_restarts": now.worker_restarts,
            "deaths": dict(now.deaths),
            "pace": round(now.pace, 2),
            "latency": {
                "wait_seconds": _by_class(now.wait),
                "total_seconds": _by_class(now.latency),
            },
            "event_loop_lag_ms": asdict(front.lag.lateness()),
            "front": {"pid": os.getpid(), **_use(own)}
            | {
                "threads": own.threads if own else None,
                "open_files": own.open_files if own else None,
            },
            "workers": [_row(worker, uses.get(worker.pid or 0)) for worker in now.workers],
        }


def status(now: Statistics, *, draining: bool) -> str:
    """Put it in a word: ``healthy``, ``starting``, ``degraded`` or ``draining``."""
    if draining:
        return "draining"
    missing = [each.state for each in now.workers if each.state not in {State.IDLE, State.BUSY}]
    if not missing:
        return "healthy"
    first_start = not now.deaths and all(state is State.LOADING for state in missing)
    return "starting" if first_start else "degraded"


def count_alive(now: Statistics) -> int:
    """Count the workers that have the model loaded."""
    return sum(worker.state in {State.IDLE, State.BUSY} for worker in now.workers)


def timestamp() -> str:
    """Tell the time as ISO 8601, in UTC."""
    return datetime.now(timezone.utc).isoformat(timespec="milliseconds")


class _Reading(Generic[Asked, Value]):
    """Something slow to read: in a thread, by one at a time, and kept for a second."""

    def __init__(self, read: Callable[Asked, Value]) -> None:
        self._read = read
        self._reading = asyncio.Lock()
        self._kept: tuple[float, Value] | None = None

    async def get(self, *args: Asked.args, **kwargs: Asked.kwargs) -> Value:
        async with self._reading:
            if self._kept is None or time.monotonic() - self._kept[0] > FRESH:
                value = await asyncio.to_thread(self._read, *args, **kwargs)
                self._kept = (time.monotonic(), value)
            return self._kept[1]


def _by_class(classes: Mapping[str, Percentiles]) -> dict[str, Any]:
    return {name: asdict(each) for name, each in classes.items()}


def _use(use: ProcessUse | None) -> dict[str, Any]:
    return {
        "rss_bytes": use.rss if use else None,
        "pss_bytes": use.pss if use else None,
        "cpu_percent": use.cpu_percent if use else None,
    }


def _row(worker: WorkerStatistics, use: ProcessUse | None) -> dict[str, Any]:
    return {
        "number": worker.number,
        "pid": worker.pid,
        "state": worker.state.value,
        **_use(use),
        "tasks": worker.completed,
        "busy_seconds": worker.busy_seconds,
    }
