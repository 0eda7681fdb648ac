"""Utterances on real worker processes: what is said arrives once, whatever happens on the way."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import threading
from contextlib import aclosing
from typing import TYPE_CHECKING

import fake_engine
import numpy as np
import pytest
from fake_engine import speak
from media import write
from open_files import unnamed_files
from utterances import (
    POLICY,
    frames_of,
    hearing,
    nothing_left,
    phrases,
    pool,
    said,
    transcribe,
    words,
)

from capswriter.audio import SAMPLE_RATE
from capswriter.audio.decode import DecodeFailed
from capswriter.audio.segment import SegmentPolicy
from capswriter.pool import EngineSpec, InferenceFailed, Recogniser, WorkerCrashed
from capswriter.sessions import (
    AudioFormat,
    BadAudio,
    Update,
    Utterance,
)
from capswriter.text.finish import Finishing

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.anyio


async def test_everything_said_comes_once_in_order_and_all_audio_is_covered(tmp_path):
    samples = np.concatenate((phrases(*range(1, 9)), np.zeros(777, np.float32)))
    async with pool(tmp_path) as recogniser:
        with hearing() as ears:
            utterance = Utterance(recogniser, ears, policy=POLICY)
            updates = await transcribe(utterance, *frames_of(samples))
    assert words(updates) == said(range(1, 9))
    assert [update.is_last for update in updates] == [False] * (len(updates) - 1) + [True]
    covered = [update.covered for update in updates]
    assert covered == sorted(covered)
    assert covered[-1] == len(samples) / SAMPLE_RATE
    assert utterance.samples == len(samples)
    assert utterance.received == samples.nbytes
    starts = [token.start for update in updates for token in update.tokens]
    assert starts == sorted(starts)
    assert updates[-1].language == "en"
    assert updates[-1].submitted > 0


async def test_unbroken_speech_is_joined_over_its_forced_cuts(tmp_path):
    policy = SegmentPolicy(maximum=10.0, overlap=2.016)  # whole frames, whose words stay in place
    async with pool(tmp_path) as recogniser:
        with hearing() as ears:
            utterance = Utterance(recogniser, ears, policy=policy)
            updates = await transcribe(utterance, speak(*range(100, 145)).tobytes())
    assert words(updates) == said(range(100, 145))
    assert updates[-1].covered == 45


async def test_an_engine_that_takes_less_gets_less(tmp_path):
    async with pool(tmp_path) as recogniser:
        with hearing() as ears:
            policy = SegmentPolicy(maximum=120.0, overlap=4.0)
            utterance = Utterance(recogniser, ears, policy=policy)
            updates = await transcribe(utterance, speak(*[5] * 70).tobytes())
    assert [update.covered for update in updates[:2]] == pytest.approx([30, 56], abs=0.1)


@pytest.mark.parametrize("length", [0, 1, 100, SAMPLE_RATE])
async def test_silence_of_any_length_gives_one_last_update_without_text(tmp_path, length):
    async with pool(tmp_path, workers=1) as recogniser:
        with hearing() as ears:
            utterance = Utterance(recogniser, ears)
            updates = await transcribe(utterance, bytes(4 * length))
    assert words(updates) == []
    assert updates[-1].is_last
    assert updates[-1].covered == length / SAMPLE_RATE


async def test_a_container_gives_the_same_as_its_samples(tmp_path):
    samples = phrases(3000, 4000, 5000)
    content = write(tmp_path / "a.flac", samples, SAMPLE_RATE, "flac").read_bytes()
    async with pool(tmp_path) as recogniser:
        with hearing() as ears:
            utterance = Utterance(
                recogniser, ears, policy=POLICY, audio_format=AudioFormat.CONTAINER
            )
            frames = [content[start : start + 999] for start in range(0, len(content), 999)]
            updates = await transcribe(utterance, *frames)
        await nothing_left(recogniser)
    assert words(updates) == said([3000, 4000, 5000])
    assert updates[-1].covered == len(samples) / SAMPLE_RATE


async def test_what_has_been_said_is_recognised_while_the_rest_is_still_to_come(tmp_path):
    async with pool(tmp_path) as recogniser:
        with hearing() as ears:
            utterance = Utterance(recogniser, ears, policy=POLICY)
            async with aclosing(utterance.updates()) as updates:
                for number in range(1, 4):
                    for frame in frames_of(phrases(number)):
                        await utterance.write(frame)
                    seen: list[Update] = []
                    while words(seen) != said([number]):
                        seen.append(await asyncio.wait_for(anext(updates), 5))
                utterance.end()
                assert [update async for update in updates][-1].is_last


def busy_pids(recogniser: Recogniser) -> list[int]:
    workers = recogniser.statistics().workers
    return [row.pid for row in workers if row.state.value == "busy" and row.pid]


async def test_workers_that_are_killed_cost_nothing(tmp_path):
    async with pool(tmp_path, speed=20) as recogniser:
        with hearing() as ears:
            utterance = Utterance(recogniser, ears, policy=POLICY)
            running = asyncio.create_task(transcribe(utterance, *frames_of(phrases(*range(1, 13)))))
            for kill in range(2):
                while recogniser.statistics().completed < 3 * kill:  # that of the last is done
                    await asyncio.sleep(0.01)
                while not (busy := busy_pids(recogniser)):
                    await asyncio.sleep(0.01)
                os.kill(busy[0], signal.SIGKILL)
            updates = await running
        assert recogniser.statistics().retried == 2
    assert words(updates) == said(range(1, 13))
    assert updates[-1].covered == 48


@pytest.mark.parametrize(
    ("sample", "error"),
    [(fake_engine.RAISE, InferenceFailed), (fake_engine.KILL, WorkerCrashed)],
)
async def test_a_segment_that_fails_ends_the_utterance_and_all_its_work(
    tmp_path, complaints, sample, error
):
    samples = speak(*range(1, 100))  # so that a segment waits for its place when it happens
    samples[0] = sample
    async with pool(tmp_path, workers=1, speed=50) as recogniser:
        files = unnamed_files()
        with hearing() as ears:
            utterance = Utterance(recogniser, ears, policy=POLICY)
            with pytest.raises(error):
                await transcribe(utterance, samples.tobytes())
            await nothing_left(recogniser)
        assert unnamed_files() == files
        assert recogniser.statistics().completed == 0
    assert complaints == []


@pytest.mark.parametrize("audio_format", [AudioFormat.F32LE, AudioFormat.CONTAINER])
async def test_leaving_early_frees_everything(tmp_path, complaints, audio_format):
    samples = speak(*range(1, 100))  # so that a segment waits for its place when it happens
    content = samples.tobytes()
    if audio_format is AudioFormat.CONTAINER:
        content = write(tmp_path / "a.wav", samples, SAMPLE_RATE, "pcm_f32le").read_bytes()
    async with pool(tmp_path, workers=1, speed=50) as recogniser:
        files = unnamed_files()
        with hearing() as ears:
            utterance = Utterance(recogniser, ears, policy=POLICY, audio_format=audio_format)
            await utterance.write(content)
            async with aclosing(utterance.updates()) as updates:
                await anext(updates)
            await nothing_left(recogniser)
            assert unnamed_files() == files
            await utterance.write(b"late frames are dropped")
        assert recogniser.statistics().completed == 1
    assert complaints == []


async def test_being_cancelled_while_nothing_comes_frees_everything(tmp_path, complaints):
    async with pool(tmp_path) as recogniser:
        with hearing() as ears:
            utterance = Utterance(
                recogniser, ears, policy=POLICY, audio_format=AudioFormat.CONTAINER
            )
            await utterance.write(b"fLaC")
            running = asyncio.create_task(transcribe(utterance))
            await asyncio.sleep(0.05)
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
            await nothing_left(recogniser)
    assert complaints == []


async def test_bytes_that_are_no_audio_end_the_utterance_with_the_reason(tmp_path, complaints):
    async with pool(tmp_path, workers=1) as recogniser:
        with hearing() as ears:
            utterance = Utterance(recogniser, ears, audio_format=AudioFormat.CONTAINER)
            with pytest.raises(DecodeFailed):
                await transcribe(utterance, b"hello")
            utterance = Utterance(recogniser, ears)
            with pytest.raises(BadAudio):
                await transcribe(utterance, np.full(100, np.nan, np.float32).tobytes())
    assert complaints == []


async def test_damage_at_the_end_is_told_after_all_text_before_it(tmp_path):
    samples = phrases(1000, 2000, 3000)
    softer = np.random.default_rng(1).uniform(0.3, 1, len(samples)).astype(np.float32)
    softer[::1000] = 1  # what the engine hears; the rest keeps FLAC from making it tiny
    content = write(tmp_path / "a.flac", samples * softer, SAMPLE_RATE, "flac").read_bytes()
    async with pool(tmp_path) as recogniser:
        with hearing() as ears:
            utterance = Utterance(
                recogniser, ears, policy=POLICY, audio_format=AudioFormat.CONTAINER
            )
            await utterance.write(content[: len(content) * 2 // 3])
            utterance.end()
            seen: list[Update] = []

            async def listen() -> None:
                async for update in utterance.updates():
                    seen.append(update)  # noqa: PERF401  # what came before the failure counts

            with pytest.raises(DecodeFailed, match="damaged or incomplete"):
                await listen()
    assert words(seen)[:1] == ["w1000"]
    assert not any(update.is_last for update in seen)


async def test_twenty_speakers_at_once_each_get_their_own_words(tmp_path):
    async with pool(tmp_path) as recogniser:
        with hearing() as ears:

            async def speaker(number: int) -> list[str]:
                numbers = range(100 * number + 1, 100 * number + 6)
                utterance = Utterance(recogniser, ears, policy=POLICY, client=str(number))
                updates = await transcribe(utterance, *frames_of(phrases(*numbers)))
                assert updates[-1].covered == 20
                return words(updates)

            texts = await asyncio.gather(*(speaker(number) for number in range(20)))
    assert texts == [said(range(100 * n + 1, 100 * n + 6)) for n in range(20)]


async def test_the_event_loop_stays_free_while_hours_arrive_at_once(tmp_path):
    hour = np.zeros(3600 * SAMPLE_RATE, np.int16).tobytes()
    async with pool(tmp_path, workers=1) as recogniser:
        with hearing() as ears:
            utterance = Utterance(recogniser, ears, audio_format=AudioFormat.S16LE)
            running = asyncio.create_task(transcribe(utterance, hour))
            longest = 0.0
            while not running.done():
                begun = asyncio.get_running_loop().time()
                await asyncio.sleep(0)
                longest = max(longest, asyncio.get_running_loop().time() - begun)
                await asyncio.sleep(0.002)
            assert (await running)[-1].covered == 3600
    assert longest < 0.25


SAID = [["zh", ""], ["zh", "用Python写了二十三行"], ["ja", "二十三歳です"], ["zh", "頭髮"]]


async def finished(
    tmp_path: Path, finishing: Finishing | None, *numbers: int, loader: str = "load"
) -> list[Update]:
    (tmp_path / "phrases.json").write_text(json.dumps(SAID), encoding="utf-8")
    spec = EngineSpec(tmp_path, loader=f"phrase_engine:{loader}", modules=("phrase_engine",))
    async with Recogniser(spec, workers=1) as recogniser:
        with hearing() as ears:
            utterance = Utterance(recogniser, ears, policy=POLICY, finishing=finishing)
            return await transcribe(utterance, *frames_of(phrases(*numbers)))


def told(updates: list[Update]) -> str:
    return "".join(token.text for update in updates for token in update.tokens)


async def test_the_last_update_has_the_finished_text_and_all_before_it_what_was_heard(tmp_path):
    updates = await finished(tmp_path, Finishing(script="simplified"), 1, 2, 3)
    assert told(updates) == "用Python写了二十三行二十三歳です頭髮"
    assert [update.finished for update in updates[:-1]] == [None] * (len(updates) - 1)
    final = updates[-1].finished
    assert "".join(token.text for token in final) == "用 Python 写了23行二十三歳です头发"
    said = [token for update in updates for token in update.tokens]
    [number] = [token for token in final if token.text == "23"]
    first = next(token for token in said if token.text == "二")
    last = next(token for token in said if token.text == "三")
    assert (number.start, number.end) == pytest.approx((first.start, last.end))
    assert next(token for token in said if token.text == "行") in final


async def test_an_engine_that_normalises_is_not_normalised_again(tmp_path):
    updates = await finished(tmp_path, Finishing(), 1, loader="load_normalising")
    assert "".join(t.text for t in updates[-1].finished) == "用 Python 写了二十三行"


@pytest.mark.parametrize(
    ("finishing", "numbers"),
    [(None, [1]), (Finishing(itn=False, spacing=False), [1]), (Finishing(), [2, 3])],
)
async def test_where_nothing_changes_there_is_no_finished_text(tmp_path, finishing, numbers):
    updates = await finished(tmp_path, finishing, *numbers)
    assert told(updates)
    assert updates[-1].finished is None


async def test_a_text_that_cannot_be_finished_is_still_told(tmp_path, monkeypatch, caplog):
    def fail(passages, finishing):
        raise ValueError("out of luck")

    monkeypatch.setattr("capswriter.sessions.utterance.finish", fail)
    updates = await finished(tmp_path, Finishing(), 1)
    assert told(updates) == "用Python写了二十三行"
    assert updates[-1].is_last
    assert updates[-1].finished is None
    assert "could not be finished" in caplog.text


@pytest.mark.parametrize(("few", "thread"), [(0, "ears"), (50, "MainThread")])
async def test_a_long_text_is_finished_in_a_thread_of_the_ears(tmp_path, monkeypatch, few, thread):
    threads = []

    def note(passages, finishing):
        threads.append(threading.current_thread().name)
        return ()

    monkeypatch.setattr("capswriter.sessions.utterance.finish", note)
    monkeypatch.setattr("capswriter.sessions.utterance.FEW", few)
    await finished(tmp_path, Finishing(), 1)
    assert len(threads) == 1
    assert threads[0].startswith(thread)
