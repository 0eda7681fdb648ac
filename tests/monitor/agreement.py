"""Thirty seconds of ``capswriter monitor`` beside ``/proc``: python tests/monitor/agreement.py.

Two whisper-base workers recognise 10 s of speech again and again, or as many times as the argument
says; the monitor draws on a terminal and writes its log. Needs Linux and the recordings of
``ref_codes/samples``.
"""

from __future__ import annotations

import asyncio
import csv
import os
import pty
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np
from monitor.monitors import COMMAND
from monitor.proc import in_proc, ticks
from servers import serving

from capswriter.audio import SAMPLE_RATE
from capswriter.audio.decode import AudioFile
from capswriter.bench.load import Work, closed_loop
from capswriter.monitor.sampling import Sampler

SECONDS = 30
SAMPLES = Path(__file__).parents[2] / "ref_codes" / "samples"
POLL = 0.05
PSS_EVERY = 10
"""Polls; reading PSS disturbs the process that is read."""


def load(url: str, most: int) -> None:
    with AudioFile(min(SAMPLES.glob("*.mp3"))) as file:
        work = Work("file", np.concatenate(list(file.blocks()))[: 10 * SAMPLE_RATE])
    ends, done = time.monotonic() + SECONDS - 3, 0
    time.sleep(2)
    while done < most and time.monotonic() < ends:
        asyncio.run(closed_loop(url, [work], clients=2, tasks=2))
        done += 2


def drain(terminal: int) -> None:
    with suppress(OSError):  # the other end is closed
        while os.read(terminal, 65536):
            pass


def poll(pids: dict[int, str], monitor: subprocess.Popen) -> tuple[list, list]:
    """Read /proc until the monitor ends: for each process, and for the monitor itself."""
    seen, own = [], []
    while monitor.poll() is None:
        with_pss = len(seen) % PSS_EVERY == 0
        with suppress(OSError):  # the monitor has ended
            own.append((time.time(), ticks(monitor.pid)))
        seen.append(
            {
                pid: (
                    time.time(),
                    ticks(pid),
                    in_proc(pid, "status", "VmRSS"),
                    in_proc(pid, "smaps_rollup", "Pss") if with_pss else None,
                )
                for pid in pids
            }
        )
        time.sleep(POLL)
    return seen, own


def compare(name: str, rows: list[dict[str, str]], polls: list[tuple]) -> str:
    def nearest(row: dict[str, str], field: int) -> float:
        at = datetime.fromisoformat(row["time"]).timestamp()
        told = [each for each in polls if each[field] is not None]
        return min(told, key=lambda each: abs(each[0] - at))[field]

    def off(column: str, field: int, among: list[dict[str, str]]) -> str:
        differences = [100 * abs(int(row[column]) / nearest(row, field) - 1) for row in among]
        return f"{median(differences):.2f} %, at most {max(differences):.2f} %"

    told = float(rows[-1]["cpu_seconds"]) - float(rows[0]["cpu_seconds"])
    real = nearest(rows[-1], 1) - nearest(rows[0], 1)
    fresh = [row for row in rows if float(row["pss_age_seconds"]) < POLL]
    return (
        f"{name:11} CPU {told:.2f} s, /proc {real:.2f} s; off by: "
        f"RSS {off('rss_bytes', 2, rows)}; PSS {off('pss_bytes', 3, fresh)} ({len(fresh)} times)"
    )


def main() -> None:
    most = int(sys.argv[1]) if len(sys.argv) > 1 else sys.maxsize
    server_options = ("--workers", "2", "--model", "whisper-base", "--punctuation", "off")
    with serving(*server_options) as server, tempfile.TemporaryDirectory() as folder:
        log = Path(folder, "log.csv")
        pids = {each.pid: each.process for each in Sampler(0.0, front=server.pid).sample()}
        terminal, theirs = pty.openpty()
        monitor = subprocess.Popen(
            [*COMMAND, "--pid", str(server.pid), "--duration", str(SECONDS), "--log", str(log)],
            stdout=theirs,
            env=os.environ | {"COLUMNS": "120", "TERM": "xterm"},
        )
        os.close(theirs)
        loading = threading.Thread(target=load, args=(server.url.rstrip("/"), most))
        draining = threading.Thread(target=drain, args=(terminal,))
        loading.start()
        draining.start()
        seen, own = poll(pids, monitor)
        loading.join()
        draining.join()
        rows = list(csv.DictReader(log.open()))
    for pid, name in pids.items():
        mine = [row for row in rows if int(row["pid"]) == pid]
        print(compare(name, mine, [each[pid] for each in seen]))
    started = next(each for each in own if each[0] > own[0][0] + 1)
    share = 100 * (own[-1][1] - started[1]) / (own[-1][0] - started[0])
    print(f"the monitor itself: {share:.2f} % of a core, and {started[1]:.2f} s to start")


if __name__ == "__main__":
    main()
