"""The archive, in real folders, with real mp3."""

from __future__ import annotations

import asyncio
import errno
import os
import resource
import sys
import time
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest

from capswriter.audio import SAMPLE_RATE
from capswriter.audio.decode import AudioFile
from capswriter.dictation.archive import Archive, read_archive, remove_archived
from capswriter.dictation.archive.names import first_words, moment_in

pytestmark = pytest.mark.anyio

MOMENT = datetime(2026, 11, 22, 8, 30, 15).astimezone()
BEGUN = MOMENT.timestamp() + 0.25


def hum(seconds: float, hertz: float = 440.0) -> bytes:
    at = np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    return (12_000 * np.sin(2 * np.pi * hertz * at)).astype("<i2").tobytes()


async def keep(folder: Path, text: str, begun: float = BEGUN, audio: bytes = b"", **options):
    told: list[str] = []
    async with Archive(folder, on_trouble=told.append, **options) as archive:
        page = await archive.keep(text, begun, audio)
    return page, told


async def test_a_dictation_is_a_recording_and_a_line_of_the_day(tmp_path):
    page, told = await keep(tmp_path, "今天天气很好, let us go.", audio=hum(2.5))
    assert told == []
    assert page == tmp_path / "2026" / "11" / "22.md"
    [sound] = (tmp_path / "2026" / "11" / "assets").iterdir()
    assert sound.name == "(20261122-083015)今天天气很好, let us go.mp3"
    assert page.read_text("utf-8") == (
        "# 2026-11-22\n\n"
        "[08:30:15](assets/%2820261122-083015%29今天天气很好%2C%20let%20us%20go.mp3)"
        " 今天天气很好, let us go.\n\n"
    )
    with AudioFile(sound) as file:
        heard = np.concatenate(list(file.blocks()))
    assert len(heard) / SAMPLE_RATE == pytest.approx(2.5, abs=0.1)
    loudest = np.argmax(np.abs(np.fft.rfft(heard))) * SAMPLE_RATE / len(heard)
    assert loudest == pytest.approx(440, abs=2)


async def test_what_is_kept_is_read_again(tmp_path):
    texts = ["a_b *c* [d](e) <f> & \\g", "第二句", "same", "two\nlines"]
    async with Archive(tmp_path) as archive:
        for place, text in enumerate(texts):
            await archive.keep(text, BEGUN + place, hum(0.3) if place % 2 else b"")
    found = read_archive(tmp_path)
    assert [each.text for each in found] == [*texts[:3], "two lines"]
    assert [each.begun for each in found] == [MOMENT.timestamp() + place for place in range(4)]
    assert [each.sound is not None and each.sound.is_file() for each in found] == [
        False,
        True,
        False,
        True,
    ]


async def test_the_same_words_in_the_same_second_get_a_number(tmp_path):
    async with Archive(tmp_path) as archive:
        await asyncio.gather(*(archive.keep("Yes.", BEGUN, hum(0.2)) for _ in range(3)))
    names = {path.name for path in (tmp_path / "2026" / "11" / "assets").iterdir()}
    assert names == {f"(20261122-083015)Yes{end}.mp3" for end in ("", " 2", " 3")}
    assert len({each.sound for each in read_archive(tmp_path)}) == 3


async def test_the_diary_alone_and_nothing_at_all(tmp_path):
    await keep(tmp_path, "words", audio=hum(0.2), recordings=False)
    assert not list(tmp_path.rglob("assets"))
    async with Archive(tmp_path) as archive:
        archive.is_on = False
        assert await archive.keep("private", BEGUN, hum(0.2)) is None
        archive.is_on = True
        assert await archive.keep("  \n", BEGUN, hum(0.2)) is None
    assert [each.text for each in read_archive(tmp_path)] == ["words"]


async def test_a_long_recording_does_not_hold_up_the_loop(tmp_path):
    longest = before = 0.0

    async def watch() -> None:
        nonlocal longest, before
        before = time.monotonic()
        while True:
            await asyncio.sleep(0.005)
            longest = max(longest, time.monotonic() - before)
            before = time.monotonic()

    watching = asyncio.create_task(watch())
    started = time.monotonic()
    await keep(tmp_path, "long", audio=hum(120))
    watching.cancel()
    assert longest < max(0.5, (time.monotonic() - started) / 2)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("C:\\dir/file*?.txt", "C dir file .txt"),
        ("CON", "CON"),
        ("  ends with dots...", "ends with dots"),
        ("tab\tand\nline\u3000and\u200bno\x00thing", "tab and line andnothi"[:20]),
        ("e\u0301te\u0301", "été"),
        ("a" * 300, "a" * 20),
        ("👩‍💻" * 50, None),
        ("…。！", "…。！"),
        ("\udc80broken", "broken"),
        ("", ""),
    ],
)
def test_names_suit_every_file_system(text, words):
    made = first_words(text)
    if words is not None:
        assert made == words
    assert len(made) <= 20
    assert len(made.encode()) <= 120
    assert not set(made) & set('/\\:*?"<>|')
    assert made.isprintable()
    assert made == made.strip(" ")
    assert not made.endswith(".")


async def test_strange_texts_are_kept(tmp_path):
    texts = ["../../../etc/passwd", "CON", "\x00\x01", "x" * 5000, "(a) [b", "100% #1 ?", "\udc80"]
    async with Archive(tmp_path / "deep" / "er") as archive:
        for text in texts:
            assert await archive.keep(text, BEGUN, hum(0.1)) is not None
    sounds = list(tmp_path.rglob("*.mp3"))
    assert len(sounds) == len(texts)
    assert {path.parent for path in sounds} == {tmp_path / "deep" / "er" / "2026" / "11" / "assets"}
    assert {each.sound for each in read_archive(tmp_path / "deep" / "er")} <= set(sounds)


def aged(days: float) -> float:
    return time.time() - days * 24 * 3600


async def test_old_recordings_go_and_their_links_become_times(tmp_path):
    async with Archive(tmp_path, retention=30) as archive:
        await archive.keep("old", aged(31), hum(0.1))
        await archive.keep("young", aged(29), hum(0.1))
        page = await archive.keep("old as well", aged(31) + 5, b"")
        mine = page.parent / "assets" / "mine.mp3"
        mine.write_bytes(b"not ours")
        page.write_bytes(
            page.read_bytes().replace(b"\n", b"\r\n") + b"\xff [my own](assets/mine.mp3)"
        )
        page.chmod(0o640)
        assert await archive.clean() == 1
        assert await archive.clean() == 0
    assert mine.exists()
    assert len([each for each in tmp_path.rglob("*.mp3") if each != mine]) == 1
    found = {each.text: each for each in read_archive(tmp_path)}
    assert set(found) == {"old", "young", "old as well"}
    assert found["old"].sound is None
    assert found["young"].sound.exists()
    assert page.read_bytes().endswith(b"\r\n\xff [my own](assets/mine.mp3)")
    assert page.stat().st_mode & 0o777 == 0o640 or sys.platform == "win32"


async def test_without_a_limit_nothing_goes(tmp_path):
    async with Archive(tmp_path) as archive:
        await archive.keep("old", aged(5000), hum(0.1))
        assert await archive.clean() == 0
    assert list(tmp_path.rglob("*.mp3"))


async def test_one_dictation_is_removed_and_no_other(tmp_path):
    async with Archive(tmp_path) as archive:
        await archive.keep("hello", BEGUN, b"")
        await archive.keep("hello world", BEGUN, hum(0.1))
        await archive.keep("later", BEGUN + 1, hum(0.1))
    by_text = {each.text: each for each in read_archive(tmp_path)}
    remove_archived(by_text["hello world"])
    assert [each.text for each in read_archive(tmp_path)] == ["hello", "later"]
    assert len(list(tmp_path.rglob("*.mp3"))) == 1
    remove_archived(by_text["hello"])
    assert [each.text for each in read_archive(tmp_path)] == ["later"]
    remove_archived(by_text["hello"])  # is gone already


async def test_a_page_cannot_make_us_remove_other_files(tmp_path):
    page = tmp_path / "2026" / "11" / "22.md"
    page.parent.mkdir(parents=True)
    (tmp_path / "precious").write_text("x")
    for link in (
        "../../precious",
        "assets/../../../precious",
        str(tmp_path / "precious"),
        "assets/..",
    ):
        page.write_text(f"[08:00:00]({link}) text\n")
        [archived] = read_archive(tmp_path)
        assert archived.sound is None
        remove_archived(archived)
    assert (tmp_path / "precious").exists()


def test_names_of_others_have_no_time():
    assert moment_in("(20261122-083015)x.mp3") == MOMENT
    for name in ("x.mp3", "(20261322-083015)x.mp3", "20261122-083015.mp3"):
        assert moment_in(name) is None


# Trouble


async def test_a_folder_that_cannot_be_made_is_one_line_until_it_is_mended(tmp_path):
    (tmp_path / "file").write_text("in the way")
    told: list[str] = []
    folder = tmp_path / "file" / "archive"
    async with Archive(folder, on_trouble=told.append) as archive:
        for _ in range(3):
            assert await archive.keep("words", BEGUN, hum(0.1)) is None
        assert len(told) == 1
        assert str(folder) in told[0]
        assert "dictation goes on without it" in told[0]
        (tmp_path / "file").unlink()
        assert await archive.keep("words", BEGUN, hum(0.1)) is not None
        (folder / "2026").rename(tmp_path / "aside")
        (folder / "2026").write_text("in the way")
        assert await archive.keep("words", BEGUN, hum(0.1)) is None
    assert len(told) == 2


def _with_little_room(job, size: int):
    """Do something in a process of its own whose files cannot grow beyond ``size``: a full disk."""
    child = os.fork()
    if child == 0:
        import signal

        status = 1
        try:
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
            status = 0 if job() else 2
        except BaseException:  # noqa: BLE001  nothing may come back from a fork
            import traceback

            traceback.print_exc()
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


@pytest.mark.skipif(sys.platform == "win32", reason="there is no such limit")
@pytest.mark.filterwarnings("ignore:This process")  # forking beside threads
def test_a_full_disk_costs_the_recording_and_leaves_no_half_of_it(tmp_path):
    def job() -> bool:
        page, told = asyncio.run(keep(tmp_path, "the text stays", audio=hum(10)))
        return page is None and len(told) == 1 and "cannot be written" in told[0]

    _with_little_room(job, 20_000)
    assert [each.text for each in read_archive(tmp_path)] == ["the text stays"]
    assert list((tmp_path / "2026" / "11" / "assets").iterdir()) == []


@pytest.mark.skipif(sys.platform == "win32", reason="there is no such limit")
@pytest.mark.filterwarnings("ignore:This process")
def test_a_page_gets_a_whole_line_or_none(tmp_path):
    page, _ = asyncio.run(keep(tmp_path, "before"))
    before = page.read_bytes()

    def job() -> bool:
        _, told = asyncio.run(keep(tmp_path, "y" * 1000))
        return len(told) == 1

    _with_little_room(job, len(before) + 100)
    assert page.read_bytes() == before


async def test_an_error_in_the_middle_of_encoding_leaves_nothing(tmp_path, monkeypatch):
    from capswriter.dictation.archive import mp3

    def broken(path, audio):
        path.write_bytes(b"half")
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(mp3, "_encode", broken)
    page, told = await keep(tmp_path, "words", audio=hum(0.1))
    assert page is None
    assert "input/output error" in told[0]
    assert list((tmp_path / "2026" / "11" / "assets").iterdir()) == []
