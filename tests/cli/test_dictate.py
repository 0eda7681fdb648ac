"""``capswriter dictate`` where a computer lacks something: it starts, or says why in one line."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time

import pytest

PATIENCE_S = 60.0
QUIET = ("--no-tray", "--no-sounds")
LIBRARIES = ("Xlib", "evdev", "pynput", "pystray", "sounddevice", "pulsectl", "jeepney", "PIL")
BLOCKED = f"""
import sys
for name in {LIBRARIES!r}:
    sys.modules[name] = None
from capswriter.cli import main
main(sys.argv[1:])
"""


@pytest.fixture
def run(tmp_path):
    """Starts the command on a computer without a desktop and without sound."""

    def run(*arguments, blocked=False):
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("CAPSWRITER_", "PULSE_"))
            and name not in {"DISPLAY", "WAYLAND_DISPLAY", "DBUS_SESSION_BUS_ADDRESS"}
        }
        places = ("XDG_DATA_HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME")
        kept |= {name: str(tmp_path / name) for name in places} | {"PYTHONUNBUFFERED": "1"}
        kept["XDG_RUNTIME_DIR"] = short  # the path of a socket has 107 characters at most
        kept["PULSE_SERVER"] = f"unix:{tmp_path}/nobody"
        program = ["-c", BLOCKED] if blocked else ["-m", "capswriter"]
        return subprocess.Popen(
            [sys.executable, *program, "dictate", *arguments],
            cwd=tmp_path,
            env=kept,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    with tempfile.TemporaryDirectory(prefix="run") as short:
        yield run


def ended(process):
    out, error = process.communicate(timeout=PATIENCE_S)
    return process.returncode, out, error


def test_nobody_can_be_told_while_none_runs(run):
    status, out, error = ended(run("--toggle"))
    assert (status, out) == (1, "")
    assert error.startswith("capswriter: no dictation is running")
    assert error.count("\n") == 1


def test_without_a_desktop_typing_is_refused_in_one_line(run):
    status, out, error = ended(run(*QUIET))
    assert (status, out) == (1, "")
    assert error.startswith("capswriter: there is no desktop here")
    assert error.count("\n") == 1


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (("--shortcut", "capslok"), "or caps_lock?"),
        (("--shortcut", "f9:twice"), "f9:toggle"),
        (("--output", "paper"), "type, paste, clipboard or stdout"),
        (("--config", "missing.py"), "the path of a config.py"),
    ],
)
def test_a_wrong_flag_is_one_line_and_exit_status_2(run, flags, words):
    status, _, error = ended(run(*flags))
    assert status == 2
    assert words in error
    assert error.count("\n") == 1


def test_without_any_library_it_says_what_to_install(run):
    status, _, error = ended(run("--output", "stdout", *QUIET, blocked=True))
    assert status == 1, error
    assert "pip install 'capswriter-server[dictate]'" in error.splitlines()[-1]
    assert "Traceback" not in error


def test_without_desktop_and_microphone_it_takes_commands_and_ends_by_a_signal(run):
    pytest.importorskip("sounddevice", exc_type=(ImportError, OSError))
    process = run("--output", "stdout", "--keys", "none", *QUIET)
    lines = []
    deadline = time.monotonic() + PATIENCE_S
    while not any(line.startswith("ready: ") for line in lines):
        assert time.monotonic() < deadline
        line = process.stderr.readline()
        assert line, lines
        lines.append(line)
    status, out, error = ended(run("--toggle"))
    assert (status, out, error) == (0, "started\n", "")
    assert ended(run())[0] == 1  # the second one
    process.send_signal(signal.SIGTERM)
    status, out, error = ended(process)
    assert (status, out) == (0, "")
    assert "Traceback" not in error
