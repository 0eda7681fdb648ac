"""Trouble told on the desktop; in the log where the desktop has no way to tell it.

Linux is asked over D-Bus, macOS by ``osascript``, Windows by PowerShell. What is told goes to these
as an argument or a variable, never as a part of a program.
"""

from __future__ import annotations

import html
import logging
import os
import subprocess
import sys
import time
from functools import partial
from typing import TYPE_CHECKING

from capswriter.dictation.aside import Aside

if TYPE_CHECKING:
    from collections.abc import Callable

TITLE = "CapsWriter"
PATIENCE_S = 10.0
AGAIN_S = 60.0
"""Seconds in which the same line is shown once."""

LONGEST = 300
"""Characters: bubbles show a few lines, and the log has the rest."""

MAC_SCRIPT = (
    "on run argv",
    "display notification (item 2 of argv) with title (item 1 of argv)",
    "end run",
)

WINDOWS_SCRIPT = """
$ErrorActionPreference = 'Stop'
[void][Windows.UI.Notifications.ToastNotificationManager,Windows.UI.Notifications,ContentType=WindowsRuntime]
$kind = [Windows.UI.Notifications.ToastTemplateType]::ToastText02
$toast = [Windows.UI.Notifications.ToastNotificationManager]::GetTemplateContent($kind)
$lines = $toast.GetElementsByTagName('text')
[void]$lines.Item(0).AppendChild($toast.CreateTextNode($env:CAPSWRITER_TOLD_TITLE))
[void]$lines.Item(1).AppendChild($toast.CreateTextNode($env:CAPSWRITER_TOLD_LINE))
$id = '{1AC14E77-02E7-4E5D-B744-2EB1AE5198B7}\\WindowsPowerShell\\v1.0\\powershell.exe'
[Windows.UI.Notifications.ToastNotificationManager]::CreateToastNotifier($id).Show($toast)
"""
"""A program has to be known to Windows for its toasts to be shown, and PowerShell is."""

_log = logging.getLogger(__name__)


class NotShown(Exception):
    """The desktop has no way to show it; the message says why."""


class Notifications:
    """Shows lines on the desktop, aside: nobody waits for it, and it raises nothing.

    Args:
        is_on: whether to show them; they go to the log otherwise.
        show: shows a title and a line, or raises ``NotShown``; None for this system's way.
    """

    def __init__(
        self, *, is_on: bool = True, show: Callable[[str, str], None] | None = None
    ) -> None:
        self.is_on = is_on
        self._show = shower() if show is None else show
        self._aside = Aside("notifications", most=8)
        self._shown: dict[str, float] = {}
        self._has_told = False

    def tell(self, line: str) -> None:
        """Show a line, from any thread; the same one once a minute."""
        now = time.monotonic()
        self._shown = {told: at for told, at in self._shown.items() if now - at < AGAIN_S}
        if line in self._shown:
            return
        self._shown[line] = now
        if not (self.is_on and self._aside.do(partial(self._try, line))):
            _log.warning("%s", line)

    def wait(self, seconds: float) -> None:
        """Wait until all is shown, but no longer than this."""
        self._aside.wait(seconds)

    def _try(self, line: str) -> None:
        short = line if len(line) <= LONGEST else f"{line[: LONGEST - 1]}…"
        try:
            self._show(TITLE, short)
        except NotShown as error:
            _log.warning("%s", line)
            if not self._has_told:
                _log.info("the desktop shows no notifications: %s", error)
            self._has_told = True


def shower(platform: str = sys.platform) -> Callable[[str, str], None]:
    """Give what shows a title and a line on a system."""
    ways = {"darwin": show_on_macos, "win32": show_on_windows}
    return ways.get(platform, ShowOnLinux())


class ShowOnLinux:
    """Shows a line in the bubble of the line before, as long as that is there."""

    def __init__(self) -> None:
        self._last = 0

    def __call__(self, title: str, line: str) -> None:
        """Show a line.

        Raises:
            NotShown: there is no session bus, or nobody on it who shows notifications.
        """
        try:
            from jeepney import DBusAddress, MessageType, new_method_call  # noqa: PLC0415
            from jeepney.io.blocking import open_dbus_connection  # noqa: PLC0415
        except ImportError as error:
            raise NotShown("pip install 'capswriter-server[dictate]'") from error
        name = "org.freedesktop.Notifications"
        place = DBusAddress("/org/freedesktop/Notifications", bus_name=name, interface=name)
        body = html.escape(line, quote=False)  # it may be taken for mark-up
        values: tuple[object, ...] = (TITLE, self._last, "", title, body, [], {}, -1)
        try:
            with open_dbus_connection("SESSION") as bus:
                call = new_method_call(place, "Notify", "susssasa{sv}i", values)
                reply = bus.send_and_get_reply(call, timeout=PATIENCE_S)
        except KeyError as error:
            raise NotShown("there is no session bus") from error
        except Exception as error:  # of many kinds: sockets, authentication, a reply in disorder
            raise NotShown(f"the session bus fails: {error}") from error
        if reply.header.message_type is MessageType.error:
            why = reply.body[0] if reply.body else "the desktop refuses them"
            raise NotShown(str(why))
        self._last = int(reply.body[0])


def show_on_macos(title: str, line: str) -> None:
    """Show a line.

    Raises:
        NotShown: it cannot be shown.
    """
    script = [part for line_of_it in MAC_SCRIPT for part in ("-e", line_of_it)]
    # A line that begins with a hyphen is no option behind "--".
    _run(["/usr/bin/osascript", *script, "--", title, line], {})


def show_on_windows(title: str, line: str) -> None:
    """Show a line.

    Raises:
        NotShown: it cannot be shown.
    """
    command = ["powershell", "-NoProfile", "-NonInteractive", "-Command", WINDOWS_SCRIPT]
    _run(command, {"CAPSWRITER_TOLD_TITLE": title, "CAPSWRITER_TOLD_LINE": line})


def _run(command: list[str], variables: dict[str, str]) -> None:
    hidden: int = getattr(subprocess, "CREATE_NO_WINDOW", 0)  # Windows alone has it
    try:
        subprocess.run(  # noqa: S603  the system's own program
            command,
            env={**os.environ, **variables},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            timeout=PATIENCE_S,
            check=True,
            creationflags=hidden,
        )
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        raise NotShown(str(error)) from error
