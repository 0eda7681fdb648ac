"""Text on a real X server: into real text fields, past held keys, and past the clipboard."""

from __future__ import annotations

import asyncio
import gc
import random
import shutil
import subprocess
import threading
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

pytest.importorskip("Xlib", reason="python-xlib is not installed")

from desktop.fields import SYSTEM_PYTHON, Field
from desktop.x_server import Hand, Window, until, x_server

from capswriter.dictation.keys.x11 import X11Keys
from capswriter.dictation.output import (
    How,
    Newlines,
    Output,
    OutputSettings,
    OutputUnavailable,
    Rule,
    Way,
)
from capswriter.dictation.output.x11.desktop import X11Desktop
from capswriter.dictation.output.x11.selections import Content, Selections

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

if missing := [name for name in ("xclip", "xmodmap") if shutil.which(name) is None]:
    pytest.skip(f"not installed: {', '.join(missing)}", allow_module_level=True)

ASCII = "".join(map(chr, range(0x20, 0x7F)))
HTML = "<b>旧的</b> clipboard"


@pytest.fixture(scope="module")
def display() -> Iterator[str]:
    with x_server() as display:
        yield display


@pytest.fixture
def hand(display: str) -> Iterator[Hand]:
    hand = Hand(display)
    yield hand
    hand.up("Shift_L")
    if hand.capitals():
        hand.tap("Caps_Lock")


@pytest.fixture
def field(hand: Hand, tmp_path: Path) -> Iterator[Callable[[str], Field]]:
    asked = subprocess.run(
        [SYSTEM_PYTHON, "-c", "import tkinter"], capture_output=True, check=False
    )
    if asked.returncode:
        pytest.skip("not installed: python3-tk")
    fields: list[Field] = []

    def make(title: str = "field") -> Field:
        script = str(Path(__file__).parent / "text_field.py")
        fields.append(Field(hand, tmp_path, title, [SYSTEM_PYTHON, script]))
        fields[-1].focus()
        return fields[-1]

    yield make
    for each in fields:
        each.close()


class Writer:
    """An output that is called from outside of asyncio."""

    def __init__(self, display: str) -> None:
        self._runner = asyncio.new_event_loop()
        self._display = display
        self._outputs: list[Output] = []

    def output(self, **settings: object) -> Output:
        chosen = Output.choose(OutputSettings(**settings), make=lambda: X11Desktop(self._display))
        self._outputs.append(chosen)
        return chosen

    def write(self, output: Output, text: str, window: object = None):
        return self._runner.run_until_complete(output.write(text, window))

    def focused(self, output: Output):
        return self._runner.run_until_complete(output.focused())

    def close(self) -> None:
        for output in self._outputs:
            self._runner.run_until_complete(output.close())
        self._runner.close()


@pytest.fixture
def writer(display: str) -> Iterator[Writer]:
    writer = Writer(display)
    yield writer
    writer.close()


def chinese(length: int) -> str:
    chosen = random.Random(7)
    return "".join(
        "，" if at % 9 == 8 else chr(chosen.randrange(0x4E00, 0x4F00)) for at in range(length)
    )


MIXED = "你好，世界。Hello, World! 😀👍 naïve Ω ж €\nsecond line\tand a tab\n第三行"


@pytest.mark.parametrize(
    "text", [ASCII, MIXED, (ASCII * 22)[:2000]], ids=["ascii", "mixed", "2000"]
)
def test_text_arrives_as_it_is(writer, field, text):
    there = field()
    outcome = writer.write(writer.output(), text)
    assert (outcome.how, outcome.why) == (How.TYPED, "")
    there.wait(text)


def test_two_thousand_characters_that_the_layout_lacks(writer, field):
    there, text = field(), chinese(2000)
    output = writer.output()
    for piece in (text[:700], text[700:]):
        assert writer.write(output, piece).how is How.TYPED
    there.wait(text)


def test_capitals_that_are_on_do_not_flip_the_text_and_stay_on(writer, field, hand):
    there = field()
    hand.tap("Caps_Lock")
    writer.write(writer.output(), MIXED)
    there.wait(MIXED)
    assert hand.capitals()


def test_a_held_shift_changes_nothing_and_is_not_left_down(writer, field, hand):
    there = field()
    hand.down("Shift_L")
    writer.write(writer.output(), "abc 你好 1!\nDEF")
    there.wait("abc 你好 1!\nDEF")
    hand.up("Shift_L")
    hand.tap("x")
    there.wait("abc 你好 1!\nDEFx")


def test_a_held_caps_lock_changes_nothing(writer, field, hand):
    there = field()
    hand.down("Caps_Lock")
    writer.write(writer.output(), "abc 你好 DEF")
    hand.up("Caps_Lock")
    there.wait("abc 你好 DEF")


@pytest.mark.parametrize("text", ["abc DEF", "你好"])
def test_a_key_that_another_program_has_grabbed_takes_no_text(writer, field, hand, display, text):
    from Xlib import X
    from Xlib.display import Display

    there, other = field(), Display(display)
    keycode = other.keysym_to_keycode(0xFFC6)  # F9
    other.screen().root.grab_key(keycode, 0, False, X.GrabModeAsync, X.GrabModeAsync)
    other.sync()
    hand.down("F9")
    outcomes: list = []
    typing = threading.Thread(target=lambda: outcomes.append(writer.write(writer.output(), text)))
    typing.start()
    time.sleep(0.5)
    assert there.text == ""
    other.ungrab_keyboard(X.CurrentTime)
    other.sync()
    typing.join()
    hand.up("F9")
    other.close()
    assert outcomes[0].how is How.TYPED
    there.wait(text)


def test_a_text_is_kept_whole_whatever_is_pressed_meanwhile(writer, field, hand, display):
    from Xlib import X
    from Xlib.display import Display
    from Xlib.ext import xtest

    there, keys, pressed = field(), Display(display), 0
    text = "".join(random.Random(5).choice("aBcDe, fGh好") for _ in range(3000))
    caps, shift = (keys.keysym_to_keycode(keysym) for keysym in (0xFFE5, 0xFFE1))
    typing = threading.Thread(target=lambda: writer.write(writer.output(), text))
    typing.start()
    until(lambda: len(there.text) > 20, "some text")
    while typing.is_alive():
        for keycode in (caps, shift):
            xtest.fake_input(keys, X.KeyPress, keycode)
            keys.sync()
            time.sleep(0.01)
            xtest.fake_input(keys, X.KeyRelease, keycode)
            keys.sync()
        pressed += 1
    typing.join()
    keys.close()
    assert pressed > 1
    there.wait(text)


def test_capitals_stay_on_whenever_the_shortcut_is_pressed(writer, field, hand, display):
    from Xlib import X
    from Xlib.display import Display
    from Xlib.ext import xtest

    there, presser = field(), Display(display)
    caps = presser.keysym_to_keycode(0xFFE5)
    hand.tap("Caps_Lock")
    keys = X11Keys(["caps_lock"], display)
    keys.start(lambda _: None)
    text, pressed = chinese(1500) + "aBcD" * 300, 0
    typing = threading.Thread(target=lambda: writer.write(writer.output(), text))
    typing.start()
    while typing.is_alive():
        for kind in (X.KeyPress, X.KeyRelease):
            xtest.fake_input(presser, kind, caps)
            presser.sync()
            time.sleep(0.03)
        pressed += 1
    typing.join()
    time.sleep(0.1)
    keys.stop()
    presser.close()
    assert pressed > 3
    assert hand.capitals()
    there.wait(text)


def test_borrowed_keys_are_given_back(writer, field, hand):
    there = field()
    before = hand.run("xmodmap", "-pke")
    writer.write(writer.output(), "你好世界")
    there.wait("你好世界")
    assert hand.run("xmodmap", "-pke") != before
    writer.close()
    writer._outputs.clear()
    writer._runner = asyncio.new_event_loop()
    assert hand.run("xmodmap", "-pke") == before


def test_a_terminal_gets_it_too(writer, hand, tmp_path):
    if shutil.which("xterm") is None:
        pytest.skip("not installed: xterm")
    script = tmp_path / "xterm.sh"
    script.write_text('exec xterm -u8 -title "$2" -e sh -c "cat > $1"\n')
    terminal = Field(hand, tmp_path, "terminal", ["env", "LC_ALL=C.UTF-8", "sh", str(script)])
    try:
        terminal.focus()
        text = "".join(f"{line}\n" for line in (ASCII[:60], ASCII[60:], chinese(70), "😀 é"))
        writer.write(writer.output(), text)
        terminal.wait(text)
        outcome = writer.write(writer.output(way=Way.PASTE), "贴上 pasted\n")
        assert outcome.how is How.PASTED
        terminal.wait(text + "贴上 pasted\n")
    finally:
        terminal.close()


def test_the_focus_that_has_moved_before_puts_the_text_on_the_clipboard(writer, field, hand):
    first, output = field("first"), writer.output()
    window = writer.focused(output)
    assert window.window_class == "Field"
    assert (window.title, window.process) == ("first", "python3")
    second = field("second")
    outcome = writer.write(output, "你好", window)
    assert outcome.how is How.ON_CLIPBOARD
    assert "focus" in outcome.why
    assert hand.run("xclip", "-o", "-selection", "clipboard") == "你好"
    assert first.text == second.text == ""
    follows = writer.output(follow_focus=True)
    assert writer.write(follows, "hello", window).how is How.TYPED
    second.wait("hello")


def test_the_focus_that_moves_meanwhile_stops_the_text_exactly_there(writer, field, hand):
    first, second = field("first"), field("second")
    first.focus()
    output, text = writer.output(), chinese(3000)
    window = writer.focused(output)
    outcomes: list = []
    typing = threading.Thread(target=lambda: outcomes.append(writer.write(output, text, window)))
    typing.start()
    until(lambda: len(first.text) > 50, "some text")
    hand.run("xdotool", "windowfocus", second.number)
    typing.join()
    assert outcomes[0].how is How.ON_CLIPBOARD
    assert outcomes[0].why.endswith("the rest is on the clipboard")
    rest = hand.run("xclip", "-o", "-selection", "clipboard")
    first.wait(text[: outcomes[0].written])
    assert first.text + rest == text
    assert len(first.text) >= 50
    assert second.text == ""


@contextmanager
def two_formats(display: str, text: str, html: str) -> Iterator[None]:
    """Another program's clipboard, which offers a text and HTML."""
    there = Selections(display)
    formats = {"UTF8_STRING": text, "text/html": html}
    there._order(
        lambda: there._own(
            there._atom("CLIPBOARD"),
            {
                (atom := there._display.intern_atom(name)): Content(atom, 8, value.encode())
                for name, value in formats.items()
            },
        )
    )
    yield
    there.close()


def test_pasting_puts_the_clipboard_back_with_all_its_formats(writer, field, display, hand):
    there = field()
    with two_formats(display, "旧的 clipboard", HTML):
        for number in range(3):
            outcome = writer.write(writer.output(way=Way.PASTE), MIXED)
            assert (outcome.how, outcome.why) == (How.PASTED, "")
            there.wait(MIXED * (number + 1))
        clip = ("xclip", "-o", "-selection", "clipboard")
        until(lambda: hand.run(*clip) == "旧的 clipboard", "the text")
        assert hand.run(*clip, "-t", "text/html") == HTML
        assert set(hand.run(*clip, "-t", "TARGETS").split()) >= {"UTF8_STRING", "text/html"}


def test_a_large_picture_survives_a_paste(writer, field, hand, tmp_path):
    there = field()
    picture = random.Random(3).randbytes(3_000_000)
    (tmp_path / "picture").write_bytes(picture)
    clip = ["xclip", "-selection", "clipboard", "-t", "image/png"]
    subprocess.run(
        [*clip, "-i", str(tmp_path / "picture")],
        env=hand._environment,
        check=True,
        stdout=subprocess.DEVNULL,
    )
    assert writer.write(writer.output(way=Way.PASTE), "text").how is How.PASTED
    there.wait("text")
    got = subprocess.run([*clip, "-o"], env=hand._environment, check=True, capture_output=True)
    assert got.stdout == picture


def test_what_no_window_takes_stays_on_the_clipboard(writer, hand, display):
    window = Window(display)
    outcome = writer.write(writer.output(way=Way.PASTE), "hello")
    assert outcome.how is How.ON_CLIPBOARD
    assert "has not taken" in outcome.why
    assert hand.run("xclip", "-o", "-selection", "clipboard") == "hello"
    window.close()


def test_a_clipboard_that_does_not_answer_is_left_alone_and_the_text_is_typed(
    writer, field, display, hand
):
    from Xlib.display import Display

    there = field()
    silent = Display(display)
    window = silent.screen().root.create_window(0, 0, 1, 1, 0, 0)
    window.set_selection_owner(silent.intern_atom("CLIPBOARD"), 0)
    silent.sync()
    outcome = writer.write(writer.output(way=Way.PASTE), "typed 字")
    assert outcome.how is How.TYPED
    there.wait("typed 字")
    assert silent.get_selection_owner(silent.intern_atom("CLIPBOARD")) == window
    silent.close()


def test_rules_of_the_window_are_followed(writer, field):
    there = field("chat")
    rules = [
        Rule(window_class="FIELD", title="ch*", newlines=Newlines.SHIFT_ENTER, enter_after=True),
        Rule(process="python*", strip_final=True),
    ]
    assert writer.write(writer.output(rules=rules), "one\ntwo。").how is How.TYPED
    there.wait("one[soft]\ntwo\n")


def test_the_clipboard_is_all_that_is_touched(writer, field, hand):
    there = field()
    outcome = writer.write(writer.output(way=Way.CLIPBOARD), "你好")
    assert (outcome.how, outcome.why) == (How.ON_CLIPBOARD, "")
    assert hand.run("xclip", "-o", "-selection", "clipboard") == "你好"
    assert there.text == ""


@pytest.mark.filterwarnings("ignore")  # python-xlib leaves the sockets open that it has tried
def test_no_server_is_one_line():
    with pytest.raises(OutputUnavailable, match="stdout"):
        Output.choose(OutputSettings(), make=lambda: X11Desktop(":4711"))
    gc.collect()
