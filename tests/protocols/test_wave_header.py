"""The header of a WAV file at the start of a stream, as its bytes come."""

from __future__ import annotations

import io
import struct
import time
import wave

import pytest
from hypothesis import given
from hypothesis import strategies as st

from capswriter.protocols.wave_header import (
    FLOAT,
    LONGEST,
    PCM,
    Verdict,
    WaveHeader,
    read_wave_header,
)


def wav(*, rate=16_000, channels=1, width=2, frames=100) -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setparams((channels, width, rate, 0, "NONE", ""))
        writer.writeframes(bytes(range(1, 101)) * channels * width * (frames // 100))
    return file.getvalue()


def chunk(name: bytes, content: bytes, *, size: int | None = None) -> bytes:
    length = len(content) if size is None else size
    return name + struct.pack("<I", length) + content + b"\0" * (len(content) % 2)


def riff(*chunks: bytes, kind: bytes = b"RIFF") -> bytes:
    return kind + b"\xff\xff\xff\xff" + b"WAVE" + b"".join(chunks)


FMT = struct.pack("<HHIIHH", PCM, 1, 8_000, 16_000, 2, 16)


@pytest.mark.parametrize("rate", [8_000, 16_000, 44_100, 48_000])
@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("width", [1, 2, 3])
def test_what_python_writes_is_read(rate, channels, width):
    header = read_wave_header(wav(rate=rate, channels=channels, width=width))
    assert header == WaveHeader(44, PCM, channels, rate, 8 * width, 100 * channels * width)


def test_a_header_is_known_as_soon_as_it_is_there():
    whole = wav()
    for count in range(len(whole)):
        verdict = read_wave_header(whole[:count])
        if count < 44:
            assert verdict is Verdict.INCOMPLETE, count
        else:
            assert isinstance(verdict, WaveHeader), count
            assert whole[verdict.length :][:3] == b"\1\2\3"


def test_what_a_browser_sends_in_small_frames_is_read():
    whole, start = wav(frames=1000), b""
    for at in range(0, len(whole), 960):
        start += whole[at : at + 960]
        assert isinstance(read_wave_header(start), WaveHeader)


def test_chunks_before_the_sound_are_passed_over():
    tags = chunk(b"LIST", b"INFOISFT\x05\0\0\0Lavf\0")  # an odd length: a byte of padding follows
    whole = riff(chunk(b"JUNK", b"x" * 28), chunk(b"fmt ", FMT), tags, chunk(b"data", b"abcd"))
    header = read_wave_header(whole)
    assert isinstance(header, WaveHeader)
    assert whole[header.length :] == b"abcd"
    assert (header.sample_rate, header.data_length) == (8_000, 4)
    assert read_wave_header(whole[: header.length - 1]) is Verdict.INCOMPLETE


def test_the_extensible_format_tells_what_it_really_is():
    guid = struct.pack("<H", FLOAT) + bytes.fromhex("000000001000800000aa00389b71")
    extensible = struct.pack("<HHIIHH", 0xFFFE, 2, 48_000, 384_000, 8, 32)
    content = extensible + struct.pack("<HHI", 22, 32, 3) + guid
    header = read_wave_header(riff(chunk(b"fmt ", content), chunk(b"data", b"")))
    assert header == WaveHeader(12 + 48 + 8, FLOAT, 2, 48_000, 32, None)


@pytest.mark.parametrize("size", [0, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFF])
def test_a_length_that_the_recorder_did_not_know_is_unknown(size):
    header = read_wave_header(riff(chunk(b"fmt ", FMT), chunk(b"data", b"ab", size=size)))
    assert isinstance(header, WaveHeader)
    assert header.data_length is None


def test_large_files_have_another_name():
    header = read_wave_header(riff(chunk(b"fmt ", FMT), chunk(b"data", b""), kind=b"RF64"))
    assert isinstance(header, WaveHeader)


@pytest.mark.parametrize(
    "start",
    [
        b"R\0",
        b"\0\0\0\0",
        b"RIFX",
        b"RIFF1234AVI ",
        b"RIFF1234WAVX",
        riff(chunk(b"data", b"abcd")),  # what it is, nobody knows
        riff(chunk(b"fmt ", FMT[:14]), chunk(b"data", b"abcd")),
        riff(chunk(b"PICT", b"", size=LONGEST)) + b"more",
        riff(*[chunk(b"none", b"")] * 100),
    ],
    ids=lambda start: repr(start[:24]),
)
def test_sound_and_damaged_files_are_no_header(start):
    assert read_wave_header(start) is Verdict.NONE


@pytest.mark.parametrize("start", [b"", b"R", b"RIFF", b"RIFF12", b"RIFF1234WA"])
def test_what_may_become_a_header_is_waited_for(start):
    assert read_wave_header(start) is Verdict.INCOMPLETE


@given(st.binary(max_size=200), st.booleans())
def test_no_bytes_break_it_and_a_verdict_stays(start, is_riff):
    start = riff(start) if is_riff else start
    verdicts = [read_wave_header(start[:count]) for count in range(len(start) + 1)]
    settled = [verdict for verdict in verdicts if verdict is not Verdict.INCOMPLETE]
    assert len(set(settled)) <= 1
    assert verdicts[len(verdicts) - len(settled) :] == settled


def test_a_stream_of_empty_chunks_costs_little():
    whole = riff(*[chunk(b"none", b"")] * 30_000)
    began = time.process_time()
    for _ in range(1_000):
        read_wave_header(whole)
    assert time.process_time() - began < 1
