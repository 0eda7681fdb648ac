"""Dictations beside files that keep every worker busy."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

import pytest
from marked_speech import busy, long_marked, part, references, serving_faulty, stats, write_words

from capswriter.audio import SAMPLE_RATE
from capswriter.bench.load import Outcome, Work, calling, once, percentile, summary

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(400)]

SPEED, LONGEST_SEGMENT, FILES = 30, 30.0, 8


async def dictate(url: str, works: list[Work], seconds: int) -> list[Outcome]:
    """Begin a dictation every second."""
    tasks = []
    for second in range(seconds):
        tasks.append(asyncio.create_task(once(url, works[second % len(works)])))
        await asyncio.sleep(1)
    return await asyncio.gather(*tasks)


async def test_a_dictation_waits_for_one_segment_of_a_file_at_most(tmp_path, marked, first, full):
    seconds = 60 if full else 8
    length = 3600 if full else 420
    write_words(tmp_path, speed=SPEED, seconds=length)
    whole = long_marked(first, length)
    ways = {kind: [part(marked, 3 * n, 3, kind, paced=True) for n in range(20)] for kind in KINDS}
    with serving_faulty(tmp_path, workers=2) as server:
        texts = await references(server, [part(marked, 3 * n, 3, "mic") for n in range(20)])
        idle = await dictate(server.url, ways["mic"], seconds)
        async with AsyncExitStack() as stack:
            files = []
            for number in range(FILES):
                caller = await stack.enter_async_context(calling(server.url, number))
                files.append(asyncio.create_task(caller.say(Work("file", whole))))
            while (await stats(server))["backlog_seconds"] < FILES * length * 0.8:
                await asyncio.sleep(0.2)
            loaded = await dictate(server.url, ways["mic"], seconds)
            ignored = await dictate(server.url, ways["file"], seconds)
            assert busy(tmp_path)
            assert not any(file.done() for file in files), "the files did not last"
    for outcomes in (idle, loaded):
        assert [o for o in outcomes if o.text != texts[o.name]] == []
    assert [o for o in ignored if not o.text] == []
    waits = [[outcome.wait for outcome in each] for each in (idle, loaded, ignored)]
    service = LONGEST_SEGMENT / SPEED
    print(
        f"\n{FILES} files of {length / 60:.0f} min, 2 workers, a segment takes {service:.2f} s; "
        f"a 3 s dictation every second for {seconds} s, end of speech to text:"
        f"\n  idle               {summary(waits[0])}"
        f"\n  loaded             {summary(waits[1])}"
        f"\n  without priorities {summary(waits[2])}"
    )
    assert percentile(waits[1], 95) <= service + percentile(waits[0], 50)
    assert percentile(waits[2], 50) > percentile(waits[1], 50)
    assert len(whole) == length * SAMPLE_RATE


KINDS = ("mic", "file")
