"""What a measurement notes of its processes: all of them, over time, with their own CPU seconds."""

from __future__ import annotations

import subprocess
import sys
import time
from itertools import groupby

import psutil
from servers import serving_fake, workers

from capswriter.bench.recorder import Recorder


def by_process(recorder):
    rows = sorted(recorder.usage, key=lambda row: (row.process, row.at))
    return {name: list(group) for name, group in groupby(rows, key=lambda row: row.process)}


def test_a_server_is_read_with_its_workers_at_the_start_in_between_and_at_the_end():
    with serving_fake() as server:
        with Recorder(time.monotonic() - 10, server.pid, interval=0.1) as recorder:
            time.sleep(0.5)
        found = by_process(recorder)
        pids = [each.pid for each in workers(server.pid)]
    assert [found[f"worker {n}"][0].pid for n in range(2)] == pids
    assert {"front", "forkserver", "worker 0", "worker 1"} <= set(found)
    for rows in found.values():
        assert len(rows) >= 3
        times = [row.at for row in rows]
        assert times == sorted(times)
        assert 10 <= times[0] <= times[-1] - 0.4
        assert all(row.rss > 2**20 and row.threads >= 1 for row in rows)


def test_processor_seconds_count_from_the_start_of_the_run_alone():
    command = "while True: pass"
    with subprocess.Popen([sys.executable, "-c", command]) as busy:
        time.sleep(0.5)
        own = psutil.Process(busy.pid)
        before = own.cpu_times()
        with Recorder(time.monotonic(), pids={"busy": busy.pid}, interval=0.1) as recorder:
            deadline = time.monotonic() + 30
            while sum(own.cpu_times()[:2]) - sum(before[:2]) < 1 and time.monotonic() < deadline:
                time.sleep(0.02)
        after = own.cpu_times()
        busy.kill()
    first, last = recorder.usage[0], recorder.usage[-1]
    assert first.cpu == 0
    assert abs(last.cpu - (sum(after[:2]) - sum(before[:2]))) < 0.1


def test_a_process_that_ends_is_read_until_then():
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        with Recorder(time.monotonic(), pids={"some": process.pid, "none": 2**22 + 1}) as recorder:
            process.communicate(b"\n")
        assert {row.process for row in recorder.usage} == {"some"}
