"""From a client's bytes to samples."""

from __future__ import annotations

import itertools
import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from media import tone, write

from capswriter.audio import SAMPLE_RATE
from capswriter.audio.decode import DecodeFailed
from capswriter.audio.g711 import decode_alaw, decode_ulaw
from capswriter.sessions import AudioFormat, AudioTooLong, BadAudio
from capswriter.sessions.intake import PIECE, Intake


def all_of(intake: Intake) -> np.ndarray:
    pieces, last = [], False
    while not last:
        piece, last = intake.take()
        pieces.append(piece)
    return np.concatenate(pieces)


def given_bytes(audio_format: AudioFormat, *pieces: bytes, longest: float = 60.0) -> np.ndarray:
    intake = Intake(audio_format, longest=longest)
    try:
        for piece in pieces:
            intake.write(piece)
        intake.end()
        return all_of(intake)
    finally:
        intake.close()


def in_frames(content: bytes, cuts: list[int]) -> list[bytes]:
    edges = [0, *sorted(min(cut, len(content)) for cut in cuts), len(content)]
    return [content[start:end] for start, end in itertools.pairwise(edges)]


floats = st.lists(st.floats(-1, 1, width=32), max_size=50)
cuts = st.lists(st.integers(0, 200), max_size=20)


@given(floats, cuts)
def test_floats_come_through_in_frames_of_any_length(values, cuts):
    samples = np.array(values, "<f4")
    taken = given_bytes(AudioFormat.F32LE, *in_frames(samples.tobytes(), cuts))
    assert taken.dtype == np.float32
    np.testing.assert_array_equal(taken, samples)


@given(st.lists(st.integers(-32_768, 32_767), max_size=50), cuts)
def test_integers_are_scaled_in_frames_of_any_length(values, cuts):
    samples = np.array(values, "<i2")
    taken = given_bytes(AudioFormat.S16LE, *in_frames(samples.tobytes(), cuts))
    assert taken.dtype == np.float32
    np.testing.assert_array_equal(taken, samples / np.float32(32_768))


@given(floats, cuts, st.lists(st.booleans(), min_size=21, max_size=21))
def test_it_does_not_matter_when_samples_are_taken(values, cuts, takes):
    samples = np.array(values, "<f4")
    intake = Intake(AudioFormat.F32LE, longest=60)
    taken = []
    for frame, take in zip(in_frames(samples.tobytes(), cuts), takes, strict=False):
        intake.write(frame)
        if take:
            piece, last = intake.take()
            assert not last
            taken.append(piece)
    intake.end()
    np.testing.assert_array_equal(np.concatenate([*taken, all_of(intake)]), samples)
    assert intake.taken == len(samples)
    assert intake.received == samples.nbytes
    intake.close()


@pytest.mark.parametrize("length", [0, 1, PIECE - 1, PIECE, PIECE + 1, 2 * PIECE])
def test_no_sample_is_lost_at_the_borders_of_pieces(length):
    samples = np.arange(length, dtype="<f4")
    np.testing.assert_array_equal(given_bytes(AudioFormat.F32LE, samples.tobytes()), samples)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_samples_that_are_not_numbers_are_refused(bad):
    samples = np.zeros(100, "<f4")
    samples[50] = bad
    with pytest.raises(BadAudio, match="not numbers"):
        given_bytes(AudioFormat.F32LE, samples.tobytes())


def test_pcm_that_is_too_long_is_refused_as_it_arrives():
    intake = Intake(AudioFormat.S16LE, longest=3600)
    intake.write(bytes(3600 * SAMPLE_RATE * 2))
    with pytest.raises(AudioTooLong, match="1 h"):
        intake.write(bytes(2))
    intake.close()


@pytest.fixture
def flac(tmp_path) -> bytes:
    return write(tmp_path / "a.flac", tone(440, 3, 48_000), 48_000, "flac").read_bytes()


def test_a_container_that_is_too_long_is_refused_when_it_is_decoded(flac):
    with pytest.raises(AudioTooLong):
        given_bytes(AudioFormat.CONTAINER, flac, longest=2.0)


@pytest.mark.parametrize(
    ("name", "codec"),
    [("a.flac", "flac"), ("a.ogg", "libopus"), ("a.webm", "libopus"), ("a.wav", "pcm_s16le")],
)
def test_a_container_is_decoded_while_it_comes_byte_by_byte(tmp_path, name, codec):
    noise = np.random.default_rng(1).normal(0, 0.1, 8 * 16_000).astype(np.float32)
    content = write(tmp_path / name, noise, 16_000, codec).read_bytes()
    expected = given_bytes(AudioFormat.CONTAINER, content)
    assert len(expected) == pytest.approx(8 * SAMPLE_RATE, abs=1600)
    intake = Intake(AudioFormat.CONTAINER, longest=60)
    assert intake.blocks_its_thread
    taken: list[np.ndarray] = []
    first = threading.Event()

    def take() -> None:
        last = False
        while not last:
            piece, last = intake.take()
            taken.append(piece)
            first.set()

    reader = threading.Thread(target=take)
    reader.start()
    most = len(content) * 9 // 10
    for start in range(most):
        intake.write(content[start : start + 1])
    assert first.wait(10)  # before its end has come
    intake.write(content[most:])
    intake.end()
    reader.join(10)
    np.testing.assert_allclose(np.concatenate(taken), expected, atol=1e-6)
    intake.close()


def test_a_container_that_breaks_off_fails_after_what_is_there(flac):
    intake = Intake(AudioFormat.CONTAINER, longest=60)
    intake.write(flac[: len(flac) // 3])
    intake.end()
    with pytest.raises(DecodeFailed, match=r"s of 3\.0 s could be decoded"):
        all_of(intake)
    assert intake.taken > 0
    intake.close()


@pytest.mark.parametrize("content", [b"", b"no sound at all", bytes(10_000)])
def test_bytes_that_are_no_container_are_refused(content):
    with pytest.raises(DecodeFailed, match="the audio: "):
        given_bytes(AudioFormat.CONTAINER, content)


def test_closing_frees_a_thread_that_waits_for_more_of_a_container(flac):
    intake = Intake(AudioFormat.CONTAINER, longest=60)
    intake.write(flac[:100])
    failures: list[Exception] = []

    def take() -> None:
        try:
            all_of(intake)
        except DecodeFailed as error:
            failures.append(error)

    reader = threading.Thread(target=take)
    reader.start()
    intake.close()
    reader.join(10)
    assert not reader.is_alive()
    assert failures


@pytest.mark.parametrize(
    ("audio_format", "rate"),
    [("s16le", 48_000), ("s16le", 8_000), ("ulaw", 8_000), ("alaw", 8_000)],
)
def test_other_rates_and_encodings_are_the_same_sound(audio_format, rate):
    tone = np.sin(2 * np.pi * 300 * np.arange(3 * rate) / rate) * 0.25
    pcm = np.round(tone * 32_767).astype("<i2")
    content = pcm.tobytes()
    if audio_format != "s16le":
        decode = {"ulaw": decode_ulaw, "alaw": decode_alaw}[audio_format]
        table = decode(bytes(range(256))).astype(int)
        nearest = np.abs(table[None, :] - pcm[:, None].astype(int)).argmin(axis=1)
        content = nearest.astype(np.uint8).tobytes()
    intake = Intake(AudioFormat(audio_format), rate=rate, longest=60)
    for start in range(0, len(content), 1001):
        intake.write(content[start : start + 1001])
    intake.end()
    blocks, last = [], False
    while not last:
        block, last = intake.take()
        blocks.append(block)
    intake.close()
    heard = np.concatenate(blocks)
    expected = np.sin(2 * np.pi * 300 * np.arange(3 * SAMPLE_RATE) / SAMPLE_RATE) * 0.25
    assert len(heard) == 3 * SAMPLE_RATE
    assert np.abs(heard[500:-500] - expected[500:-500]).max() < 0.02
    assert intake.seconds == 3
