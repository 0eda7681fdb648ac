"""``capswriter history`` on a real X server: copied, and typed again."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys

import pytest
from desktop.x_server import Hand, Window, until, x_server

from capswriter.dictation.journal import Journal, State, read_journal

PATIENCE_S = 60.0


@pytest.fixture
def display(tmp_path, monkeypatch):
    with x_server() as display:
        for name in [name for name in os.environ if name.startswith("CAPSWRITER_")]:
            monkeypatch.delenv(name)
        monkeypatch.setenv("DISPLAY", display)
        monkeypatch.setenv("XDG_SESSION_TYPE", "x11")
        monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
        monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "nothing"))
        yield display


@pytest.fixture
def journal(tmp_path):
    """A journal with a dictation that was not typed."""
    folder = tmp_path / "capswriter" / "dictations"

    async def dictate() -> None:
        async with Journal(folder) as made:
            entry = made.begin()
            entry.add(b"\0" * 3200)
            await entry.close()
            await entry.recognised("abc")
            await entry.put_off("the window was gone")

    asyncio.run(dictate())
    return folder


def history(*arguments: str, **options) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "capswriter", "history", *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )


def test_a_text_is_typed_again_and_counts_as_delivered(display, journal, tmp_path):
    window = Window(display)
    with history("--retype", "1", "--after", "0", cwd=tmp_path) as running:
        said, complaint = running.communicate(timeout=PATIENCE_S)
    assert running.returncode == 0, complaint
    assert said == "the text was typed\n"
    pressed: list[str] = []
    until(lambda: pressed.extend(window.pressed()) or len(pressed) >= 3, "the typing")
    assert pressed == ["+a", "+b", "+c"]
    window.close()
    [record] = read_journal(journal)
    assert record.state is State.DELIVERED


@pytest.mark.skipif(shutil.which("xclip") is None, reason="not installed: xclip")
def test_a_copied_text_can_be_pasted_until_enter_is_pressed(display, journal, tmp_path):
    with history("--copy", "1", cwd=tmp_path) as running:
        assert running.stdout is not None
        assert running.stdout.readline() == "the text is on the clipboard\n", running.stderr.read()
        assert "press Enter" in running.stdout.readline()
        pasted = Hand(display).run("xclip", "-selection", "clipboard", "-out")
        running.communicate("\n", timeout=PATIENCE_S)
    assert pasted == "abc"
    assert running.returncode == 0
    [record] = read_journal(journal)
    assert record.state is State.UNSENT
