"""Autostart on macOS: a launch agent."""

from __future__ import annotations

import plistlib
from pathlib import Path
from typing import TYPE_CHECKING

from capswriter.dictation.autostart.base import Entry, unlink, write

if TYPE_CHECKING:
    from collections.abc import Sequence

LABEL = "capswriter.dictation"


def launch_agent(command: Sequence[str], log: Path) -> bytes:
    """Make the property list: started at login, within the desktop, and again after a crash.

    Args:
        command: with the program's absolute path.
        log: a file for what it writes to the standard error.
    """
    return plistlib.dumps(
        {
            "Label": LABEL,
            "ProgramArguments": list(command),
            "RunAtLoad": True,
            "KeepAlive": {"Crashed": True},
            "LimitLoadToSessionType": "Aqua",
            "ProcessType": "Interactive",
            "StandardErrorPath": str(log),
        }
    )


class MacAutostart:
    """Writes and removes the launch agent.

    Args:
        home: the user's.
    """

    def __init__(self, home: Path | None = None) -> None:
        library = (Path.home() if home is None else home) / "Library"
        self._place = library / "LaunchAgents" / f"{LABEL}.plist"
        self._log = library / "Logs" / f"{LABEL}.log"

    def install(self, command: Sequence[str]) -> Entry:
        """Write it, instead of what was there."""
        write(self._place, launch_agent(command, self._log))
        return self._entry()

    def remove(self) -> bool:
        """Remove it; give whether there was one."""
        return unlink(self._place)

    def status(self) -> Entry | None:
        """Find it."""
        return self._entry() if self._place.exists() else None

    def _entry(self) -> Entry:
        return Entry("the launch agent", str(self._place))
