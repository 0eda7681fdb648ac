"""Autostart on Linux: a unit of systemd where it runs the desktop's session, else a desktop entry.

A unit gets the session's ``DISPLAY`` only where the desktop tells systemd of its session, and then
``graphical-session.target`` is active; it is started anew when it crashes. Where that target is not
active now, it will not be at the next login either, so the entry in ``~/.config/autostart`` is for
all other desktops.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from capswriter.dictation.autostart.base import NAME, TITLE, Entry, refusing, unlink, write

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

TARGET = "graphical-session.target"
ENV = "/usr/bin/env"
PATIENCE_S = 10.0


def unit(command: Sequence[str]) -> str:
    """Make a unit of systemd; the program's path is absolute."""
    # As the program itself, systemd takes no path with one of these.
    program, *arguments = (ENV, *command) if set(command[0]) & set("\"'\\") else command
    words = [_systemd_word(program), *(_systemd_word(each, "$$") for each in arguments)]
    return f"""\
[Unit]
Description={TITLE}
PartOf={TARGET}
After={TARGET}
StartLimitIntervalSec=120
StartLimitBurst=5

[Service]
ExecStart={" ".join(words)}
Restart=on-failure
RestartSec=5
# Wrong settings do not mend themselves.
RestartPreventExitStatus=2

[Install]
WantedBy={TARGET}
"""


def _systemd_word(word: str, dollar: str = "$") -> str:
    for character, escaped in (("\\", "\\\\"), ('"', '\\"'), ("%", "%%"), ("$", dollar)):
        word = word.replace(character, escaped)
    return f'"{word}"'


def desktop_entry(command: Sequence[str]) -> str:
    """Make a desktop entry."""
    return f"""\
[Desktop Entry]
Type=Application
Name={TITLE}
Comment=Hold a key, speak, and the text is there
Exec={" ".join(map(_desktop_word, command))}
Terminal=false
NoDisplay=true
"""


def _desktop_word(word: str) -> str:
    for character in '\\"`$':
        word = word.replace(character, "\\" + character)
    # The whole is a string, in which a backslash is escaped once more.
    return '"' + word.replace("\\", "\\\\").replace("%", "%%") + '"'


def run_systemctl(*arguments: str) -> bool:
    """Ask the user's systemd; give whether it said yes."""
    try:
        result = subprocess.run(  # noqa: S603
            ["systemctl", "--user", *arguments],  # noqa: S607
            check=False,
            capture_output=True,
            timeout=PATIENCE_S,
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return result.returncode == 0


class LinuxAutostart:
    """Writes one of the two, and removes both.

    Args:
        environment: of the session.
        systemctl: asks the user's systemd.
    """

    def __init__(
        self,
        environment: Mapping[str, str] = os.environ,
        systemctl: Callable[..., bool] = run_systemctl,
    ) -> None:
        given = environment.get("XDG_CONFIG_HOME", "")
        config = Path(given) if Path(given).is_absolute() else Path.home() / ".config"
        self._systemctl = systemctl
        self._unit = config / "systemd" / "user" / f"{NAME}.service"
        self._wanted = self._unit.parent / f"{TARGET}.wants" / self._unit.name
        self._entry = config / "autostart" / f"{NAME}.desktop"

    def install(self, command: Sequence[str]) -> Entry:
        """Write what suits the desktop, instead of what was there."""
        if self._systemctl("is-active", "--quiet", TARGET):
            write(self._unit, unit(command).encode())
            # What 'systemctl --user enable' does, and works where nobody answers as well.
            with refusing(self._wanted):
                self._wanted.parent.mkdir(parents=True, exist_ok=True)
                self._wanted.unlink(missing_ok=True)
                self._wanted.symlink_to(Path("..") / self._unit.name)
            unlink(self._entry)
        else:
            write(self._entry, desktop_entry(command).encode())
            self._remove_unit()
        self._systemctl("daemon-reload")
        entry = self.status()
        assert entry is not None  # noqa: S101
        return entry

    def remove(self) -> bool:
        """Remove whatever there is; give whether there was anything."""
        had_unit = self._remove_unit()
        if had_unit:
            self._systemctl("daemon-reload")
        return unlink(self._entry) or had_unit

    def status(self) -> Entry | None:
        """Find what there is."""
        if self._unit.exists() and self._wanted.is_symlink():
            return Entry("the systemd unit", str(self._unit))
        return Entry("the desktop entry", str(self._entry)) if self._entry.exists() else None

    def _remove_unit(self) -> bool:
        was_wanted = unlink(self._wanted)
        return unlink(self._unit) or was_wanted
