"""The figures are those of ``/proc``, and they are cheap."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import httpx
import psutil
import pytest
from monitor.monitors import monitoring
from monitor.proc import in_proc, ticks
from servers import serving_fake

from capswriter.monitor.sampling import Sampler

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="there is no /proc")


def entries(pid: int, directory: str) -> int:
    return len(list(Path(f"/proc/{pid}", directory).iterdir()))


def test_memory_threads_and_files_are_those_of_proc(server):
    readings = Sampler(time.monotonic(), front=server.pid).sample()
    assert len(readings) == 5
    for reading in readings:
        pid, use = reading.pid, reading.use
        assert use.rss == pytest.approx(in_proc(pid, "status", "VmRSS"), rel=0.02)
        assert use.pss == pytest.approx(in_proc(pid, "smaps_rollup", "Pss"), rel=0.02)
        assert use.pss_age < 5
        assert use.threads == pytest.approx(entries(pid, "task"), abs=2)
        assert use.open_files == pytest.approx(entries(pid, "fd"), abs=2)


def test_pss_is_read_less_often_than_the_rest_and_of_all_at_once_but_soon_of_one_that_is_new():
    with serving_fake() as server:
        sampler = Sampler(time.monotonic(), front=server.pid)
        first = sampler.sample()
        again = sampler.sample()
        assert [each.use.pss for each in again] == [each.use.pss for each in first]
        assert all(b.use.pss_age > a.use.pss_age for a, b in zip(first, again, strict=True))
        fresh = sampler.sample(fresh=True)
        assert max(each.use.pss_age for each in fresh) < again[0].use.pss_age
        known = {each.pid for each in fresh}
        psutil.Process(fresh[-1].pid).kill()
        deadline = time.monotonic() + 30
        while not (new := [each for each in sampler.sample() if each.pid not in known]):
            assert time.monotonic() < deadline
        assert new[0].use.pss > 2**20


def test_processor_seconds_and_percent_are_the_process_s_own(server):
    """The kernel is asked before and after each round, and what is told lies in between."""
    sampler = Sampler(time.monotonic(), front=server.pid)
    earliest = ticks(server.pid)
    sampler.sample()
    began, latest = time.monotonic(), ticks(server.pid)
    with httpx.Client() as http:
        while ticks(server.pid) - latest < 0.5:
            http.get(server.http + "/stats")
    least = ticks(server.pid) - latest
    [reading] = [each for each in sampler.sample() if each.process == "front"]
    most, took = ticks(server.pid) - earliest, time.monotonic() - began
    assert least - 0.001 <= reading.cpu <= most + 0.001
    assert reading.use.cpu_percent == pytest.approx(100 * reading.cpu / took, rel=0.1)


def test_watching_takes_little_of_a_core(server, tmp_path):
    log = tmp_path / "log.csv"
    with monitoring("--pid", str(server.pid), "--log", str(log), stderr=None) as watching:

        def rounds() -> int:
            deadline = time.monotonic() + 60
            while not log.exists() and time.monotonic() < deadline:
                time.sleep(0.02)
            return log.read_text().count(",front,")

        while rounds() < 1:
            assert watching.poll() is None
            time.sleep(0.02)
        before, began = ticks(watching.pid), time.monotonic()
        time.sleep(3)
        share = (ticks(watching.pid) - before) / (time.monotonic() - began)
        assert rounds() >= 3
    assert share < 0.04, "the promise is 0.02, on a machine that does nothing else"
