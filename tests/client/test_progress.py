"""The lines and the bars on the standard error."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from capswriter.client.progress import Display


@pytest.fixture
def shown():
    return io.StringIO()


def test_without_a_terminal_there_are_lines_alone_and_never_wrapped(shown):
    console = Console(file=shown, width=20)
    with Display(console=console) as display:
        progress = display.file("a.wav")
        progress.covered(1.0, 2.0)
        display.line("info", "[b]a.wav[/b]: a line that is longer than twenty columns :smile:")
        progress.close()
    text = "[b]a.wav[/b]: a line that is longer than twenty columns :smile:\n"
    assert shown.getvalue() == text


def test_the_level_decides_which_lines_are_said(shown):
    with Display("warning", console=Console(file=shown, width=80)) as display:
        display.line("info", "no")
        display.file("a.wav").again("lost", 1.0)
        display.line("error", "yes")
    assert shown.getvalue() == "a.wav: lost; trying again in 1 s\nyes\n"


def test_a_terminal_has_a_bar_for_each_running_file(shown):
    console = Console(file=shown, width=100, force_terminal=True, color_system=None)
    with Display(console=console) as display:
        progress = display.file("[a].wav")
        progress.covered(3661.0, 7322.0)
        display._bars.refresh()
        assert "[a].wav" in shown.getvalue()
        assert "1:01:01/2:02:02" in shown.getvalue()
        display.file("b.ogg").covered(5.0, None)
        display._bars.refresh()
        assert "0:05/?" in shown.getvalue()
        progress.again("lost", 1.0)
        display._bars.refresh()
        assert "0:00/2:02:02" in shown.getvalue()
        progress.close()
        progress.close()
        assert [task.description for task in display._bars.tasks] == ["b.ogg"]
