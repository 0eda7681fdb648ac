"""Text fields of real programs, and what they hold."""

from __future__ import annotations

import subprocess
import time
from typing import TYPE_CHECKING

from desktop.x_server import PATIENCE_S, Hand, until

if TYPE_CHECKING:
    from pathlib import Path

SYSTEM_PYTHON = "/usr/bin/python3"


class Field:
    """A text field, and what it holds."""

    def __init__(self, hand: Hand, place: Path, title: str, command: list[str]) -> None:
        self._file = place / title
        self._hand = hand
        self._process = subprocess.Popen(
            [*command, str(self._file), title], env=hand._environment, stderr=subprocess.DEVNULL
        )
        self.title = title
        found: list[str] = []

        def appears() -> list[str]:
            assert self._process.poll() is None, f"{command} ended"
            search = ["xdotool", "search", "--onlyvisible", "--name", f"^{title}$"]
            asked = subprocess.run(
                search, env=hand._environment, capture_output=True, text=True, check=False
            )
            found.extend(asked.stdout.split())
            return found

        until(appears, "the window")
        self.number = found[0]
        until(self._file.exists, "the field")

    def focus(self) -> None:
        self._hand.run("xdotool", "windowfocus", "--sync", self.number)
        time.sleep(0.3)

    @property
    def text(self) -> str:
        return self._file.read_text(encoding="utf-8")

    def wait(self, text: str) -> None:
        end = time.monotonic() + PATIENCE_S
        while self.text != text and time.monotonic() < end:
            time.sleep(0.01)
        got = self.text
        at = next((at for at in range(len(text)) if got[at : at + 1] != text[at]), len(text))
        assert got == text, f"{len(got)} characters; from {at} on {got[at : at + 20]!r}"

    def close(self) -> None:
        self._process.terminate()
        self._process.wait()
