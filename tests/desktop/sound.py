"""A private PulseAudio whose microphone is a null sink's monitor: it hears what is played."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING

import numpy as np
import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

PROGRAMS = ("pulseaudio", "pactl", "pacat")
RATE = 48_000
PATIENCE = 30.0

# Whoever uses ALSA all the same finds PulseAudio there, with Debian's libasound2-plugins.
ASOUND = """
pcm.!default { type pulse hint { show on description "PulseAudio" } }
ctl.!default { type pulse }
"""


class Sound:
    """The server, and what programs need to find it.

    Args:
        folder: of its socket and all else that it keeps; short, as names of sockets are.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environment = {
            "ALSA_CONFIG_PATH": str(folder / "asound.conf"),
            "PULSE_SERVER": f"unix:{folder}/native",
            "PULSE_RUNTIME_PATH": str(folder),
            "PULSE_STATE_PATH": str(folder),
            "PULSE_COOKIE": str(folder / "cookie"),
            "XDG_RUNTIME_DIR": str(folder),
        }
        """What has to be in the environment of whoever is to use this sound."""
        self._server: subprocess.Popen[bytes] | None = None
        self._modules: dict[str, str] = {}

    def start(self) -> None:
        """Start the server, with one microphone called ``speaker.monitor``."""
        (self.folder / "asound.conf").write_text(ASOUND)
        with (self.folder / "log").open("ab") as log:
            self._server = subprocess.Popen(
                [
                    "pulseaudio",
                    "-n",
                    "--system=false",
                    "--daemonize=no",
                    "--use-pid-file=no",
                    "--exit-idle-time=-1",
                    "--disable-shm=yes",
                    "--log-target=stderr",
                    (
                        "--load=module-native-protocol-unix auth-anonymous=1 "
                        f"socket={self.folder}/native"
                    ),
                ],
                env=os.environ | self.environment | {"HOME": str(self.folder)},
                stdout=subprocess.DEVNULL,
                stderr=log,
            )
        deadline = time.monotonic() + PATIENCE
        while self._pactl("info", check=False).returncode:
            if self._server.poll() is not None or time.monotonic() > deadline:
                self.stop()
                pytest.fail(f"PulseAudio does not start: {(self.folder / 'log').read_text()}")
            time.sleep(0.05)
        self.plug("speaker")

    def stop(self) -> None:
        """End the server."""
        if self._server is not None:
            self._server.terminate()
            self._server.wait(PATIENCE)
        self._server = None
        self._modules.clear()

    def plug(self, name: str, *, default: bool = True, description: str | None = None) -> None:
        """Connect a microphone, which hears what is played into the sink ``name``."""
        # Without norewinds a monitor hears what is played up to 2 s later.
        self._modules[name] = self._pactl(
            "load-module",
            "module-null-sink",
            f"sink_name={name}",
            f"rate={RATE}",
            "channels=2",
            "norewinds=1",
            f'sink_properties=device.description="{description or name.title()}"',
        ).stdout.strip()
        if default:
            self.make_default(name)

    def unplug(self, name: str) -> None:
        """Disconnect a microphone."""
        self._pactl("unload-module", self._modules.pop(name))

    @property
    def plugged(self) -> list[str]:
        """The microphones that are connected."""
        return list(self._modules)

    def make_default(self, name: str) -> None:
        """Make a microphone the default, and the sink that it hears."""
        self._pactl("set-default-sink", name)
        self._pactl("set-default-source", f"{name}.monitor")

    def suspend(self, name: str, *, suspended: bool) -> None:
        """Let a microphone give no sound, as a card that hangs."""
        self._pactl("suspend-sink", name, "1" if suspended else "0")

    def recorders(self) -> list[str]:
        """Tell what is being recorded from, by each stream."""
        return [
            line.split("\t")[1]
            for line in self._pactl("list", "short", "source-outputs").stdout.splitlines()
        ]

    @contextmanager
    def playing(
        self, samples: np.ndarray, rate: int, *, into: str = "speaker", latency_ms: int = 200
    ) -> Iterator[float]:
        """Play, and wait for the end of it; gives when it began, in seconds of ``time.monotonic``.

        Args:
            samples: float32[samples], mono.
            rate: samples per second.
            into: name of the sink.
            latency_ms: how late it may be heard; what is short stutters on a busy machine.
        """
        audio = (np.clip(samples, -1, 1) * 32767).astype("<i2").tobytes()
        with subprocess.Popen(
            [
                "pacat",
                "--playback",
                "--raw",
                "--format=s16le",
                "--channels=1",
                f"--latency-msec={latency_ms}",
                f"--rate={rate}",
                f"--device={into}",
            ],
            stdin=subprocess.PIPE,
            env=os.environ | self.environment,
        ) as player:
            began = time.monotonic()
            feeding = Thread(target=_feed, args=(player, audio))
            feeding.start()
            try:
                yield began
            finally:
                feeding.join(PATIENCE + len(samples) / rate)
                player.wait(PATIENCE)

    def play(self, samples: np.ndarray, rate: int, *, into: str = "speaker") -> None:
        """Play, and return when it is over."""
        with self.playing(samples, rate, into=into):
            pass

    def _pactl(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["pactl", *arguments],
            env=os.environ | self.environment | {"LC_ALL": "C"},
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=check,
        )


def _feed(player: subprocess.Popen[bytes], audio: bytes) -> None:
    assert player.stdin is not None
    with player.stdin, suppress(BrokenPipeError):  # its sink was unplugged
        player.stdin.write(audio)


@contextmanager
def private_sound() -> Iterator[Sound]:
    """Start a private server; skips the test where what it takes is missing."""
    missing = [program for program in PROGRAMS if not shutil.which(program)]
    if missing:
        pytest.skip(f"{', '.join(missing)} missing: apt install pulseaudio pulseaudio-utils")
    with tempfile.TemporaryDirectory(prefix="sound") as folder:
        sound = Sound(Path(folder))
        sound.start()
        try:
            yield sound
        finally:
            sound.stop()
