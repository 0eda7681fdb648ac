"""Which text goes where, on a desktop that notes what it is told."""

from __future__ import annotations

import asyncio
import io
import subprocess
import sys

import pytest

from capswriter.dictation.output import (
    How,
    Newlines,
    Output,
    OutputSettings,
    OutputUnavailable,
    PasteKeys,
    Rule,
    Way,
    Window,
    make_desktop,
)
from capswriter.dictation.output.base import ClipboardBusy, Typed

EDITOR = Window(1, "Editor", "edit", "notes.txt")
TERMINAL = Window(2, "XTerm", "xterm", "shell")


class FakeDesktop:
    name = "fake"
    limits = ()
    paste_keys = PasteKeys.CTRL_V

    def __init__(self, window=EDITOR, *, missing=(), stops=None, busy=False, asks=False) -> None:
        self.window = window
        self._missing, self._stops, self._busy, self._asks = missing, stops, busy, asks
        self.did: list[tuple] = []

    def missing(self, way):
        return "it is not there" if way in self._missing else ""

    def focused(self):
        return self.window

    def secret(self):
        return self._asks

    def type(self, strokes, into):
        self.did.append(("type", strokes, into))
        return Typed(len(strokes)) if self._stops is None else Typed(self._stops, "the focus moved")

    def paste(self, text, keys, into):
        if self._busy:
            raise ClipboardBusy("the clipboard is busy")
        self.did.append(("paste", text, keys))
        return ""

    def copy(self, text):
        self.did.append(("copy", text))

    def close(self):
        self.did.append(("close",))


def write(desktop, text, window=None, **settings):
    output = Output.choose(OutputSettings(**settings), make=lambda: desktop)
    return asyncio.run(output.write(text, window))


def test_a_text_is_typed_without_what_would_press_keys():
    desktop = FakeDesktop()
    outcome = write(desktop, "one\r\ntwo\x1b\x03\tthree\u2028four")
    assert (outcome.how, outcome.why) == (How.TYPED, "")
    assert desktop.did == [("type", "one\ntwo\tthree\nfour", EDITOR)]


@pytest.mark.parametrize(
    ("newlines", "typed"),
    [(Newlines.ENTER, "a\nb\n"), (Newlines.SHIFT_ENTER, "a\u2028b\n"), (Newlines.SPACE, "a b\n")],
)
def test_line_breaks_and_the_enter_after(newlines, typed):
    desktop = FakeDesktop()
    write(desktop, "a\nb", newlines=newlines, enter_after=True)
    assert desktop.did == [("type", typed, EDITOR)]


def test_the_first_rule_that_says_something_decides_it():
    desktop = FakeDesktop()
    rules = [
        Rule(title="*.TXT", strip_final=True),
        Rule(window_class="editor", way=Way.PASTE, strip_final=False),
        Rule(process="other", enter_after=True),
    ]
    assert write(desktop, "好的。", rules=rules).how is How.PASTED
    assert desktop.did == [("paste", "好的", PasteKeys.CTRL_V)]


def test_terminals_are_pasted_into_with_shift_insert_unless_a_rule_says_otherwise():
    desktop = FakeDesktop(TERMINAL)
    write(desktop, "ls", way=Way.PASTE)
    rule = Rule(window_class="xterm", paste_keys=PasteKeys.CTRL_SHIFT_V)
    write(desktop, "ls", way=Way.PASTE, rules=[rule])
    assert [keys for _, _, keys in desktop.did] == [PasteKeys.SHIFT_INSERT, PasteKeys.CTRL_SHIFT_V]


def test_another_window_gets_nothing_unless_the_focus_is_followed():
    desktop = FakeDesktop(TERMINAL)
    outcome = write(desktop, "hello", EDITOR)
    assert outcome.how is How.ON_CLIPBOARD
    assert outcome.why == "the focus has moved to another window: the text is on the clipboard"
    assert desktop.did == [("copy", "hello")]
    assert write(desktop, "hello", EDITOR, follow_focus=True).how is How.TYPED
    assert desktop.did[-1] == ("type", "hello", None)


def test_what_a_window_did_not_get_is_on_the_clipboard():
    desktop = FakeDesktop(stops=3)
    outcome = write(desktop, "ab\ncd", newlines=Newlines.SHIFT_ENTER, enter_after=True)
    assert (outcome.how, outcome.written, outcome.rest) == (How.ON_CLIPBOARD, 3, "cd")
    assert outcome.why == "the focus moved: the rest is on the clipboard"
    assert desktop.did[-1] == ("copy", "cd")


def test_a_password_field_gets_nothing():
    desktop = FakeDesktop(asks=True)
    outcome = write(desktop, "hello")
    assert (outcome.how, outcome.rest, desktop.did) == (How.NOWHERE, "hello", [])


def test_a_clipboard_that_cannot_be_kept_is_not_touched():
    desktop = FakeDesktop(busy=True)
    assert write(desktop, "hello", way=Way.PASTE).how is How.TYPED
    assert desktop.did == [("type", "hello", EDITOR)]


def test_what_cannot_work_is_told_at_the_start():
    desktop = FakeDesktop(missing={Way.TYPE})
    with pytest.raises(OutputUnavailable, match="output type cannot work here: it is not there"):
        write(desktop, "hello")
    assert desktop.did == [("close",)]
    settings = OutputSettings(way=Way.PASTE, rules=[Rule(title="a", way=Way.TYPE)])
    output = Output.choose(settings, make=lambda: FakeDesktop(missing={Way.TYPE}))
    assert output.limits == ("the rules' output type cannot work here: it is not there",)


def test_printing_needs_no_desktop():
    stream = io.StringIO()
    output = Output.choose(OutputSettings(way=Way.STDOUT), make=make_desktop, stream=stream)
    assert asyncio.run(output.write("你好")).how is How.PRINTED
    assert stream.getvalue() == "你好\n"


def test_without_a_desktop_it_is_one_line():
    with pytest.raises(OutputUnavailable, match="use output stdout"):
        make_desktop(platform="linux", environment={})


def test_it_is_imported_without_any_library():
    program = """
import sys
for name in ("Xlib", "Quartz", "AppKit"):
    sys.modules[name] = None
from capswriter.dictation.output import make_desktop
from capswriter.errors import UserError
for platform, environment in (("linux", {"DISPLAY": ":0"}), ("darwin", {})):
    try:
        make_desktop(platform=platform, environment=environment)
    except UserError as error:
        print(error)
"""
    done = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True
    )
    assert done.stdout.count("pip install 'capswriter-server[dictate]'") == 2
