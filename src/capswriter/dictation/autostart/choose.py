"""Autostart for the system at hand."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Protocol

from capswriter.dictation.autostart.base import absolute

if TYPE_CHECKING:
    from collections.abc import Sequence

    from capswriter.dictation.autostart.base import Entry

DICTATE = (sys.executable, "-m", "capswriter", "dictate")


class Autostart(Protocol):
    """A system's way to start programs at login; each raises ``AutostartRefused``."""

    def install(self, command: Sequence[str]) -> Entry:
        """Start a command at every login, instead of any given before."""

    def remove(self) -> bool:
        """Start it no more; give whether anything was there."""

    def status(self) -> Entry | None:
        """Find what starts it."""


def for_platform(platform: str = sys.platform) -> Autostart:
    """Make the autostart of a system, named as ``sys.platform`` does."""
    if platform == "win32":
        from capswriter.dictation.autostart.windows import WindowsAutostart  # noqa: PLC0415

        return WindowsAutostart()
    if platform == "darwin":
        from capswriter.dictation.autostart.macos import MacAutostart  # noqa: PLC0415

        return MacAutostart()
    from capswriter.dictation.autostart.linux import LinuxAutostart  # noqa: PLC0415

    return LinuxAutostart()


def install(command: Sequence[str] = DICTATE) -> Entry:
    """Start dictation at every login; it does not start now.

    Args:
        command: the program, found as a shell would, and its arguments.

    Raises:
        AutostartRefused: there is no such program, or the system refuses.
    """
    return for_platform().install(absolute(command))


def remove() -> bool:
    """Start dictation no more at login; what runs goes on running.

    Returns:
        Whether it was to be started.

    Raises:
        AutostartRefused: the system refuses.
    """
    return for_platform().remove()


def status() -> Entry | None:
    """Tell what starts dictation at login; None for nothing."""
    return for_platform().status()
