"""Processes that are killed while eight clients work; see docs/reliability.md."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest
from marked_speech import busy, events, part, references, serving_faulty, write_words
from servers import lives, tree, workers

from capswriter.bench.load import Outcome, calling, closed_loop, summary

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(300)]

CLIENTS = 8
SPEED = 100


@dataclass
class Killer:
    """Kills one worker after the other, and notes how long the front takes to notice and to mend.

    A task that has cost two workers their lives is refused, so the next kill waits until every
    client has the end of what it had asked for at the time of this one.
    """

    server: object
    directory: Path
    outcomes: list[Outcome]
    detection: list[float] = field(default_factory=list)
    replacement: list[float] = field(default_factory=list)

    async def kill(self, *, is_busy: bool) -> None:
        pid = await self._victim(is_busy=is_busy)
        killed_at, at = time.time(), time.monotonic()
        os.kill(pid, signal.SIGKILL)
        gone = await self._event(lambda event: event.pid == pid and event.what == "gone")
        ready = await self._event(lambda event: event.at > gone.at and event.what == "ready")
        self.detection.append(gone.at - killed_at)
        self.replacement.append(ready.at - killed_at)
        while len({outcome.client for outcome in self.outcomes if outcome.final_at > at}) < CLIENTS:
            await asyncio.sleep(0.01)
        (self.directory / f"busy-{pid}").unlink(missing_ok=True)

    async def _victim(self, *, is_busy: bool) -> int:
        while True:
            alive = {each.pid for each in workers(self.server.pid)}
            working = busy(self.directory)
            candidates = alive & working if is_busy else alive - working
            if candidates:
                return random.choice(sorted(candidates))
            await asyncio.sleep(0.005)

    async def _event(self, wanted):
        while True:
            if found := [event for event in events(self.server) if wanted(event)]:
                return found[0]
            await asyncio.sleep(0.005)


async def test_kills_cost_no_client_a_word(tmp_path, marked, full):
    write_words(tmp_path, speed=SPEED)
    works = [part(marked, 3 * n, 3, "mic") for n in range(20)]
    works += [part(marked, 10 * n, 20, "file") for n in range(4)]
    works = [works[n % len(works)] for n in range(0, 7 * len(works), 7)]
    kills = 40 if full else 8
    with serving_faulty(tmp_path, workers=3) as server:
        texts = await references(server, works)
        while len([event for event in events(server) if event.what == "ready"]) < 3:
            await asyncio.sleep(0.01)
        total = 0
        for is_busy, pause in ((False, 0.2), (True, 0.0)):
            outcomes, stop = [], asyncio.Event()
            load = asyncio.create_task(
                closed_loop(
                    server.url,
                    works,
                    clients=CLIENTS,
                    pause=pause,
                    stop=stop,
                    on_outcome=outcomes.append,
                )
            )
            killer = Killer(server, tmp_path, outcomes)
            for _ in range(kills):
                await killer.kill(is_busy=is_busy)
            stop.set()
            await load
            assert [o for o in outcomes if o.text != texts[o.name]] == []
            assert max(killer.detection) < 0.5
            total += len(outcomes)
            kind = "busy" if is_busy else "idle"
            print(f"\n{kills} kills of a {kind} worker, {len(outcomes)} tasks, all with their text")
            print(f"  noticed after  {summary(killer.detection)}")
            print(f"  replaced after {summary(killer.replacement)}")


async def test_nothing_that_was_accepted_is_lost_at_sigterm(tmp_path, marked):
    write_words(tmp_path, speed=SPEED)
    works = [part(marked, 15 * n, 40, "file") for n in range(CLIENTS)]
    with serving_faulty(tmp_path, workers=2) as server:
        texts = await references(server, works)
        processes = tree(server.pid)

        async def client(number: int) -> Outcome:
            async with calling(server.url, number) as caller:
                return await caller.say(works[number])

        tasks = [asyncio.create_task(client(number)) for number in range(CLIENTS)]
        await asyncio.sleep(0.6)
        assert not all(task.done() for task in tasks)
        server.process.send_signal(signal.SIGTERM)
        outcomes = await asyncio.gather(*tasks)
        assert [outcome.text for outcome in outcomes] == [texts[work.name] for work in works]
        assert await asyncio.to_thread(server.process.wait, 20) == 0
        psutil.wait_procs(processes, timeout=2)
        assert not [process for process in processes if lives(process)]


@pytest.mark.parametrize("stopped", [False, True])
async def test_no_worker_outlives_the_front(tmp_path, marked, stopped):
    write_words(tmp_path, speed=1)
    tests = Path(__file__).parents[1]
    process = subprocess.Popen(
        [
            sys.executable,
            str(tests / "serve_fake.py"),
            "faulty_engine:load",
            str(tmp_path),
            "--port",
            "0",
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=os.environ | {"PYTHONPATH": str(tests)},
        text=True,
    )
    with process:
        url = process.stdout.readline().split()[1]
        async with calling(url) as one, calling(url) as two:
            work = part(marked, 0, 60, "file")
            tasks = [asyncio.create_task(caller.say(work)) for caller in (one, two)]
            while len(busy(tmp_path)) < 2:
                await asyncio.sleep(0.01)
            left = tree(process.pid)
            if stopped:
                for each in workers(process.pid):
                    each.suspend()
            process.kill()
            began = time.monotonic()
            while any(map(lives, left)) and time.monotonic() < began + 2:
                await asyncio.sleep(0.005)
            print(f"\nall gone {time.monotonic() - began:.2f} s after the front")
            assert not [each for each in left if lives(each)]
            assert [o.error for o in await asyncio.gather(*tasks)] == 2 * ["connection_closed"]
