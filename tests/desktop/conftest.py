"""A desktop with sound, and somebody who dictates there."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
import wave
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from desktop.clients import Client
from desktop.fields import SYSTEM_PYTHON, Field
from desktop.sound import private_sound
from desktop.x_server import Hand, x_server
from recordings import samples_of

from capswriter.audio import SAMPLE_RATE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from desktop.sound import Sound


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


@pytest.fixture
def recogniser(server):
    """The server that dictations are sent to."""
    return server


@pytest.fixture
def dictate(display: str, sound: Sound, recogniser, tmp_path: Path):
    """Starts the client with flags, and ends it well."""
    started: list[Client] = []
    readers: list[threading.Thread] = []

    def start(*flags: str, program: tuple[str, ...] = ("-m", "capswriter")) -> Client:
        home = tmp_path / f"home{len(started)}"
        kept = {name: os.environ[name] for name in os.environ if not name.startswith("CAPSW")}
        kept.pop("WAYLAND_DISPLAY", None)
        kept |= {"XDG_SESSION_TYPE": "x11", "DISPLAY": display, "PYTHONUNBUFFERED": "1"}
        kept |= {"XDG_DATA_HOME": str(home), "XDG_CONFIG_HOME": str(home / "config")}
        environment = kept | sound.environment
        command = [sys.executable, *program, "dictate", "--server", recogniser.url]
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
