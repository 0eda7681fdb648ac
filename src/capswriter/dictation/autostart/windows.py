"""Autostart on Windows: a value below the registry's key Run."""

from __future__ import annotations

import subprocess
from pathlib import PureWindowsPath
from typing import TYPE_CHECKING, Any

from capswriter.dictation.autostart.base import TITLE, AutostartRefused, Entry

if TYPE_CHECKING:
    from collections.abc import Sequence

RUN = r"Software\Microsoft\Windows\CurrentVersion\Run"

LONGEST = 260
"""Characters that Windows takes there."""


def command_line(command: Sequence[str]) -> str:
    r"""Make the value: no window of a console opens where Python is what starts.

    Raises:
        AutostartRefused: Windows would not take it.
    """
    program, *arguments = command
    path = PureWindowsPath(program)
    if path.name.lower() == "python.exe":
        program = str(path.with_name("pythonw.exe"))
    line = subprocess.list2cmdline([program, *arguments])
    if len(line) > LONGEST:
        raise AutostartRefused(
            f"Windows starts no command of more than {LONGEST} characters, and this one has "
            f"{len(line)}: install into a folder with a shorter name"
        )
    return line


class WindowsAutostart:
    """Writes and removes the value.

    Args:
        registry: Python's ``winreg``.
    """

    def __init__(self, registry: Any = None) -> None:
        if registry is None:
            import winreg as registry  # type: ignore[no-redef, unused-ignore]  # noqa: PLC0415
        self._registry = registry

    def install(self, command: Sequence[str]) -> Entry:
        """Write the value, instead of what was there."""
        line = command_line(command)
        registry = self._registry
        try:
            with registry.CreateKey(registry.HKEY_CURRENT_USER, RUN) as key:
                registry.SetValueEx(key, TITLE, 0, registry.REG_SZ, line)
        except OSError as error:
            raise _refused(error) from error
        return _entry()

    def remove(self) -> bool:
        """Remove the value; give whether there was one."""
        registry = self._registry
        try:
            with registry.OpenKey(
                registry.HKEY_CURRENT_USER, RUN, 0, registry.KEY_SET_VALUE
            ) as key:
                registry.DeleteValue(key, TITLE)
        except FileNotFoundError:
            return False
        except OSError as error:
            raise _refused(error) from error
        return True

    def status(self) -> Entry | None:
        """Find the value."""
        registry = self._registry
        try:
            with registry.OpenKey(registry.HKEY_CURRENT_USER, RUN) as key:
                registry.QueryValueEx(key, TITLE)
        except OSError:
            return None
        return _entry()


def _entry() -> Entry:
    return Entry("the registry's value", rf"HKEY_CURRENT_USER\{RUN}\{TITLE}")


def _refused(error: OSError) -> AutostartRefused:
    return AutostartRefused(f"{_entry()} cannot be changed: {error.strerror or error}")
