"""Dictation end to end: a real keyboard, microphone, server and text field; driven from outside.

What is dictated has to be what the same server makes of the recording.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

pytest.importorskip("Xlib", reason="python-xlib is not installed")

from desktop.fields import SYSTEM_PYTHON, Field
from desktop.sound import private_sound
from desktop.x_server import PATIENCE_S, Hand, Window, until, x_server
from recordings import samples_of

from capswriter.audio import SAMPLE_RATE
from capswriter.dictation.journal import State, read_journal

if TYPE_CHECKING:
    from collections.abc import Iterator

    from desktop.sound import Sound

    from capswriter.dictation.journal import Record

pytestmark = [pytest.mark.model, pytest.mark.timeout(240)]

LATENCY_S = 0.5
"""Seconds until the last of what was played has been heard, at most."""


@pytest.fixture(scope="module")
def display() -> Iterator[str]:
    with x_server() as display:
        yield display


@pytest.fixture(scope="module")
def sound() -> Iterator[Sound]:
    with private_sound() as sound:
        yield sound


@pytest.fixture
def hand(display: str) -> Iterator[Hand]:
    hand = Hand(display)
    yield hand
    if hand.capitals():
        hand.tap("Caps_Lock")


@pytest.fixture
def text_field(hand: Hand, tmp_path: Path) -> Iterator[Field]:
    asked = subprocess.run(
        [SYSTEM_PYTHON, "-c", "import tkinter"], capture_output=True, check=False
    )
    if asked.returncode:
        pytest.skip("not installed: python3-tk")
    script = str(Path(__file__).parent / "text_field.py")
    made = Field(hand, tmp_path, "field", [SYSTEM_PYTHON, script])
    made.focus()
    yield made
    made.close()


@dataclass
class Client:
    """``capswriter dictate`` in a process of its own."""

    process: subprocess.Popen[str]
    environment: dict[str, str]
    home: Path
    lines: list[str] = field(default_factory=list)

    def records(self) -> list[Record]:
        return read_journal(self.home / "capswriter" / "dictations")

    def states(self) -> list[State]:
        return [record.state for record in self.records()]

    def until_states(self, *states: State) -> None:
        until(lambda: self.states() == list(states), f"{states}: {self.states()}, {self.lines}")

    def until_shown(self, line: str) -> None:
        until(lambda: any(line in each for each in self.lines), f"{line!r}: {self.lines}")

    def times(self) -> list[dict[str, float]]:
        """How long each step took, of each dictation."""
        found = [re.search(r"times: (\{.*\})", line) for line in self.lines]
        return [json.loads(each[1]) for each in found if each]

    def tell(self, word: str) -> str:
        command = [sys.executable, "-m", "capswriter", "dictate", f"--{word}"]
        return subprocess.run(
            command, env=self.environment, capture_output=True, text=True, check=True
        ).stdout.strip()

    def end(self) -> int:
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(30)


@pytest.fixture
def dictate(display: str, sound: Sound, server, tmp_path: Path):
    """Starts the client with flags, and ends it well."""
    started: list[Client] = []
    readers: list[threading.Thread] = []

    def start(*flags: str) -> Client:
        home = tmp_path / f"home{len(started)}"
        kept = {name: os.environ[name] for name in os.environ if not name.startswith("CAPSW")}
        kept.pop("WAYLAND_DISPLAY", None)
        kept |= {"XDG_SESSION_TYPE": "x11", "DISPLAY": display, "PYTHONUNBUFFERED": "1"}
        kept |= {"XDG_DATA_HOME": str(home), "XDG_CONFIG_HOME": str(home / "config")}
        environment = kept | sound.environment
        command = [sys.executable, "-m", "capswriter", "dictate", "--server", server.url]
        command += ["--no-tray", "--no-sounds", "--log-level", "info", *flags]
        process = subprocess.Popen(
            command, env=environment, cwd=tmp_path, text=True, stderr=subprocess.PIPE
        )
        client = Client(process, environment, home)
        readers.append(threading.Thread(target=_read, args=(process, client.lines)))
        readers[-1].start()
        started.append(client)
        client.until_shown("ready: ")
        time.sleep(0.5)  # in which the ring fills
        return client

    yield start
    codes = [client.end() for client in started]
    for client, reader in zip(started, readers, strict=True):
        reader.join()
        client.process.stderr.close()
    assert codes == [0] * len(codes), [client.lines for client in started]


def _read(process: subprocess.Popen[str], lines: list[str]) -> None:
    lines.extend(iter(process.stderr.readline, ""))


@pytest.fixture(scope="session")
def sentence(samples: Path) -> np.ndarray:
    """4 s of speech that ends in a pause."""
    return samples_of(samples / "01.mp3")[: 4 * SAMPLE_RATE]


@pytest.fixture(scope="session")
def texts(server, tmp_path_factory):
    """Gives what the server makes of a recording as a file."""
    import wave

    def transcribe(recording: np.ndarray) -> str:
        path = tmp_path_factory.mktemp("file") / "speech.wav"
        with wave.open(str(path), "wb") as file:
            file.setparams((1, 2, SAMPLE_RATE, 0, "NONE", ""))
            file.writeframes((np.clip(recording, -1, 1) * 32_767).astype("<i2").tobytes())
        command = [sys.executable, "-m", "capswriter", "transcribe", str(path)]
        command += ["--server", server.url, "--stdout", "--format", "txt"]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        return done.stdout

    return transcribe


def plain(text: str) -> str:
    """A text without what a pause more or less at its ends may change."""
    return "".join(each for each in text.casefold() if each.isalnum())


def arrives(there: Field, client: Client, wanted: str) -> None:
    """Wait until a field holds a text; tells what it holds, and what was recognised, if not."""
    end = time.monotonic() + PATIENCE_S
    while plain(there.text) != wanted and time.monotonic() < end:
        time.sleep(0.01)
    known = [record.text for record in client.records()]
    assert plain(there.text) == wanted, (there.text, known, client.lines)


def hold(hand: Hand, sound: Sound, recording: np.ndarray, key: str = "Caps_Lock") -> None:
    """Hold a key while a recording is played."""
    hand.down(key)
    sound.play(recording, SAMPLE_RATE)
    time.sleep(LATENCY_S)
    hand.up(key)


def test_what_is_said_while_caps_lock_is_held_is_in_the_text_field(
    dictate, hand, sound, text_field, sentence, texts
):
    client = dictate()
    hold(hand, sound, sentence)
    client.until_states(State.DELIVERED)
    wanted = plain(texts(sentence))
    arrives(text_field, client, wanted)
    assert not hand.capitals()
    [times] = client.times()
    assert times["first sample"] < -0.2


def test_chinese_is_typed_as_it_is_recognised(dictate, hand, sound, text_field, speech, texts):
    client = dictate()
    chinese = samples_of(speech / "zh_mid.wav")
    hold(hand, sound, chinese)
    client.until_states(State.DELIVERED)
    wanted = plain(texts(chinese))
    arrives(text_field, client, wanted)
    assert re.search(r"[\u4e00-\u9fff]", text_field.text)


def test_a_tap_toggles_capitals_and_escape_types_nothing(dictate, hand, text_field, display):
    client = dictate()
    for is_on in (True, False):
        hand.tap("Caps_Lock")
        until(lambda is_on=is_on: hand.capitals() == is_on, "the tap")
    hand.down("Caps_Lock")
    time.sleep(0.5)
    hand.tap("Escape")
    client.until_states(*[State.CANCELLED] * 3)
    hand.up("Caps_Lock")
    time.sleep(0.5)
    assert not hand.capitals()
    assert text_field.text == ""


def test_two_shortcuts_one_toggles_and_one_does_both(
    dictate, hand, sound, text_field, sentence, texts
):
    client = dictate("--shortcut", "f9:toggle", "--shortcut", "f8:auto")
    short = sentence[: 3 * SAMPLE_RATE]
    wanted = ""
    for number, (key, is_tapped) in enumerate([("F9", True), ("F8", True), ("F8", False)], 1):
        if is_tapped:
            hand.tap(key)
            sound.play(short, SAMPLE_RATE)
            time.sleep(LATENCY_S)
            hand.tap(key)
        else:
            hold(hand, sound, short, key)
        client.until_states(*[State.DELIVERED] * number)
        wanted += texts(short)
        arrives(text_field, client, plain(wanted))


def test_commands_dictate_without_any_key(dictate, sound, text_field, sentence, texts):
    client = dictate("--keys", "none")
    assert client.tell("toggle") == "started"
    sound.play(sentence, SAMPLE_RATE)
    time.sleep(LATENCY_S)
    assert client.tell("toggle") == "stopped"
    client.until_states(State.DELIVERED)
    wanted = plain(texts(sentence))
    arrives(text_field, client, wanted)


def test_a_text_whose_window_lost_the_focus_goes_to_the_clipboard(
    dictate, hand, sound, text_field, sentence, texts, display
):
    if shutil.which("xclip") is None:
        pytest.skip("not installed: xclip")
    client = dictate()
    hold(hand, sound, sentence)
    other = Window(display)
    try:
        client.until_states(State.DELIVERED)
        got = plain(text_field.text)
        if not got:  # the focus has moved in time
            copied = hand.run("xclip", "-o", "-selection", "clipboard")
            got = plain(copied)
            client.until_shown("moved")
        assert got == plain(texts(sentence))
        assert other.pressed() == []
    finally:
        other.close()


def test_ten_dictations_in_a_row_leave_nothing_behind(
    dictate, hand, sound, text_field, sentence, texts, display
):
    client = dictate()
    short = sentence[: 3 * SAMPLE_RATE]
    for _ in range(10):
        hold(hand, sound, short)
    client.until_states(*[State.DELIVERED] * 10)
    wanted = plain(texts(short))
    assert [plain(record.text) for record in client.records()] == 10 * [wanted]
    arrives(text_field, client, 10 * wanted)
    assert not hand.capitals()
    window = Window(display)
    try:
        assert window.keys_down() == []
        assert window.modifiers() == 0
    finally:
        window.close()
    assert client.end() == 0
    assert sound.recorders() == []


def test_figures(dictate, hand, sound, text_field, samples):
    """How long each step takes; ``scripts/bench-dictation`` prints it."""
    rounds = int(os.environ.get("CAPSWRITER_TEST_ROUNDS", "0"))
    if not rounds:
        pytest.skip("scripts/bench-dictation measures")
    client, whole = dictate(), samples_of(samples / "01.mp3")
    done = 0
    for seconds in (2, 10, 30):
        for _ in range(rounds):
            hold(hand, sound, whole[: seconds * SAMPLE_RATE])
            done += 1
            client.until_states(*[State.DELIVERED] * done)
        until(lambda done=done: len(client.times()) == done, "the times")
        found = client.times()[-rounds:]
        for step in found[0]:
            p50, p95 = np.percentile([each[step] for each in found], [50, 95])
            print(f"{seconds:3} s  {step:16} p50 {p50:7.3f} s  p95 {p95:7.3f} s")
