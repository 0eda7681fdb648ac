"""Runs ``capswriter`` in the project's folder, and installs it first where it is not."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
PROJECT = HERE.parents[1]
LOGS = HERE / "logs"
MODEL = "whisper-base"
NEEDED = ("capswriter", "matplotlib", "jiwer")

_VENV = PROJECT / ".venv" / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def capswriter(*arguments: str | Path) -> int:
    """Run the command line program in the project's folder, and give its exit status.

    Files may be named from where we are. Ctrl-C is for the program to handle.
    """
    named = [Path(each).resolve() if Path(each).exists() else each for each in arguments]
    command = [_python(), "-m", "capswriter", *map(str, named)]
    with subprocess.Popen(command, cwd=PROJECT) as process:
        while True:
            try:
                return process.wait()
            except KeyboardInterrupt:
                continue


def pull(model: str) -> None:
    """Download a model of the catalogue, unless it is there or is a directory."""
    if not Path(model).is_dir() and (status := capswriter("models", "pull", model)):
        sys.exit(status)


def _python() -> str:
    """Name a Python that has the package: this one, or that of ``.venv``, made if need be."""
    if all(importlib.util.find_spec(name) for name in NEEDED):
        return sys.executable
    if not _has_all(_VENV):
        print("installing into .venv ...", flush=True)
        _install()
    return str(_VENV)


def _has_all(python: Path) -> bool:
    if not python.is_file():
        return False
    trial = [python, "-c", f"import {', '.join(NEEDED)}"]
    asked = subprocess.run(trial, check=False, capture_output=True)
    return asked.returncode == 0


def _install() -> None:
    if os.name == "nt":
        pip = [_VENV, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        if not _VENV.is_file():
            _must([sys.executable, "-m", "venv", PROJECT / ".venv"])
        _must([*pip, "--requirement", HERE / "requirements.txt"])
    else:
        _must([PROJECT / "scripts" / "install"], EXTRAS="bench", PYTHON=sys.executable)


def _must(command: list[str | Path], **variables: str) -> None:
    done = subprocess.run(command, check=False, cwd=PROJECT, env=os.environ | variables)
    if done.returncode:
        sys.exit(f"the installation failed; it ended with status {done.returncode}")
