"""Somebody speaks and waits: guesses while they speak, and what a pause at the end saves."""

from __future__ import annotations

import asyncio
from contextlib import aclosing

import numpy as np
import pytest
from fake_engine import speak
from utterances import POLICY, hearing, nothing_left, phrases, pool, said, transcribe, words

from capswriter.audio import SAMPLE_RATE, Samples
from capswriter.sessions import Update, Utterance

pytestmark = pytest.mark.anyio


async def speak_slowly(
    utterance: Utterance, samples: Samples, *, seconds: float, wait: float = 0.0
) -> None:
    """Send audio within so many seconds, and the end after a moment more."""
    size = SAMPLE_RATE // 10
    pause = seconds * size / len(samples)
    for start in range(0, len(samples), size):
        await utterance.write(samples[start : start + size].tobytes())
        await asyncio.sleep(pause)
    await asyncio.sleep(wait)
    utterance.end()


async def live(utterance: Utterance, samples: Samples, **pace: float) -> list[Update]:
    sending = asyncio.create_task(speak_slowly(utterance, samples, **pace))
    async with aclosing(utterance.updates()) as updates:
        result = [update async for update in updates]
    await sending
    return result


async def test_what_is_being_said_is_guessed_and_the_guesses_give_way_to_the_final(tmp_path):
    samples = np.concatenate((speak(*range(1, 9)), np.zeros(2 * SAMPLE_RATE, np.float32)))
    async with pool(tmp_path) as recogniser:
        with hearing() as ears:
            utterance = Utterance(recogniser, ears, policy=POLICY, live=True, partials=True)
            updates = await live(utterance, samples, seconds=3)
    guesses = ["".join(token.text for token in update.partial) for update in updates]
    told = [guess.split() for guess in guesses if guess]
    assert len(told) >= 3
    for words_so_far in told:
        assert words_so_far == said(range(1, len(words_so_far) + 1))
    assert words(updates) == said(range(1, 9))
    last_guess = max(index for index, guess in enumerate(guesses) if guess)
    first_certain = min(index for index, update in enumerate(updates) if update.tokens)
    assert last_guess < first_certain
    assert all(update.covered == 0 for update in updates[: last_guess + 1])


async def test_a_guess_made_in_the_pause_at_the_end_is_the_result(tmp_path):
    samples = np.concatenate((speak(1, 2), np.zeros(SAMPLE_RATE * 4 // 5, np.float32)))
    async with pool(tmp_path, speed=4) as recogniser:
        with hearing() as ears:
            utterance = Utterance(recogniser, ears, policy=POLICY, live=True)
            updates = await live(utterance, samples, seconds=0.4, wait=1.0)
            done = recogniser.statistics().completed
            again = Utterance(recogniser, ears, policy=POLICY)
            plain = await transcribe(again, samples.tobytes())
    assert words(updates) == words(plain) == said([1, 2])
    assert done == 1
    assert updates[-1].covered == plain[-1].covered


async def test_what_is_said_after_a_guess_is_not_lost(tmp_path):
    pause = np.zeros(SAMPLE_RATE * 7 // 10, np.float32)
    samples = np.concatenate((speak(1, 2), pause, speak(3, 4), pause[:4000], speak(5, 6)))
    async with pool(tmp_path) as recogniser:
        with hearing() as ears:
            utterance = Utterance(recogniser, ears, policy=POLICY, live=True)
            updates = await live(utterance, samples, seconds=2)
            again = Utterance(recogniser, ears, policy=POLICY)
            plain = await transcribe(again, samples.tobytes())
    assert words(updates) == words(plain)


async def test_no_guess_is_made_while_every_worker_is_busy(tmp_path):
    samples = np.concatenate((speak(*range(1, 6)), np.zeros(SAMPLE_RATE, np.float32)))
    async with pool(tmp_path, workers=1, speed=4) as recogniser:
        with hearing() as ears:
            busy = Utterance(recogniser, ears, policy=POLICY)
            other = asyncio.create_task(transcribe(busy, phrases(*range(10, 15)).tobytes()))
            await asyncio.sleep(0.2)
            utterance = Utterance(recogniser, ears, policy=POLICY, live=True, partials=True)
            updates = await live(utterance, samples, seconds=1)
            assert words(await other) == said(range(10, 15))
    assert words(updates) == said(range(1, 6))
    assert not any(update.partial for update in updates[:1])


async def test_leaving_in_the_middle_of_a_guess_leaves_nothing(tmp_path, complaints):
    async with pool(tmp_path, speed=1) as recogniser:
        with hearing() as ears:
            utterance = Utterance(recogniser, ears, policy=POLICY, live=True, partials=True)
            sending = asyncio.create_task(speak_slowly(utterance, speak(1, 2, 3), seconds=0.6))
            updates = utterance.updates()
            waiting = asyncio.ensure_future(anext(updates))
            await asyncio.sleep(1)
            waiting.cancel()
            await asyncio.wait([waiting])
            await updates.aclose()
            await sending
            await nothing_left(recogniser)
    assert complaints == []


async def test_of_a_long_phrase_only_the_last_sentence_is_still_to_come(tmp_path):
    pause = np.zeros(SAMPLE_RATE * 45 // 100, np.float32)
    samples = np.concatenate((speak(*range(1, 9)), pause, speak(9, 10, 11), pause[:4800]))
    async with pool(tmp_path, speed=10) as recogniser:
        with hearing() as ears:
            plain = await transcribe(Utterance(recogniser, ears), samples.tobytes())
            utterance = Utterance(recogniser, ears, live=True)
            updates = await live(utterance, samples, seconds=len(samples) / SAMPLE_RATE / 3)
    assert words(updates) == words(plain) == said(range(1, 12))
    ends = [update.covered for update in updates if update.tokens]
    assert len(ends) == 2, "the beginning served"
    assert len(speak(*range(1, 9))) < ends[0] * SAMPLE_RATE < len(speak(*range(1, 9))) + len(pause)
    assert updates[-1].covered == plain[-1].covered


async def test_the_last_word_is_not_cut_off_from_what_was_said_before_it(tmp_path):
    pause = np.zeros(SAMPLE_RATE * 45 // 100, np.float32)
    word = speak(9)[: SAMPLE_RATE // 2]
    samples = np.concatenate((speak(*range(1, 9)), pause, word, pause[:4800]))
    async with pool(tmp_path, speed=10) as recogniser:
        with hearing() as ears:
            await transcribe(Utterance(recogniser, ears), samples.tobytes())  # tells how fast it is
            utterance = Utterance(recogniser, ears, live=True)
            updates = await live(utterance, samples, seconds=len(samples) / SAMPLE_RATE / 3)
    assert words(updates)[:8] == said(range(1, 9))
    assert len([update for update in updates if update.tokens]) == 1
