"""Whisper, the real model."""

from __future__ import annotations

import re
import shutil
from typing import TYPE_CHECKING

import numpy as np
import pytest
from recordings import samples_of

from capswriter.audio import SAMPLE_RATE
from capswriter.engines import EngineFailed, Options, load
from capswriter.engines.whisper import LOOP_REPEATS, LOOP_TOKENS, _Decoded

if TYPE_CHECKING:
    from pathlib import Path

    from capswriter.transcript import Transcript

JFK = (
    "And so my fellow Americans, ask not what your country can do for you, "
    "ask what you can do for your country."
)


@pytest.fixture(scope="module")
def engine(whisper_base):
    return load(whisper_base, threads=2)


@pytest.fixture(scope="module")
def jfk(engine, speech) -> Transcript:
    return engine.transcribe(samples_of(speech / "jfk.flac"), Options())


def words_of(text: str) -> list[str]:
    return re.findall(r"\w+", text.lower())


@pytest.mark.model
@pytest.mark.speech
def test_every_word_is_right(jfk):
    assert words_of(jfk.text) == words_of(JFK)
    assert jfk.language == "en"


@pytest.mark.model
@pytest.mark.speech
def test_the_tokens_joined_are_the_text(jfk):
    assert "".join(token.text for token in jfk.tokens) == jfk.text
    assert jfk.text == jfk.text.strip()
    assert len(jfk.tokens) == len(JFK.split())


@pytest.mark.model
@pytest.mark.speech
def test_times_are_in_order_and_near_the_truth(jfk):
    starts = [token.start for token in jfk.tokens]
    assert starts == sorted(starts)
    assert all(0 <= token.start <= token.end <= 11.0 for token in jfk.tokens)
    asks = [token.start for token in jfk.tokens if words_of(token.text) == ["ask"]]
    countries = [token.end for token in jfk.tokens if words_of(token.text) == ["country"]]
    # Silero hears silence from 2.2 to 3.3 s and from 7.6 to 8.2 s, and nothing after 10.5 s.
    assert 2.2 < asks[0] < 3.6
    assert 7.5 < asks[1] < 8.5
    assert countries[0] == pytest.approx(6.3, abs=0.4)  # "country can do for you" ends at 7.6 s
    assert countries[1] == pytest.approx(10.5, abs=0.4)


@pytest.mark.model
@pytest.mark.parametrize("level", [0.0, 0.01])
def test_silence_and_noise_do_not_break_it(engine, level):
    noise = np.random.default_rng(1).normal(0, level, 3 * SAMPLE_RATE).astype(np.float32)
    transcript = engine.transcribe(noise, Options(language="en"))
    assert "".join(token.text for token in transcript.tokens) == transcript.text


@pytest.mark.model
@pytest.mark.parametrize("length", [1, 160, 400])
def test_a_few_samples_do_not_break_it(engine, length):
    transcript = engine.transcribe(np.zeros(length, np.float32), Options(language="en"))
    assert all(token.end <= length / SAMPLE_RATE for token in transcript.tokens)


@pytest.mark.model
def test_more_than_it_takes_is_refused(engine):
    assert engine.traits.maximum == 30
    with pytest.raises(EngineFailed, match=r"30\.1 s of audio at once; whisper takes 30 s"):
        engine.transcribe(np.zeros(round(30.1 * SAMPLE_RATE), np.float32), Options())


@pytest.mark.model
@pytest.mark.speech
def test_half_a_minute_is_taken_whole(engine, speech):
    stream = samples_of(speech / "two_cities_16k.wav")[: 30 * SAMPLE_RATE]
    transcript = engine.transcribe(stream, Options(language="en"))
    assert words_of(transcript.text)[:6] == ["it", "was", "the", "best", "of", "times"]
    assert transcript.tokens[-1].end > 28
    assert transcript.text.lower().count("it was the") >= 9


@pytest.mark.model
def test_an_unknown_language_is_refused_with_those_it_knows(engine):
    with pytest.raises(EngineFailed) as refusal:
        engine.transcribe(np.zeros(SAMPLE_RATE, np.float32), Options(language="klingon"))
    assert str(refusal.value).startswith("language 'klingon' is not one of: auto, af, am, ")
    assert "\n" not in str(refusal.value)
    assert {"en", "zh", "ja"} <= engine.traits.languages


@pytest.mark.model
@pytest.mark.speech
def test_languages_are_told_apart_and_a_given_one_is_used(engine, speech):
    chinese = samples_of(speech / "light_zh.wav")
    found = engine.transcribe(chinese, Options())
    assert found.language == "zh"
    assert "灯" in found.text or "燈" in found.text
    assert all(token.text == token.text.strip() for token in found.tokens)
    forced = engine.transcribe(chinese, Options(language="en"))
    assert forced.language == "en"
    assert forced.text != found.text


@pytest.mark.model
@pytest.mark.speech
def test_a_prompt_changes_how_a_word_is_written_and_adds_none(engine, speech, jfk):
    stream = samples_of(speech / "jfk.flac")
    prompted = engine.transcribe(stream, Options("en", "my fellow AMERICANS, my COUNTRY"))
    assert words_of(prompted.text) == words_of(jfk.text)
    assert prompted.text != jfk.text
    endless = engine.transcribe(stream, Options("en", " ".join(f"term {n}," for n in range(500))))
    assert words_of(endless.text)[-2:] == ["your", "country"]


@pytest.mark.model
@pytest.mark.speech
def test_the_same_audio_gives_the_same_text(engine, speech, jfk):
    assert engine.transcribe(samples_of(speech / "jfk.flac"), Options()) == jfk


@pytest.mark.model
@pytest.mark.parametrize("content", [b"", b"no model", bytes(100_000)])
def test_a_damaged_model_is_said_in_one_line(whisper_base, tmp_path, content):
    for name in ("config.json", "tokenizer.json", "vocabulary.txt"):
        shutil.copy(whisper_base / name, tmp_path)
    (tmp_path / "model.bin").write_bytes(content)
    with pytest.raises(EngineFailed) as refusal:
        load(tmp_path)
    assert str(refusal.value).startswith(f"the model in {tmp_path} cannot be loaded: ")
    assert "\n" not in str(refusal.value)


@pytest.mark.model
@pytest.mark.parametrize("name", ["tokenizer.json", "config.json"])
def test_a_damaged_file_beside_the_model_is_said_in_one_line(whisper_base, tmp_path, name):
    for path in whisper_base.iterdir():
        (tmp_path / path.name).symlink_to(path)
    (tmp_path / name).unlink()
    (tmp_path / name).write_text("{")
    with pytest.raises(EngineFailed) as refusal:
        load(tmp_path)
    assert "\n" not in str(refusal.value)


def test_a_directory_without_a_model_is_refused(tmp_path: Path):
    with pytest.raises(EngineFailed, match=r"holds no model that can be loaded \(expected whisper"):
        load(tmp_path)


def decoded(ids: list[int], *, log_probability: float = -0.2, no_speech: float = 0.0) -> _Decoded:
    return _Decoded(ids, "text", log_probability, no_speech)


@pytest.mark.parametrize(
    "ids",
    [
        [7] * LOOP_TOKENS,
        [1, 2, 3, *[7] * 100],
        [*range(50), *[1, 2, 3, 4, 5] * LOOP_REPEATS],
        [*range(30)] * LOOP_REPEATS,
        [1, 2, 3] * 10,
    ],
)
def test_a_decoder_that_repeats_itself_to_the_end_loops(ids):
    assert decoded(ids).loops


@pytest.mark.parametrize(
    "ids",
    [
        [],
        [7] * (LOOP_TOKENS - 1),
        [*range(100)],
        [1, 2, 3, 4, 5, 6] * (LOOP_REPEATS - 1),
        [*[1, 2, 3, 4, 5] * LOOP_REPEATS, *range(50)],
        [token for clause in range(12) for token in (1, 2, 3, 10 + clause, 9)],  # it was the … of
    ],
)
def test_anaphora_and_a_repeat_that_ends_are_no_loop(ids):
    assert not decoded(ids).loops


def test_only_what_is_both_unlikely_and_soundless_is_silence():
    assert decoded([1], log_probability=-1.5, no_speech=0.9).is_silence
    assert not decoded([1], log_probability=-0.5, no_speech=0.9).is_silence
    assert not decoded([1], log_probability=-1.5, no_speech=0.3).is_silence
