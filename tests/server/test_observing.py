"""What a server tells about itself is true: after known work, deaths, refusals, and at its ends."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import anyio
import capswriter_clients as clients
import httpx
import psutil
import pytest
from capswriter_clients import frame, read_to_final
from prometheus_client.parser import text_string_to_metric_families
from servers import TESTS, serving_fake
from websockets.asyncio.client import connect

from capswriter.audio import SAMPLE_RATE
from capswriter.pool import Percentiles, State, Statistics, WorkerStatistics
from capswriter.processes import Processes
from capswriter.server.lag import LoopLag
from capswriter.server.observing import status

pytestmark = pytest.mark.anyio

HEALTH = {
    "status",
    "model_loaded",
    "active_connections",
    "max_connections",
    "cpu_usage_percent",
    "memory_usage_percent",
    "workers",
    "timestamp",
}


async def stats(server):
    async with httpx.AsyncClient() as http:
        return (await http.get(server.http + "/stats")).raise_for_status().json()


async def stats_when(server, condition):
    with anyio.fail_after(20):
        while not condition(told := await stats(server)):
            await asyncio.sleep(0.05)
    return told


def slow(directory: Path, speed: float) -> Path:
    """Make the fake engine take its time: seconds of audio in a second."""
    (directory / "speed").write_text(str(speed))
    return directory


async def test_stats_count_the_work_that_was_done(second):
    spoken = second[: 40 * SAMPLE_RATE]
    with serving_fake() as server:
        await clients.v2_6_file(server.url, spoken)
        await clients.v2_6_mic(server.url, spoken[: 8 * SAMPLE_RATE])
        told = await stats(server)
        pids = {process.pid for process in psutil.Process(server.pid).children(recursive=True)}
    latency = told["latency"]
    files, dictations = (
        latency["total_seconds"][name]["count"] for name in ("file", "interactive")
    )
    assert files >= 2
    assert dictations >= 1
    assert told["completed"] == files + dictations
    # Nobody waits any more for a guess that a worker had when the last word was said.
    assert sum(row["tasks"] for row in told["workers"]) >= told["completed"]
    for name in ("file", "interactive"):
        wait, total = latency["wait_seconds"][name], latency["total_seconds"][name]
        assert 0 <= wait["p50"] <= total["p50"] <= total["p95"] <= total["p99"] < 5
    assert (told["failed"], told["retried"], told["rejected"]) == (0, 0, 0)
    assert (told["success_rate"], told["oom_errors"], told["deaths"]) == (1.0, 0, {})
    assert (told["active_tasks"], told["queued_tasks"], told["backlog_seconds"]) == (0, 0, 0)
    assert told["pace"] > 1
    assert told["front"]["pid"] == server.pid
    assert {row["pid"] for row in told["workers"]} <= pids
    for row in (told["front"], *told["workers"]):
        assert row["rss_bytes"] > 10_000_000
        assert row["cpu_percent"] >= 0
        if psutil.LINUX:
            assert 0 < row["pss_bytes"] <= row["rss_bytes"]
    assert told["front"]["threads"] > 1
    assert told["front"]["open_files"] > 5
    assert told["event_loop_lag_ms"]["count"] > 0


async def test_stats_show_work_while_it_is_done(tmp_path, second):
    with serving_fake(directory=slow(tmp_path, 4), workers=1) as server:
        async with connect(server.url, max_size=None) as talk:
            await talk.send(frame("t", "file", second.tobytes(), is_final=True))
            told = await stats_when(server, lambda told: told["queued_tasks"])
            assert told["active_tasks"] == told["max_concurrent"] == 1
            assert told["workers"][0]["state"] == "busy"
            assert 0 < told["queued_seconds"] <= 30
            assert told["queued_seconds"] < told["backlog_seconds"] <= len(second) / SAMPLE_RATE
            assert told["active_connections"] == 1
        told = await stats_when(server, lambda told: not told["active_connections"])
        assert (await stats_when(server, lambda told: not told["backlog_seconds"]))["failed"] == 0


async def test_a_killed_worker_is_counted_by_cause_and_its_restart_too(tmp_path, second):
    with serving_fake(directory=slow(tmp_path, 20)) as server:
        before = await stats(server)
        running = asyncio.create_task(clients.v2_6_file(server.url, second))
        busy = await stats_when(
            server, lambda told: any(row["state"] == "busy" for row in told["workers"])
        )
        victim = next(row for row in busy["workers"] if row["state"] == "busy")
        psutil.Process(victim["pid"]).kill()
        assert (await running).text
        after = await stats_when(server, lambda told: told["status"] == "healthy")
    assert (before["deaths"], before["worker_restarts"]) == ({}, 0)
    assert (after["deaths"], after["worker_restarts"]) == ({"killed": 1}, 1)
    assert after["retried"] <= 1
    assert after["failed"] == 0
    assert victim["pid"] not in {row["pid"] for row in after["workers"]}


async def test_a_refused_utterance_is_counted(tmp_path, second):
    options = {"workers": 1, "interactive_queue_seconds": 2}
    with serving_fake(directory=slow(tmp_path, 1), **options) as server:
        async with connect(server.url, max_size=None) as talk:
            spoken = second[: 25 * SAMPLE_RATE].tobytes()
            for name in "ab":
                await talk.send(frame(name, "mic", spoken, is_final=True))
            await stats_when(server, lambda told: told["queued_seconds"] > 2)
            await talk.send(frame("late", "mic", spoken, is_final=True, encoding="f32le"))
            with anyio.fail_after(10):
                while (reply := json.loads(await talk.recv()))["task_id"] != "late":
                    pass
            assert reply["code"] == "overloaded"
        assert (await stats(server))["rejected"] == 1


async def test_metrics_are_the_stats_in_prometheus_words(second):
    with serving_fake() as server:
        await clients.v2_6_file(server.url, second)
        psutil.Process((await stats(server))["workers"][1]["pid"]).kill()
        await stats_when(server, lambda told: told["deaths"] and told["status"] == "healthy")
        async with httpx.AsyncClient() as http:
            reply = await http.get(server.http + "/metrics")
        told = await stats(server)
    assert reply.headers["content-type"].startswith("text/plain; version=")
    samples = {
        (sample.name, *sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(reply.text)
        for sample in family.samples
    }

    def value(name, **labels):
        return samples[("capswriter_" + name, *sorted(labels.items()))]

    assert value("tasks_completed_total") == told["completed"] > 0
    assert value("tasks_failed_total") == told["failed"]
    assert value("tasks_retried_total") == told["retried"]
    assert value("utterances_rejected_total") == told["rejected"]
    assert value("worker_restarts_total") == told["worker_restarts"] == 1
    assert value("worker_deaths_total", cause="killed") == 1
    assert value("oom_errors_total") == 0
    assert value("connections_limit") == told["max_connections"]
    assert value("pace") == told["pace"]
    assert value("status", status="healthy") == 1
    assert value("info", model="fake", version=told["version"]) == 1
    for row in told["workers"]:
        assert value("worker_tasks_total", worker=str(row["number"])) == row["tasks"]
        assert value("worker_state", worker=str(row["number"]), state="idle") == 1
    for name, percentiles in told["latency"]["wait_seconds"].items():
        for quantile, percentile in (("0.5", "p50"), ("0.95", "p95"), ("0.99", "p99")):
            labels = {"class": name, "quantile": quantile}
            assert value("task_wait_seconds", **labels) == percentiles[percentile]
    assert 0 < value("event_loop_lag_seconds", quantile="1") < 5
    assert value("front_open_files") > 5


async def test_health_tells_these_things_and_nothing_else():
    with serving_fake() as server:
        await stats_when(server, lambda told: told["status"] == "healthy")
        async with connect(server.url), httpx.AsyncClient() as http:
            reply = await http.get(server.http + "/health")
            said = reply.json()
            ready = (await http.get(server.http + "/ready")).json()
    assert reply.status_code == 200
    assert set(said) == HEALTH
    assert (said["status"], said["model_loaded"]) == ("healthy", True)
    assert said["workers"] == {"alive": 2, "wanted": 2}
    assert (said["active_connections"], said["max_connections"]) == (1, 200)
    assert 0 <= said["cpu_usage_percent"] <= 100
    assert 0 < said["memory_usage_percent"] <= 100
    assert said["timestamp"].startswith("20")
    assert said["timestamp"].endswith("+00:00")
    assert ready == {"ready": True}


async def test_health_is_200_while_the_model_loads_and_says_so(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    program = [sys.executable, str(TESTS / "serve_fake.py"), "fake_engine:load_slowly"]
    process = subprocess.Popen(
        [*program, str(tmp_path), "--port", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=os.environ | {"PYTHONPATH": str(TESTS)},
    )
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as http:

        async def health():
            return await http.get("/health")

        with process, anyio.fail_after(30):
            try:
                while True:
                    try:
                        starting = await health()
                        break
                    except httpx.ConnectError:
                        await asyncio.sleep(0.05)
                unready = await http.get("/ready")
                (tmp_path / "go").touch()
                while (await health()).json()["status"] != "healthy":
                    await asyncio.sleep(0.05)
            finally:
                process.terminate()
    said = starting.json()
    assert starting.status_code == 200
    assert (said["status"], said["model_loaded"]) == ("starting", False)
    assert said["workers"] == {"alive": 0, "wanted": 2}
    assert unready.status_code == 503


async def test_health_says_that_the_server_is_draining(tmp_path, second):
    with serving_fake(directory=slow(tmp_path, 20)) as server:
        async with connect(server.url, max_size=None) as talk, httpx.AsyncClient() as http:
            await talk.send(frame("t", "file", second.tobytes(), is_final=True))
            await stats_when(server, lambda told: told["active_tasks"])
            server.process.send_signal(signal.SIGTERM)
            await asyncio.sleep(0.3)
            reply = await http.get(server.http + "/health")
            assert (reply.status_code, reply.json()["status"]) == (200, "draining")
            assert (await http.get(server.http + "/ready")).status_code == 503
            assert (await read_to_final(talk)).text


def statistics(*states: State, **deaths: int) -> Statistics:
    nothing = dict.fromkeys(("interactive", "partial", "file"), Percentiles(0, 0, 0, 0))
    return Statistics(
        workers=tuple(WorkerStatistics(n, None, state, 0, 0.0) for n, state in enumerate(states)),
        active=0,
        queued=0,
        queued_seconds=0,
        backlog_seconds=0,
        completed=0,
        failed=0,
        retried=0,
        rejected=0,
        worker_restarts=0,
        deaths=deaths,
        wait=nothing,
        latency=nothing,
        pace=1.0,
    )


@pytest.mark.parametrize(
    ("now", "word"),
    [
        (statistics(State.IDLE, State.BUSY), "healthy"),
        (statistics(State.IDLE, State.BUSY, killed=3), "healthy"),
        (statistics(State.LOADING, State.LOADING), "starting"),
        (statistics(State.IDLE, State.LOADING), "starting"),
        (statistics(State.IDLE, State.LOADING, killed=1), "degraded"),
        (statistics(State.LOADING, State.LOADING, not_loaded=2), "degraded"),
        (statistics(State.DOWN, State.BUSY, killed=1), "degraded"),
        (statistics(State.IDLE, State.PARKED), "degraded"),
    ],
)
def test_the_word_for_how_it_is(now, word):
    assert status(now, draining=False) == word
    assert status(now, draining=True) == "draining"


async def test_a_blocked_event_loop_shows_in_its_lateness():
    lag = LoopLag()
    assert lag.lateness().count == 0
    measuring = asyncio.create_task(lag.measure())
    await asyncio.sleep(0.5)
    time.sleep(0.4)
    await asyncio.sleep(0.5)
    measuring.cancel()
    late = lag.lateness()
    assert 300 < late.max < 1000
    assert late.p50 < 200
    assert late.p50 <= late.p95 <= late.p99 <= late.max
    assert late.count >= 8


def test_cpu_counts_from_one_reading_to_the_next_and_gone_processes_are_left_out():
    command = "while True: pass"
    with subprocess.Popen([sys.executable, "-c", command]) as busy:
        processes = Processes()
        processes.read(frozenset({busy.pid}))
        time.sleep(0.5)
        use = processes.read(frozenset({busy.pid, 2**22 + 1}))
        busy.kill()
    assert set(use) == {busy.pid}
    assert 10 < use[busy.pid].cpu_percent < 130
