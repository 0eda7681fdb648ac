"""``capswriter history``, run as a user runs it, over a real journal and archive."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time

import numpy as np
import pytest
from client.emulated import V2, serving_in_thread

from capswriter.dictation.archive import Archive, read_archive
from capswriter.dictation.history import choose, find, read_history
from capswriter.dictation.journal import Journal, NoSuchDictation, State, read_journal

SECOND = np.full(16_000, 1000, "<i2").tobytes()


@pytest.fixture
def data(tmp_path):
    return tmp_path / "data"


@pytest.fixture
def command(tmp_path, data):
    """Run the command with a journal and an archive of its own."""
    clean = {name: value for name, value in os.environ.items() if "CAPSWRITER" not in name}
    environment = clean | {
        "XDG_CONFIG_HOME": str(tmp_path / "nothing"),
        "XDG_DATA_HOME": str(data),
        "CAPSWRITER_DICTATION_ARCHIVE_FOLDER": str(tmp_path / "archive"),
        "PYTHONUTF8": "1",
    }

    def command(*arguments, **more):
        return subprocess.run(
            [sys.executable, "-W", "error", "-m", "capswriter", "history", *map(str, arguments)],
            cwd=tmp_path,
            env=environment | more,
            capture_output=True,
            text=True,
            encoding="utf-8",
            timeout=60,
            check=False,
        )

    return command


@pytest.fixture
def journal(data):
    return data / "capswriter" / "dictations"


@pytest.fixture
def dictated(journal, tmp_path):
    """Four dictations in the journal; the first is in the archive too, which has an older one."""

    async def dictate() -> None:
        async with Journal(journal) as made, Archive(tmp_path / "archive") as archive:
            await archive.keep("an old one, 很久以前", time.time() - 30 * 24 * 3600, SECOND)
            for text, end in (
                ("first words", "delivered"),
                ("他说 second *words*", "unsent"),
                (None, "unsent"),
                ("never mind", "cancelled"),
            ):
                entry = made.begin()
                entry.add(SECOND)
                await entry.close()
                if text is not None:
                    await entry.recognised(text)
                if end == "delivered":
                    await entry.delivering()
                    await entry.delivered()
                    await archive.keep(text, entry.record.begun, SECOND)
                elif end == "unsent":
                    await entry.put_off("the server was away")
                else:
                    await entry.cancel()
                await asyncio.sleep(0.01)

    asyncio.run(dictate())


def rows(done) -> list[list[str]]:
    assert done.returncode == 0, done.stderr
    return [line.split("\t") for line in done.stdout.splitlines()]


def test_an_empty_history_says_so(command):
    done = command()
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr == "there is nothing of that kind in the history\n"


def test_it_lists_the_newest_first_and_each_once(command, dictated):
    listed = rows(command())
    assert [row[0] for row in listed] == ["1", "2", "3", "4", "5"]
    assert [row[2] for row in listed] == [
        "cancelled",
        "unsent",
        "unsent",
        "delivered",
        "archived",
    ]
    assert [row[3] for row in listed] == [
        "never mind",
        "",
        "他说 second *words*",
        "first words",
        "an old one, 很久以前",
    ]


def test_searching_limits_and_unsent_keep_the_numbers(command, dictated):
    assert [row[0] for row in rows(command("--search", "WORDS first"))] == ["4"]
    assert [row[0] for row in rows(command("--search", "很久"))] == ["5"]
    assert [row[0] for row in rows(command("--unsent"))] == ["2", "3"]
    assert [row[0] for row in rows(command("--limit", "2"))] == ["1", "2"]


def test_one_is_shown_by_number_and_by_name(command, dictated, journal):
    shown = command("3")
    assert "state: unsent\nbecause: the server was away\n" in shown.stdout
    assert shown.stdout.endswith("\n\n他说 second *words*\n")
    [name] = [line[6:] for line in shown.stdout.splitlines() if line.startswith("name: ")]
    assert command(name).stdout == shown.stdout
    assert f"recording: {journal / name / 'audio.wav'}" in shown.stdout


def test_what_is_not_there_is_one_line(command, dictated):
    for wrong in ("99", "0", "../x"):
        done = command(wrong)
        assert done.returncode == 1
        assert done.stderr == (
            f"capswriter: there is no dictation {wrong}: 'capswriter history' lists them\n"
        )
    done = command("1", "--delete", "2")
    assert done.returncode == 2
    assert "one thing at a time" in done.stderr


def test_deleting_removes_it_everywhere_and_no_other(command, dictated, journal, tmp_path):
    before = {record.name for record in read_journal(journal)}
    done = command("--delete", "4")
    assert done.returncode == 0
    [gone] = before - {record.name for record in read_journal(journal)}
    assert done.stdout == f"removed {gone}\n"
    assert [each.text for each in read_archive(tmp_path / "archive")] == ["an old one, 很久以前"]
    assert len(list((tmp_path / "archive").rglob("*.mp3"))) == 1
    assert command("--delete", "4").returncode == 0  # now the old one
    assert list((tmp_path / "archive").rglob("*.mp3")) == []
    assert len(read_journal(journal)) == 3


def test_what_a_running_client_has_is_not_deleted(command, journal):
    async def begin() -> subprocess.CompletedProcess[str]:
        async with Journal(journal) as made:
            entry = made.begin()
            await entry.add(SECOND)
            return await asyncio.to_thread(command, "--delete", "1")

    done = asyncio.run(begin())
    assert done.returncode == 1
    assert "in the hands of a running client" in done.stderr
    assert len(read_journal(journal)) == 1


def test_a_recording_is_recognised_again_and_the_text_kept(command, dictated, journal):
    with serving_in_thread(V2()) as url:
        done = command("--transcribe", "2", "--server", url)
        again = command("--transcribe", "4", "--server", url)
        old = command("--transcribe", "5", "--server", url)
    assert (done.returncode, done.stdout) == (0, "Hello, world.\n"), done.stderr
    assert again.stdout == old.stdout == "Hello, world.\n"
    kept, delivered = [read_history(journal)[place] for place in (1, 3)]
    assert (kept.text, kept.record.state) == ("Hello, world.", State.KEPT)
    assert (delivered.text, delivered.record.state) == ("Hello, world.", State.DELIVERED)


def test_no_server_is_one_line_and_changes_nothing(command, dictated, journal):
    before = read_journal(journal)
    done = command("--transcribe", "2", "--server", "ws://127.0.0.1:9")
    assert done.returncode == 1
    assert done.stderr.startswith("capswriter: no server answers at ws://127.0.0.1:9")
    assert read_journal(journal) == before


def test_what_has_no_text_is_not_copied_nor_typed(command, dictated):
    for action in ("--copy", "--retype"):
        done = command(action, "2")
        assert done.returncode == 1
        assert "--transcribe" in done.stderr


def test_choosing_and_finding(journal, dictated, tmp_path):
    items = read_history(journal, tmp_path / "archive")
    assert choose(items, words="nothing like it") == []
    assert [item.number for item in choose(items, words="words", unsent=True)] == [3]
    assert find(items, items[2].name) is items[2]
    with pytest.raises(NoSuchDictation):
        find(items, "")
