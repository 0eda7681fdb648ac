"""The recogniser, on real processes that are really killed."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import fake_engine
import numpy as np
import psutil
import pytest
from fake_engine import speak
from servers import lives, workers

from capswriter.pool import (
    DeadlineExceeded,
    EngineSpec,
    InferenceFailed,
    NoWorkers,
    Priority,
    Recogniser,
    RecogniserClosed,
    Task,
    WorkerCrashed,
)

pytestmark = pytest.mark.anyio

FAKE = EngineSpec(loader="fake_engine:load", modules=("fake_engine",))


@asynccontextmanager
async def recogniser(workers: int = 2, **options: int) -> AsyncIterator[Recogniser]:
    async with Recogniser(FAKE, workers=workers, **options) as started:
        yield started


def starting_with(value: float) -> Task:
    samples = np.zeros(16_000, np.float32)
    samples[0] = value
    return Task(samples)


def pids(pool: Recogniser) -> list[int]:
    return [row.pid for row in pool.statistics().workers if row.pid]


async def all_ready(pool: Recogniser) -> None:
    while any(row.state.value != "idle" for row in pool.statistics().workers):
        await asyncio.sleep(0.01)


async def test_every_task_gets_its_own_text():
    async with recogniser() as pool:
        results = await asyncio.gather(*(pool.recognise(Task(speak(n, n + 1))) for n in range(40)))
        assert [r.transcript.text for r in results] == [f"w{n} w{n + 1}" for n in range(40)]
        assert pool.statistics().completed == 40


async def test_both_workers_work():
    async with recogniser() as pool:
        await all_ready(pool)
        results = await asyncio.gather(*(pool.recognise(Task(speak(1) * 1)) for n in range(40)))
        assert {r.worker for r in results} == {0, 1}


async def test_who_has_rested_longest_works_next():
    async with recogniser() as pool:
        await all_ready(pool)
        turns = [(await pool.recognise(Task(speak(1)))).worker for _ in range(8)]
        assert turns in ([0, 1] * 4, [1, 0] * 4)


async def test_an_engine_that_refuses_or_raises_fails_only_that_task():
    async with recogniser(1) as pool:
        before = pids(pool)
        with pytest.raises(InferenceFailed, match="not this audio"):
            await pool.recognise(starting_with(fake_engine.REFUSE))
        with pytest.raises(InferenceFailed, match="RuntimeError: out of luck"):
            await pool.recognise(starting_with(fake_engine.RAISE))
        assert (await pool.recognise(Task(speak(5)))).transcript.text == "w5"
        assert pids(pool) == before


async def test_a_task_that_kills_two_workers_is_refused_and_the_pool_recovers():
    async with recogniser(2) as pool:
        with pytest.raises(WorkerCrashed, match="ended with exit status 3"):
            await pool.recognise(starting_with(fake_engine.KILL))
        assert (await pool.recognise(Task(speak(6)))).transcript.text == "w6"
        await all_ready(pool)
        statistics = pool.statistics()
        assert (statistics.retried, statistics.failed, statistics.worker_restarts) == (1, 1, 2)


async def test_a_killed_worker_is_replaced_and_its_task_done_by_another(tmp_path):
    (tmp_path / "speed").write_text("4")
    spec = EngineSpec(tmp_path, loader="fake_engine:load", modules=("fake_engine",))
    async with Recogniser(spec, workers=2) as pool:
        await all_ready(pool)
        tasks = [asyncio.create_task(pool.recognise(Task(speak(n)))) for n in range(14)]
        for kill in range(3):
            while pool.statistics().completed < 3 * kill:  # the one killed last is done by now
                await asyncio.sleep(0.01)
            await asyncio.sleep(0.1)
            busy = [row.pid for row in pool.statistics().workers if row.state.value == "busy"]
            os.kill(busy[0], signal.SIGKILL)
        texts = [(await task).transcript.text for task in tasks]
        assert texts == [f"w{n}" for n in range(14)]
        assert pool.statistics().retried == 3
        assert pool.statistics().failed == 0


async def test_an_idle_worker_that_is_killed_is_replaced():
    async with recogniser(2) as pool:
        await all_ready(pool)
        victim = pids(pool)[0]
        os.kill(victim, signal.SIGKILL)
        while victim in pids(pool) or len(pids(pool)) < 2:
            await asyncio.sleep(0.01)
        await all_ready(pool)
        results = await asyncio.gather(*(pool.recognise(Task(speak(n))) for n in range(10)))
        assert [r.transcript.text for r in results] == [f"w{n}" for n in range(10)]


async def test_no_more_than_max_concurrent_work_at_once(tmp_path):
    (tmp_path / "speed").write_text("20")
    spec = EngineSpec(tmp_path, loader="fake_engine:load", modules=("fake_engine",))
    async with Recogniser(spec, workers=2, max_concurrent=1) as pool:
        most = 0
        tasks = [asyncio.create_task(pool.recognise(Task(speak(n)))) for n in range(6)]
        while not all(task.done() for task in tasks):
            states = [row.state.value for row in pool.statistics().workers]
            most = max(most, states.count("busy"))
            await asyncio.sleep(0.005)
        assert most == 1


async def test_interactive_tasks_go_first_and_clients_take_turns(tmp_path):
    (tmp_path / "speed").write_text("20")
    spec = EngineSpec(tmp_path, loader="fake_engine:load", modules=("fake_engine",))
    done: list[str] = []

    async def ask(pool: Recogniser, client: str, priority: Priority) -> None:
        await pool.recognise(Task(speak(1), priority=priority, client=client))
        done.append(client)

    async with Recogniser(spec, workers=1) as pool:
        first = asyncio.create_task(ask(pool, "first", Priority.FILE))
        await asyncio.sleep(0.01)
        files = [("a", Priority.FILE)] * 3 + [("b", Priority.FILE)] * 2
        speech = [("mic", Priority.INTERACTIVE)]
        await asyncio.gather(first, *(ask(pool, *each) for each in files + speech))
    assert done == ["first", "mic", "a", "b", "a", "b", "a"]


async def test_a_cancelled_task_leaves_the_queue(tmp_path):
    (tmp_path / "speed").write_text("10")
    spec = EngineSpec(tmp_path, loader="fake_engine:load", modules=("fake_engine",))
    async with Recogniser(spec, workers=1) as pool:
        tasks = [asyncio.create_task(pool.recognise(Task(speak(n)))) for n in range(5)]
        await asyncio.sleep(0.05)
        for task in tasks[1:4]:
            task.cancel()
        assert (await tasks[4]).transcript.text == "w4"
        assert pool.statistics().workers[0].completed == 2


async def test_a_model_that_cannot_be_loaded_is_said_with_the_reason():
    spec = EngineSpec(loader="fake_engine:load_refused", modules=("fake_engine",))
    with pytest.raises(NoWorkers, match="made of cheese"):
        await Recogniser(spec, workers=2).__aenter__()


async def test_workers_that_die_while_they_load_are_said_with_the_reason():
    spec = EngineSpec(loader="fake_engine:load_killed", modules=("fake_engine",))
    with pytest.raises(NoWorkers, match="exit status 7"):
        await Recogniser(spec, workers=2).__aenter__()


async def test_closing_ends_every_process_and_every_task():
    async with recogniser(2) as pool:
        await all_ready(pool)
        alive = pids(pool)
        waiting = [asyncio.create_task(pool.recognise(Task(speak(1)))) for _ in range(50)]
        await asyncio.sleep(0)
    outcomes = await asyncio.gather(*waiting, return_exceptions=True)
    assert all(
        isinstance(outcome, RecogniserClosed) or outcome.seconds >= 0 for outcome in outcomes
    )
    assert not any(psutil.pid_exists(pid) for pid in alive)
    with pytest.raises(RecogniserClosed):
        await pool.recognise(Task(speak(1)))


async def test_what_a_dead_worker_had_does_not_displace_a_newer_one_of_its_key(tmp_path):
    (tmp_path / "speed").write_text("2")
    spec = EngineSpec(tmp_path, loader="fake_engine:load", modules=("fake_engine",))

    async def ask(pool: Recogniser, number: int) -> str:
        task = Task(speak(number), priority=Priority.INTERACTIVE, key="partial of a")
        return (await pool.recognise(task)).transcript.text

    async with Recogniser(spec, workers=1) as pool:
        older = asyncio.create_task(ask(pool, 1))
        while pool.statistics().active == 0:
            await asyncio.sleep(0.01)
        newer = asyncio.create_task(ask(pool, 2))
        while pool.statistics().queued == 0:
            await asyncio.sleep(0.01)
        os.kill(pids(pool)[0], signal.SIGKILL)
        with pytest.raises(DeadlineExceeded, match="a newer one"):
            await older
        assert await newer == "w2"
        assert pool.statistics().completed == 1


@pytest.mark.parametrize("started", [0, 1, 2, 3])
async def test_closing_while_workers_start_leaves_no_process(started):
    async with recogniser(1):
        pass  # so that what starts them runs
    others = set(workers(os.getpid()))  # of other tests, a browser's for one
    for pause in (0, 0.001, 0.002, 0.004):  # in the middle of the next one's start
        pool = Recogniser(FAKE, workers=3)
        starting = asyncio.create_task(pool.start())
        while len(pids(pool)) < started:
            await asyncio.sleep(0)
        await asyncio.sleep(pause)
        starting.cancel()
        await pool.close()
        with suppress(asyncio.CancelledError):
            await starting
        ends = time.monotonic() + 5  # one that nobody ends would stay for ever
        while left := [each for each in workers(os.getpid()) if lives(each) and each not in others]:
            assert time.monotonic() < ends, left
            await asyncio.sleep(0.01)


async def test_who_waits_for_what_the_engine_is_learns_that_the_recogniser_closes(tmp_path):
    spec = EngineSpec(tmp_path, loader="fake_engine:load_slowly", modules=("fake_engine",))
    pool = Recogniser(spec, workers=1)
    starting = asyncio.create_task(pool.start())
    waiting = [asyncio.create_task(pool.traits()) for _ in range(2)]
    while not pids(pool):
        await asyncio.sleep(0.01)
    starting.cancel()
    await pool.close()
    outcomes = await asyncio.gather(*waiting, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == 2 * [RecogniserClosed]
    with pytest.raises(RecogniserClosed):
        await pool.traits()
