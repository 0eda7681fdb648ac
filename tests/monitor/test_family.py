"""Whose processes are whose: workers are found below a front, whatever comes and goes."""

from __future__ import annotations

import subprocess
import sys
import threading
import time

import psutil
import pytest
from servers import serving_fake, workers

from capswriter.monitor.family import Family, workers_of
from capswriter.monitor.sampling import Sampler

SPAWNING = """
import multiprocessing, sys
def main():
    context = multiprocessing.get_context("spawn")
    process = context.Process(target=input)
    process.start()
    print(process.pid, flush=True)
    process.join()
if __name__ == "__main__":
    main()
"""


def until(condition, within=30):
    deadline = time.monotonic() + within
    while not (found := condition()):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return found


def test_the_workers_of_a_server_are_found_and_what_stands_beside_them_is_told_apart(server):
    assert workers_of(server.pid) == workers(server.pid)
    kinds = Family(server.pid).look()
    assert sorted(kind.value for kind in kinds.values()) == [
        "forkserver",
        "tracker",
        "worker",
        "worker",
    ]


def test_workers_that_are_spawned_as_on_windows_are_found(tmp_path):
    script = tmp_path / "front.py"
    script.write_text(SPAWNING)
    with subprocess.Popen([sys.executable, script], stdout=subprocess.PIPE, text=True) as front:
        worker = int(front.stdout.readline())
        found = [process.pid for process in workers_of(front.pid)]
        psutil.Process(worker).kill()
    assert found == [worker]


def test_a_process_that_is_no_front_or_is_gone_has_no_workers():
    assert workers_of(2**22 + 1) == []
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        assert workers_of(process.pid) == []


def test_a_worker_that_is_replaced_passes_its_number_on_and_the_other_keeps_its_own():
    with serving_fake() as server:
        sampler = Sampler(time.monotonic(), front=server.pid)

        def numbers():
            return {r.process: r.pid for r in sampler.sample() if "worker" in r.process}

        before = numbers()
        assert list(before) == ["worker 0", "worker 1"]
        psutil.Process(before["worker 0"]).kill()

        def replaced():
            now = numbers()
            assert now.get("worker 0") in {None, before["worker 0"]} or len(now) == 2
            return now if len(now) == 2 and now != before else None

        after = until(replaced)
    assert after["worker 1"] == before["worker 1"]
    assert after["worker 0"] != before["worker 0"]


def test_nothing_is_raised_while_processes_come_and_go():
    """Looks at a front whose children, and theirs, live for a few milliseconds."""
    script = (
        "import subprocess, sys\n"
        "while True: subprocess.run([sys.executable, '-S', '-c', "
        "'import os; [os.fork() for _ in range(2)]'])"
    )
    if sys.platform == "win32":
        pytest.skip("it has no fork")
    with subprocess.Popen([sys.executable, "-c", script]) as front:
        family, sampler = Family(front.pid), Sampler(time.monotonic(), front=front.pid)
        looks, ends = 0, time.monotonic() + 1.5
        try:
            while time.monotonic() < ends:
                family.look()
                sampler.sample(fresh=True)
                workers_of(front.pid)
                looks += 1
        finally:
            front.kill()
    assert looks > 5
    assert sampler.sample() == []


def test_workers_are_found_while_they_are_killed_and_replaced():
    with serving_fake() as server:
        errors, seen, over = [], set(), threading.Event()

        def look():
            family = Family(server.pid)
            try:
                while not over.is_set():
                    seen.update(process.pid for process in family.workers())
            except psutil.Error as error:
                errors.append(error)

        thread = threading.Thread(target=look)
        thread.start()
        killed = set()
        try:
            for _ in range(4):
                new = until(lambda: [p for p in workers_of(server.pid) if p.pid not in killed])
                killed.add(new[0].pid)
                new[0].kill()
            until(lambda: len({p.pid for p in workers_of(server.pid)} - killed) == 2)
            alive = {process.pid for process in workers_of(server.pid)}
            until(lambda: alive <= seen)
        finally:
            over.set()
            thread.join()
    assert errors == []
