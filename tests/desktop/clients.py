"""The client as its user has it: ``capswriter dictate`` in a process of its own."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from desktop.x_server import PATIENCE_S, Hand, until

from capswriter.audio import SAMPLE_RATE
from capswriter.dictation.journal import State, read_journal

if TYPE_CHECKING:
    import numpy as np
    from desktop.fields import Field
    from desktop.sound import Sound

    from capswriter.dictation.journal import Record

LATENCY_S = 0.5
"""Seconds until the last of what was played has been heard, at most."""


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

    def told(self, line: str) -> int:
        """How often a line was shown; those of the log are not counted."""
        return sum(line in each and " INFO " not in each for each in self.lines)

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
