"""The numbers of ``/stats`` in the words of Prometheus."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from prometheus_client import Metric

CONTENT_TYPE = CONTENT_TYPE_LATEST

GAUGES = {
    "uptime_seconds": ("uptime_seconds", "Since the server started."),
    "active_connections": ("connections", "Open WebSocket connections."),
    "max_connections": ("connections_limit", "Connections at once that are accepted."),
    "active_tasks": ("active_tasks", "Segments that workers have."),
    "max_concurrent": ("active_tasks_limit", "Segments that workers may have at once."),
    "queued_tasks": ("queued_tasks", "Segments that wait for a worker."),
    "queued_seconds": ("queued_audio_seconds", "Audio in the segments that wait."),
    "backlog_seconds": ("backlog_audio_seconds", "Audio of files that is not recognised yet."),
    "pace": ("pace", "Seconds of audio that a worker does in a second."),
}
COUNTERS = {
    "completed": ("tasks_completed", "Segments that were recognised."),
    "failed": ("tasks_failed", "Segments that ended with an error."),
    "retried": ("tasks_retried", "Segments that a second worker had to do."),
    "rejected": ("utterances_rejected", "Utterances that were refused because too much waited."),
    "worker_restarts": ("worker_restarts", "Workers that were replaced."),
    "oom_errors": ("oom_errors", "Workers that went for want of memory."),
}
PROCESS = {
    "rss_bytes": ("resident_memory_bytes", "Memory, shared pages in full."),
    "pss_bytes": ("proportional_memory_bytes", "Memory, with a fair share of shared pages."),
    "cpu_percent": ("cpu_percent", "Of one core, since the reading before."),
}
FRONT = PROCESS | {
    "threads": ("threads", "Of the front."),
    "open_files": ("open_files", "File descriptors, sockets and pipes among them."),
}
WORKER_COUNTERS = {
    "tasks": ("tasks", "Segments that the worker has recognised."),
    "busy_seconds": ("busy_seconds", "That the engine has worked."),
}
STATUSES = ("healthy", "starting", "degraded", "draining")
STATES = ("loading", "idle", "busy", "down", "parked")
QUANTILES = {"0.5": "p50", "0.95": "p95", "0.99": "p99"}


def exposition(stats: Mapping[str, Any]) -> bytes:
    """Write what ``/stats`` tells as Prometheus reads it."""
    registry = CollectorRegistry()
    registry.register(_Stats(stats))
    return generate_latest(registry)


class _Stats(Collector):
    """Collects from one document of ``/stats``."""

    def __init__(self, stats: Mapping[str, Any]) -> None:
        self._stats = stats

    def collect(self) -> Iterator[Metric]:
        stats = self._stats
        built = {"version": stats["version"], "model": stats["model"]}
        yield _gauge("info", "Which server this is.", [(built, 1)])
        yield _gauge("status", "1 for how the server is.", _one_of(STATUSES, stats["status"], {}))
        for key, (name, meaning) in GAUGES.items():
            yield _gauge(name, meaning, [({}, stats[key])])
        for key, (name, meaning) in COUNTERS.items():
            yield _counter(name, meaning, [({}, stats[key])])
        deaths = [({"cause": cause}, count) for cause, count in stats["deaths"].items()]
        yield _counter("worker_deaths", "Workers that went, by cause.", deaths, label="cause")
        yield from self._latencies()
        lag = stats["event_loop_lag_ms"]
        late = [({"quantile": q}, lag[p] / 1000) for q, p in [*QUANTILES.items(), ("1", "max")]]
        yield _gauge("event_loop_lag_seconds", "Lateness of the newest 1,200 sleeps.", late)
        for key, (name, meaning) in FRONT.items():
            if (value := stats["front"][key]) is not None:
                yield _gauge(f"front_{name}", meaning, [({}, value)])
        yield from self._workers()

    def _latencies(self) -> Iterator[Metric]:
        for kind, meaning in (
            ("wait_seconds", "That the newest 1,000 segments of a class waited for a worker."),
            ("total_seconds", "From the queue to the result, of the newest 1,000 of a class."),
        ):
            samples = [
                ({"class": name, "quantile": quantile}, values[percentile])
                for name, values in self._stats["latency"][kind].items()
                for quantile, percentile in QUANTILES.items()
            ]
            yield _gauge(f"task_{kind}", meaning, samples)

    def _workers(self) -> Iterator[Metric]:
        workers = [({"worker": str(row["number"])}, row) for row in self._stats["workers"]]
        states = [one for label, row in workers for one in _one_of(STATES, row["state"], label)]
        yield _gauge("worker_state", "1 for what the worker is doing.", states)
        for key, (name, meaning) in PROCESS.items():
            known = [(label, row[key]) for label, row in workers if row[key] is not None]
            if known:
                yield _gauge(f"worker_{name}", meaning, known)
        for key, (name, meaning) in WORKER_COUNTERS.items():
            yield _counter(f"worker_{name}", meaning, [(label, row[key]) for label, row in workers])


def _one_of(
    words: tuple[str, ...], now: str, labels: dict[str, str]
) -> list[tuple[dict[str, str], int]]:
    name = "state" if words is STATES else "status"
    return [({**labels, name: word}, int(word == now)) for word in words]


def _gauge(name: str, meaning: str, samples: list[tuple[dict[str, str], Any]]) -> Metric:
    metric = GaugeMetricFamily(f"capswriter_{name}", meaning, labels=_labels(samples))
    for labels, value in samples:
        metric.add_metric(list(labels.values()), value)
    return metric


def _counter(
    name: str, meaning: str, samples: list[tuple[dict[str, str], Any]], *, label: str = ""
) -> Metric:
    labels = [label] if label else _labels(samples)
    metric = CounterMetricFamily(f"capswriter_{name}", meaning, labels=labels)
    for each, value in samples:
        metric.add_metric(list(each.values()), value)
    return metric


def _labels(samples: list[tuple[dict[str, str], Any]]) -> list[str]:
    return list(samples[0][0]) if samples else []
