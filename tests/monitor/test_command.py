"""``capswriter monitor`` as a program: lines, tables, logs, and its ends."""

from __future__ import annotations

import csv
import os
import signal
import subprocess
import sys
import time

import psutil
import pytest
from monitor.monitors import COMMAND, monitor, monitoring
from servers import serving_fake

ESCAPE = "\x1b"


def rows_of(log):
    with log.open(newline="") as file:
        return list(csv.DictReader(file))


def until(condition, within=30):
    deadline = time.monotonic() + within
    while not (found := condition()):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return found


def test_without_a_terminal_it_prints_lines_and_a_summary_and_no_escape_codes(server):
    told = monitor("--pid", str(server.pid), "--duration", "0.6", "--interval", "0.2")
    assert (told.returncode, told.stderr) == (0, "")
    assert ESCAPE not in told.stdout
    lines = told.stdout.splitlines()
    rounds = [line for line in lines if ": front " in line]
    assert 3 <= len(rounds) <= 5
    assert all("worker 0" in line and "worker 1" in line for line in rounds)
    names = [line.split()[1] for line in lines if line.startswith(("│", "|"))]
    assert names == ["front", "forkserver", "tracker", "worker", "worker", "all"]
    assert "has ended" not in told.stdout


def test_the_log_has_a_row_for_each_process_in_each_round(server, tmp_path):
    log = tmp_path / "my_test.csv"
    log.write_text("what was there before\n")
    told = monitor(
        *("--pid", str(server.pid), "--duration", "0.6", "--interval", "0.2", "--log", str(log))
    )
    assert told.returncode == 0
    rows = rows_of(log)
    by_time = {}
    for row in rows:
        by_time.setdefault(row["seconds"], []).append(row)
        assert int(row["rss_bytes"]) > 2**20
        assert int(row["threads"]) >= 1
        assert row["time"].endswith("+00:00")
    assert all(
        sorted(row["process"] for row in each)
        == ["forkserver", "front", "tracker", "worker 0", "worker 1"]
        for each in by_time.values()
    )
    assert len(by_time) >= 3
    fronts = [float(row["cpu_seconds"]) for row in rows if row["process"] == "front"]
    assert fronts[0] == 0
    assert fronts == sorted(fronts)


@pytest.mark.skipif(sys.platform == "win32", reason="there is no such signal")
@pytest.mark.parametrize("kind", [signal.SIGINT, signal.SIGTERM])
def test_it_ends_cleanly_on_ctrl_c_with_a_summary(server, tmp_path, kind):
    log = tmp_path / "log.csv"
    command = ("--pid", str(server.pid), "--interval", "0.1", "--log", str(log))
    with monitoring(*command, stderr=-1) as watching:
        until(lambda: log.exists() and log.read_text().count("front") > 2)
        watching.send_signal(kind)
        said, errors = watching.communicate(timeout=60)
    assert (watching.returncode, errors) == (0, "")
    assert "peak PSS MiB" in said


def test_one_that_is_killed_has_lost_nothing(server, tmp_path):
    log = tmp_path / "log.csv"
    with monitoring("--pid", str(server.pid), "--interval", "0.1", "--log", str(log)) as watching:
        lines = [watching.stdout.readline() for _ in range(4)]
        watching.kill()
        watching.wait()
    rows = rows_of(log)
    assert all(each.endswith("\n") for each in lines)
    assert len({row["seconds"] for row in rows}) >= 4
    assert len(rows) % 5 == 0


def test_it_ends_with_the_server_and_workers_come_and_go(tmp_path):
    log = tmp_path / "log.csv"
    with serving_fake() as server:
        command = ("--pid", str(server.pid), "--interval", "0.1", "--log", str(log))
        with monitoring(*command, stderr=-1) as watching:
            [victim] = until(
                lambda: (
                    log.exists()
                    and [int(row["pid"]) for row in rows_of(log) if row["process"] == "worker 1"][
                        :1
                    ]
                )
            )
            psutil.Process(victim).kill()
            until(
                lambda: (
                    {int(row["pid"]) for row in rows_of(log)[-5:] if row["process"] == "worker 1"}
                    - {victim}
                )
            )
            server.stop()
            said, errors = watching.communicate(timeout=60)
    assert (watching.returncode, errors) == (0, "")
    assert f"worker 1 (process {victim}) has gone\n" in said
    assert "worker 1 (process " in said.replace(f"(process {victim})", "")
    assert "the server has ended\n" in said
    [row] = [line for line in said.splitlines() if line.startswith(("│ worker 1", "| worker 1"))]
    assert row.split()[4] == "2", "two processes had this name"


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has a device that is full")
def test_a_full_disk_is_one_line_after_the_summary(server):
    told = monitor("--pid", str(server.pid), "--log", "/dev/full")
    assert told.returncode == 1
    assert told.stderr == (
        "capswriter: --log: /dev/full cannot be written: No space left on device; "
        "what is in it is kept\n"
    )


def test_a_path_that_cannot_be_written_is_one_line(server, tmp_path):
    told = monitor("--pid", str(server.pid), "--log", str(tmp_path / "none" / "log.csv"))
    assert (told.returncode, told.stdout) == (1, "")
    [line] = told.stderr.splitlines()
    assert line.startswith("capswriter: --log: ")
    assert line.endswith("No such file or directory")


@pytest.mark.skipif(sys.platform == "win32", reason="there are no such terminals")
def test_on_a_terminal_there_is_a_table_with_sparklines(server):
    import pty

    ours, theirs = pty.openpty()
    os.set_blocking(ours, False)
    environment = os.environ | {"COLUMNS": "100", "LINES": "30", "TERM": "xterm"}
    with subprocess.Popen(
        [*COMMAND, "--pid", str(server.pid), "--duration", "0.6", "--interval", "0.2"],
        stdout=theirs,
        env=environment | {"PYTHONIOENCODING": "utf-8"},
    ) as watching:
        os.close(theirs)
        shown = b""

        def read() -> bool:
            nonlocal shown
            try:
                shown += os.read(ours, 65536)
            except BlockingIOError:
                return False
            except OSError:  # the other end is closed
                return True
            return False

        until(read)
    os.close(ours)
    text = shown.decode()
    assert watching.returncode == 0
    assert "Ctrl-C ends" in text
    assert "█" in text
    assert "peak PSS MiB" in text
    assert text.rindex("\x1b[?25h") > text.rindex("\x1b[?25l"), "the cursor is shown again"
