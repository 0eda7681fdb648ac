"""The soak run's slopes and reports, and Ctrl-C in the middle of it."""

from __future__ import annotations

import math
import signal
import subprocess
import sys
from collections import Counter

import pytest

from capswriter.bench import soak
from capswriter.bench.soak import LIMITS, Soak, report, slope


def seen(memory: list[float], **ends: int) -> Soak:
    """Make a run with a look every minute, in which memory alone changes."""
    result = Soak(ends=Counter(ends or {"right": 5}))
    result.at = [60.0 * n for n in range(1, len(memory) + 1)]
    result.seen = {name: [1.0] * len(memory) for name in LIMITS} | {"memory": memory}
    return result


def test_a_slope_is_by_the_hour():
    growth, error = slope([0, 1800, 3600], [5.0, 6.0, 7.0])
    assert growth == pytest.approx(2.0)
    assert error == pytest.approx(0.0, abs=1e-9)


@pytest.mark.parametrize("count", [0, 1, 2])
def test_too_few_looks_have_no_slope(count):
    assert slope([10.0] * count, [5.0] * count) == (0.0, math.inf)


def test_a_quantity_that_grows_is_told_and_a_steady_one_is_not(capsys):
    assert not report(seen([100.0 + n for n in range(30)]))
    assert "GROWS" in capsys.readouterr().out
    assert report(seen([100.0 + n % 2 for n in range(30)]))
    assert capsys.readouterr().out.count("no trend") == len(LIMITS)


def test_a_wrong_text_is_no_success(capsys):
    assert not report(seen([100.0] * 30, right=4, **{"wrong text": 1}))
    assert "1 wrong text" in capsys.readouterr().out


def test_what_two_looks_have_seen_is_reported_without_a_verdict(capsys):
    report(seen([100.0, 200.0]))
    assert capsys.readouterr().out.count("too few to tell") == len(LIMITS)


def test_an_interrupted_run_reports_what_it_has_seen(monkeypatch, capsys):
    async def interrupted(recordings, minutes, result):
        result.at, result.seen, result.ends = (part := seen([100.0] * 4)).at, part.seen, part.ends
        raise KeyboardInterrupt

    monkeypatch.setattr(soak, "_run", interrupted)
    monkeypatch.setattr(sys, "argv", ["soak", "1"])
    assert soak.main() == 130
    assert "4.0 min, 0 kills; tasks: 5 right" in capsys.readouterr().out


@pytest.mark.model
@pytest.mark.timeout(120)
def test_ctrl_c_ends_a_run_without_a_traceback(whisper_base):
    with subprocess.Popen(
        [sys.executable, "-m", "capswriter.bench.soak", "1"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout.readline().startswith("ready: ")
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (130, "")
    assert output == "interrupted\nit is too early for a report\n"
