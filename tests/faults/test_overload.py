"""Twice what the server can do: it stays small, refuses with a date, and does what it accepted."""

from __future__ import annotations

import asyncio
from collections import Counter
from itertools import count

import psutil
import pytest
from marked_speech import part, references, serving_faulty, stats, write_words

from capswriter.bench.load import open_loop, percentile, summary

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(300)]

SPEED, WORKERS, SECONDS = 15, 2, 3


async def test_twice_the_load_is_refused_by_half_and_costs_no_memory(tmp_path, marked, full):
    write_words(tmp_path, speed=SPEED)
    works = [part(marked, SECONDS * n, SECONDS, "mic") for n in range(40)]
    lasts = 120 if full else 10
    with serving_faulty(tmp_path, workers=WORKERS) as server:
        texts = await references(server, works)
        rate = 2 * SPEED * WORKERS / SECONDS
        load = asyncio.create_task(
            open_loop(server.url, works, rate=rate, seconds=lasts, clients=40)
        )
        front, memory = psutil.Process(server.pid), []
        for _ in count():
            memory.append(front.memory_info().rss / 1e6)
            if load.done():
                break
            await asyncio.sleep(0.5)
        outcomes = await load
        lag = (await stats(server))["event_loop_lag_ms"]
    accepted = [outcome for outcome in outcomes if not outcome.error]
    refused = [outcome for outcome in outcomes if outcome.error]
    assert [o for o in accepted if o.text != texts[o.name]] == []
    assert {o.error for o in refused} == {"overloaded"}
    dates = [o.retry_after for o in refused if o.retry_after is not None]
    assert len(dates) == len(refused)
    assert min(dates) >= 1
    later, earlier = memory[2 * len(memory) // 3 :], memory[len(memory) // 3 : len(memory) // 2]
    growth = percentile(later, 50) - percentile(earlier, 50)
    print(
        f"\n{rate:.0f} dictations/s of {SECONDS} s for {lasts} s: {len(accepted)} done, "
        f"{len(refused)} refused (retry after {min(dates):g} to {max(dates):g} s: "
        f"p5 {percentile(dates, 5):g}, p50 {percentile(dates, 50):g}, "
        f"p95 {percentile(dates, 95):g})"
        f"\n  wait of those accepted: {summary([o.wait for o in accepted])}"
        f"\n  front {memory[0]:.0f} MB at first, {max(memory):.0f} MB at most, "
        f"{growth:+.1f} MB in the second half; loop lag p99 {lag['p99']} ms, max {lag['max']} ms"
    )
    most = max(Counter(dates).values())
    assert most < 0.2 * len(dates), f"{most} of {len(dates)} were told to come at the same time"
    assert growth < 5
    assert lag["p99"] < (20 if full else 100)
