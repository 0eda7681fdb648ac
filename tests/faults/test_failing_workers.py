"""Workers that hang, raise, abort, run out of memory or never load: who pays, and what is said."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Iterator
from itertools import pairwise

import httpx
import pytest
from faulty_engine import FAULTS, GROUPS
from marked_speech import (
    busy,
    events,
    numbers,
    part,
    references,
    serving_faulty,
    stats,
    write_words,
)
from servers import workers

from capswriter.bench.load import closed_loop, once

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(60)]

HURT = (100.0, 103.0)
"""Seconds of the whole in which faults strike; nobody else sends them."""


@pytest.fixture(autouse=True)
def no_group_is_left() -> Iterator[None]:
    """Remove the control groups that workers made for themselves."""
    yield
    for group in GROUPS.glob("capswriter-test-*"):
        group.rmdir()


@pytest.mark.parametrize(
    ("fault", "error", "cause", "deaths"),
    [
        ("fail", "inference_failed", None, 0),
        ("abort", "inference_failed", "killed", 2),
        ("hang", "inference_failed", "hung", 2),
        ("exhaust", "inference_failed", "out_of_memory", 2),
        pytest.param(
            *("overrun", "inference_failed", "out_of_memory", 2),
            marks=pytest.mark.skipif(
                not os.access(GROUPS, os.W_OK), reason="control groups cannot be made here"
            ),
        ),
    ],
)
async def test_a_fault_costs_only_the_task_that_has_it(
    tmp_path, marked, fault, error, cause, deaths
):
    assert fault in FAULTS
    write_words(tmp_path, speed=100, **{fault: HURT})
    works = [part(marked, 5 * n, 5, "mic") for n in range(12)]
    with serving_faulty(tmp_path, workers=2, patience_task=1) as server:
        texts = await references(server, works)
        others = asyncio.create_task(
            closed_loop(server.url, works, clients=4, tasks=120, pause=0.02)
        )
        began = time.monotonic()
        hurt = await once(server.url, part(marked, HURT[0], 3, "mic"))
        took = time.monotonic() - began
        outcomes = await others
        assert [o for o in outcomes if o.text != texts[o.name]] == []
        assert hurt.error == error
        told = await stats(server)
        assert sum(told["deaths"].values()) == deaths
        if cause is not None:
            assert told["deaths"] == {cause: deaths}
        assert told["oom_errors"] == (deaths if cause == "out_of_memory" else 0)
        assert told["failed"] == 1
        again = await once(server.url, works[0])
        assert again.text == texts[works[0].name]
        print(f"\n{fault}: {hurt.error} after {took:.1f} s, {deaths} workers, others unhurt")


async def test_a_stopped_worker_is_noticed_by_its_silence_and_its_task_done_by_another(
    tmp_path, marked
):
    write_words(tmp_path, speed=10)
    config = {"patience_ping_every": 0.2, "patience_ping": 0.5}
    with serving_faulty(tmp_path, workers=2, **config) as server:
        work = part(marked, 0, 10, "file")
        texts = await references(server, [work])
        task = asyncio.create_task(once(server.url, work))
        while not busy(tmp_path):
            await asyncio.sleep(0.01)
        (victim,) = busy(tmp_path)
        os.kill(victim, signal.SIGSTOP)
        began = time.time()
        assert (await task).text == texts[work.name]
        (gone,) = [event for event in events(server) if event.what == "gone"]
        print(f"\nstopped worker noticed after {gone.at - began:.2f} s (ping 0.2 + 0.5 s)")
        assert gone.at - began < 1.5
        assert (await stats(server))["deaths"] == {"hung": 1}


@pytest.mark.parametrize("loading", ["hang", "die", "refuse"])
async def test_a_worker_that_does_not_load_is_tried_ever_more_rarely_while_the_other_serves(
    tmp_path, marked, loading
):
    write_words(tmp_path, speed=100)
    config = {"workers": 2, "patience_load": 1}
    with serving_faulty(tmp_path, "faulty_engine:load_until_told", **config) as server:
        while len(events(server)) < 2:
            await asyncio.sleep(0.01)
        work = part(marked, 0, 5, "mic")
        texts = await references(server, [work])
        (tmp_path / "attempts").unlink()
        (tmp_path / "loading").write_text(loading)
        workers(server.pid)[0].kill()
        await asyncio.sleep(2.5)
        attempts = [float(line) for line in (tmp_path / "attempts").read_text().split()]
        pauses = [after - before for before, after in pairwise(attempts)]
        assert pauses == sorted(pauses)
        assert 2 <= len(attempts) <= 4
        assert (await once(server.url, work)).text == texts[work.name]
        (tmp_path / "loading").unlink()
        while [each["state"] for each in (await stats(server))["workers"]] != 2 * ["idle"]:
            await asyncio.sleep(0.05)


async def test_a_server_whose_workers_all_fail_to_load_says_why_and_is_not_ready(tmp_path, marked):
    write_words(tmp_path, speed=100)
    with serving_faulty(tmp_path, "faulty_engine:load_until_told", workers=2) as server:
        while len(events(server)) < 2:
            await asyncio.sleep(0.01)
        work = part(marked, 0, 5, "mic")
        texts = await references(server, [work])
        (tmp_path / "loading").write_text("refuse")
        for worker in workers(server.pid):
            worker.kill()
        await asyncio.sleep(0.5)
        waiting = asyncio.create_task(once(server.url, work))
        async with httpx.AsyncClient() as http:
            assert (await http.get(server.http + "/ready")).status_code == 503
        assert "made of cheese" in (await stats(server))["trouble"]
        (tmp_path / "loading").unlink()
        outcome = await waiting
        assert outcome.text == texts[work.name]
        assert numbers(outcome.text)
