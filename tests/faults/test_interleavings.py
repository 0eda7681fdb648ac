"""Fifty clients at once, who send and leave as they please: each gets its own, once, in order."""

from __future__ import annotations

import asyncio
import json
import random
import uuid
from contextlib import suppress

import numpy as np
import pytest
from capswriter_clients import frame
from marked_speech import numbers, part, references, serving_faulty, stats, write_words
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from capswriter.bench.load import Work

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(120)]

CLIENTS = 50
CUT_SHORT = 0.15
"""Share of clients that leave in the middle."""


class Client:
    """Sends up to three tasks, mixed with each other in pieces of any length; reads everything."""

    def __init__(self, choose: random.Random, works: list[Work]) -> None:
        self._choose = choose
        self.leaves = choose.random() < CUT_SHORT
        self.tasks = {str(uuid.uuid4()): choose.choice(works) for _ in range(choose.randint(1, 3))}
        self.ends: dict[str, list[dict]] = {task_id: [] for task_id in self.tasks}
        self.faults: list[str] = []
        self._partials = dict.fromkeys(self.tasks, "")

    async def run(self, url: str) -> None:
        await asyncio.sleep(self._choose.random())
        async with connect(url, subprotocols=["binary"], max_queue=None) as socket:
            reading = asyncio.create_task(self._read(socket))
            await self._send(socket)
            if self.leaves:
                await asyncio.sleep(self._choose.random() * 0.2)
            else:
                while not all(self.ends.values()):
                    await asyncio.sleep(0.01)
                await asyncio.sleep(0.3)  # for what should not come any more
        await reading

    async def _send(self, socket) -> None:
        frames = {task_id: self._frames(task_id, work) for task_id, work in self.tasks.items()}
        count = sum(map(len, frames.values()))
        ends = self._choose.randrange(count) if self.leaves else count
        for _ in range(ends):
            task_id = self._choose.choice([each for each, left in frames.items() if left])
            await socket.send(frames[task_id].pop(0))
            if self._choose.random() < 0.3:
                await asyncio.sleep(self._choose.random() * 0.05)

    def _frames(self, task_id: str, work: Work) -> list[str]:
        data = np.round(work.samples * 32_768).astype("<i2").tobytes()
        cuts = sorted(self._choose.sample(range(1, len(data)), self._choose.randint(0, 6)))
        pieces = [data[a:b] for a, b in zip([0, *cuts], [*cuts, len(data)], strict=True)]
        return [
            frame(task_id, work.kind, piece, encoding="s16le", is_final=index == len(pieces) - 1)
            for index, piece in enumerate(pieces)
        ]

    async def _read(self, socket) -> None:
        with suppress(ConnectionClosed):
            async for message in socket:
                reply = json.loads(message)
                task_id = reply["task_id"]
                if task_id not in self.tasks:
                    self.faults.append(f"not ours: {reply}")
                elif self.ends[task_id]:
                    self.faults.append(f"after its end: {reply}")
                elif reply["type"] == "error" or reply["is_final"]:
                    self.ends[task_id].append(reply)
                elif not reply["text"].startswith(self._partials[task_id]):
                    self.faults.append(f"revised: {reply}")
                else:
                    self._partials[task_id] = reply["text"]

    def check(self, texts: dict[str, str]) -> None:
        """Fail on anything that is missing, foreign, doubled or out of order."""
        assert self.faults == []
        for task_id, work in self.tasks.items():
            assert self.leaves or len(self.ends[task_id]) == 1
            for end in self.ends[task_id]:
                heard = numbers(end["text"])
                assert heard == sorted(set(heard))
                assert end["text"] == texts[work.name]


@pytest.mark.parametrize("seed", range(3))
async def test_each_of_fifty_clients_gets_its_own_text_once_and_in_order(
    tmp_path, marked, full, seed
):
    write_words(tmp_path, speed=200)
    choose = random.Random(seed)
    works = [part(marked, 2.2 * n, choose.uniform(3, 6), "mic") for n in range(40)]
    works += [part(marked, 7 * n, choose.uniform(6, 14), "file") for n in range(20)]
    with serving_faulty(tmp_path, workers=2) as server:
        texts = await references(server, works)
        done = sum([await _crowd(server, works, texts, choose) for _ in range(10 if full else 1)])
        assert (await stats(server))["active_connections"] == 0
    print(f"\nseed {seed}: {done} tasks, each with its own text, once, in order")


async def _crowd(server, works: list[Work], texts: dict[str, str], choose: random.Random) -> int:
    clients = [Client(random.Random(choose.random()), works) for _ in range(CLIENTS)]
    await asyncio.gather(*(client.run(server.url) for client in clients))
    for client in clients:
        client.check(texts)
    return sum(len(ends) for client in clients for ends in client.ends.values())
