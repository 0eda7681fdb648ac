"""How long a WAV file says it is."""

from __future__ import annotations

import wave

import numpy as np
import pytest

from capswriter.audio.decode import AudioFile, DecodeFailed
from capswriter.audio.riff import promised_seconds


@pytest.fixture
def ten_seconds(tmp_path):
    path = tmp_path / "ten.wav"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(44_100)
        file.writeframes(np.zeros(2 * 441_000, np.int16).tobytes())
    return path


def test_a_whole_file_promises_its_length(ten_seconds):
    assert promised_seconds(ten_seconds) == 10
    with AudioFile(ten_seconds) as file:
        assert sum(map(len, file.blocks())) == pytest.approx(160_000, abs=2)


def test_a_file_that_is_cut_short_gives_what_is_there_and_says_what_is_missing(ten_seconds):
    ten_seconds.write_bytes(ten_seconds.read_bytes()[: 44 + 4 * 44_100 * 6])
    assert promised_seconds(ten_seconds) == 10
    blocks = []
    with AudioFile(ten_seconds) as file, pytest.raises(DecodeFailed, match=r"6\.0 s of 10\.0 s"):
        blocks.extend(file.blocks())
    assert sum(map(len, blocks)) == pytest.approx(96_000, abs=2)


@pytest.mark.parametrize("size", [0, 0xFFFF_FFFF])
def test_a_recorder_that_did_not_know_the_length_promises_nothing(ten_seconds, size):
    data = bytearray(ten_seconds.read_bytes())
    data[40:44] = size.to_bytes(4, "little")
    ten_seconds.write_bytes(data)
    assert promised_seconds(ten_seconds) is None


@pytest.mark.parametrize("content", [b"", b"RIFF", b"RIFF\0\0\0\0WAVE", b"RIFF\0\0\0\0WAVEfmt "])
def test_other_files_promise_nothing(tmp_path, content):
    path = tmp_path / "x.wav"
    path.write_bytes(content)
    assert promised_seconds(path) is None
