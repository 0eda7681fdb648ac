"""The byte queue between a socket and its reader."""

from __future__ import annotations

import os
import threading
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from open_files import unnamed_files

from capswriter.sessions import AudioFormat, BadAudio
from capswriter.sessions.intake import Intake
from capswriter.sessions.spool import BLOCK, IN_MEMORY, Spool, SpoolReader

resource = pytest.importorskip("resource")


@contextmanager
def full_disk(size: int = IN_MEMORY // 2):
    """Let no file get larger."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


on_linux = pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="needs /proc")


@given(st.lists(st.one_of(st.binary(max_size=50), st.integers(0, 60)), max_size=60))
def test_bytes_come_out_as_they_went_in(actions):
    spool = Spool()
    sent = received = b""
    for action in actions:
        if isinstance(action, bytes):
            spool.write(action)
            sent += action
        else:
            piece = spool.read(action)
            assert len(piece) <= action
            received += piece
            assert sent.startswith(received)
    received += spool.read(10_000)
    assert received == sent
    assert spool.read(1) == b""
    spool.close()


@on_linux
def test_memory_is_used_up_to_the_limit_and_then_the_disk():
    before = unnamed_files()
    spool = Spool()
    spool.write(bytes(IN_MEMORY - BLOCK))
    assert unnamed_files() == before
    spool.write(b"over")
    assert unnamed_files() == before + 1
    assert spool.read(IN_MEMORY + 10) == bytes(IN_MEMORY - BLOCK) + b"over"
    spool.close()
    assert unnamed_files() == before


@on_linux
def test_single_bytes_count_with_what_keeping_them_costs():
    before = unnamed_files()
    spool = Spool()
    for _ in range(IN_MEMORY // BLOCK):
        spool.write(b".")
    assert unnamed_files() == before + 1
    assert spool.read(IN_MEMORY) == b"." * (IN_MEMORY // BLOCK)
    spool.close()


def test_order_is_kept_on_the_disk_too():
    spool = Spool()
    pieces = [bytes([number]) * (IN_MEMORY // 5) for number in range(20)]
    read = b""
    for piece in pieces:
        spool.write(piece)
        read += spool.read(IN_MEMORY // 7)
    while piece := spool.read(IN_MEMORY // 7):
        read += piece
    assert read == b"".join(pieces)
    spool.close()


@on_linux
def test_what_has_been_read_makes_room():
    before = unnamed_files()
    spool = Spool()
    for _ in range(10):
        spool.write(bytes(IN_MEMORY // 2))
        assert len(spool.read(IN_MEMORY)) == IN_MEMORY // 2
    assert unnamed_files() == before
    spool.close()


def test_a_reader_in_another_thread_gets_everything_and_then_the_end():
    spool = Spool()
    received = bytearray()

    def read() -> None:
        while piece := spool.wait_and_read(1000):
            received.extend(piece)

    reader = threading.Thread(target=read)
    reader.start()
    sent = os.urandom(100_000)
    for start in range(0, len(sent), 777):
        spool.write(sent[start : start + 777])
    spool.end()
    reader.join(10)
    assert not reader.is_alive()
    assert bytes(received) == sent
    spool.close()


def test_closing_frees_a_reader_that_waits():
    spool = Spool()
    result: list[bytes] = []
    reader = threading.Thread(target=lambda: result.append(spool.wait_and_read(10)))
    reader.start()
    spool.close()
    reader.join(10)
    assert result == [b""]


def test_a_closed_spool_drops_what_comes():
    spool = Spool()
    spool.write(b"before")
    spool.close()
    spool.write(b"after")
    assert spool.read(100) == spool.wait_and_read(100) == b""
    assert spool.ended
    spool.close()


def test_the_file_view_can_be_read_only():
    spool = Spool()
    spool.write(b"abcdef")
    spool.end()
    reader = SpoolReader(spool)
    assert reader.readable()
    assert not reader.seekable()
    assert not reader.writable()
    assert (reader.read(4), reader.read(), reader.read()) == (b"abcd", b"ef", b"")
    spool.close()


@pytest.mark.parametrize("size", [3200, IN_MEMORY])
def test_a_full_disk_is_bad_audio_for_the_writer_and_silence_for_the_reader(size):
    intake = Intake(AudioFormat.F32LE, longest=3600)

    def fill() -> None:
        for _ in range(3 * IN_MEMORY // size):
            intake.write(bytes(size))

    with full_disk(), pytest.raises(BadAudio, match=r"^the server cannot store the audio: [^\n]+$"):
        fill()
    samples, last = intake.take()
    assert (len(samples), last) == (0, False)  # it must not look like the end of all that was said
    intake.close()


def test_a_spool_on_a_full_disk_can_be_closed():
    spool = Spool()
    with full_disk():
        with pytest.raises(OSError, match="File too large"):
            spool.write(bytes(2 * IN_MEMORY))
        spool.close()
