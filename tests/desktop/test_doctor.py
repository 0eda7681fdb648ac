"""The doctor on a real desktop: a real X server, and a real PulseAudio."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

pytest.importorskip("Xlib", reason="python-xlib is not installed")

from desktop.sound import private_sound
from desktop.x_server import x_server
from servers import serving_fake

from capswriter.dictation.keys.x11 import X11Keys


@pytest.fixture(scope="module")
def desktop():
    """What has to be in the environment to be on the desktop, and its sound."""
    with x_server() as display, private_sound() as sound:
        session = {"DISPLAY": display, "WAYLAND_DISPLAY": "", "XDG_SESSION_TYPE": "x11"}
        yield sound.environment | session, sound


def doctor(environment, *arguments):
    result = subprocess.run(
        [sys.executable, "-m", "capswriter", "doctor", "--json", *arguments],
        capture_output=True,
        text=True,
        timeout=100,
        env=os.environ | environment,
        check=False,
    )
    told = json.loads(result.stdout)
    assert result.returncode == (0 if told["fine"] else 1)
    return {each["check"]: each for each in told["checks"]}


@pytest.mark.model
def test_all_is_fine_on_a_desktop_with_a_microphone_and_a_server(desktop, whisper_base, tmp_path):
    environment, sound = desktop
    config = {"XDG_CONFIG_HOME": str(tmp_path)}
    tone = sound._pactl("load-module", "module-sine", "sink=speaker").stdout.strip()
    try:
        with serving_fake() as server:
            found = doctor(environment | config, "--server", server.url)
    finally:
        sound._pactl("unload-module", tone)
    assert [name for name, each in found.items() if not each["fine"]] == []
    assert "caps_lock can be listened to through x11" in found["keyboard"]["says"]
    assert " dB at the loudest of 1 s" in found["microphone"]["says"]
    assert found["typing"]["says"].startswith("type works through x11.")
    assert "with fake at" in found["server"]["says"]


def test_a_mute_microphone_and_a_key_that_is_taken_are_to_be_mended(desktop):
    environment, _ = desktop
    other = X11Keys(["f9"], environment["DISPLAY"])
    other.start(lambda _: None)
    try:
        found = doctor(environment, "--key", "f9", "--device", "speaker")
    finally:
        other.stop()
    assert "nothing but silence" in found["microphone"]["mend"][0]
    assert "another program has taken the key f9" in found["keyboard"]["mend"][0]


def test_a_microphone_that_is_not_there(desktop):
    environment, _ = desktop
    found = doctor(environment, "--device", "nonsense")
    assert "'capswriter devices' lists" in found["microphone"]["mend"][0]
