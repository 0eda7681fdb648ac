"""What the user sees and hears of dictation: view, tray, sounds and notifications at once."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

from capswriter.dictation.output.base import How
from capswriter.dictation.tray import TrayState

if TYPE_CHECKING:
    from collections.abc import Callable

    from capswriter.dictation.notifications import Notifications
    from capswriter.dictation.output.base import Outcome
    from capswriter.dictation.sounds import Sounds
    from capswriter.dictation.tray import Tray
    from capswriter.dictation.view import View

FRAME_S = 0.1
"""Seconds between two levels."""

HISTORY = "'capswriter history' has it"


class Showing:
    """Tells the user; nothing waits for it.

    Args:
        view: the terminal's.
        sounds: of start and stop.
        notifications: of trouble; None where the desktop is not to be told.
    """

    def __init__(self, view: View, sounds: Sounds, notifications: Notifications | None) -> None:
        self.view = view
        self.tray: Tray | None = None
        """The icon, once there is one."""
        self.level: Callable[[], float] | None = None
        """Tells how loud it is, while there is a microphone."""
        self._sounds = sounds
        self._notifications = notifications
        self._is_recording = False
        self._is_paused = False
        self._waiting = 0
        self._troubles: dict[str, str] = {}

    async def run(self) -> None:
        """Show the level while somebody speaks, until it is cancelled."""
        while True:
            await asyncio.sleep(FRAME_S)
            if self.view.is_live:
                self.view.refresh()

    def started(self) -> None:
        """Tell that somebody speaks."""
        self._is_recording = True
        self._sounds.start()
        self._show()

    def stopped(self) -> None:
        """Tell that the end was heard, and that a text is waited for."""
        self._is_recording = False
        self._waiting += 1
        self._sounds.stop()
        self._show()

    def dropped(self, *, audibly: bool) -> None:
        """Tell that a dictation was cancelled while it was spoken."""
        self._is_recording = False
        if audibly:
            self._sounds.stop()
        self._show()

    def settled(self) -> None:
        """Tell that a text is waited for no more."""
        self._waiting = max(0, self._waiting - 1)
        self._show()

    def expected(self, texts: int) -> None:
        """Tell that so many texts of earlier programs are waited for."""
        if texts:
            self._waiting += texts
            self._show()

    def paused(self, *, is_paused: bool) -> None:
        """Tell whether nothing is listened to."""
        self._is_paused, self._is_recording = is_paused, False
        self._show()

    def partial(self, text: str) -> None:
        """Tell what is known of a text so far."""
        self.view.partial(text)

    def text(self, text: str, outcome: Outcome) -> None:
        """Tell what became of a text."""
        if outcome.how is not How.PRINTED:
            self.view.line(f"{outcome.how.value}: {text}")
        if outcome.why:
            self.notice(outcome.why)

    def answer(self, role: str, text: str) -> None:
        """Show what a language model answered where it is not to be typed."""
        self.view.line(f"{role}: {text}")
        if self._notifications is not None:
            self._notifications.tell(f"{role}: {text}")

    def notice(self, line: str) -> None:
        """Tell of something that the user should know, once."""
        self.view.line(line, "yellow")
        if self._notifications is not None:
            self._notifications.tell(line)

    def trouble(self, kind: str, line: str) -> None:
        """Tell of trouble that lasts, until it is ``mended``."""
        self._troubles[kind] = line
        self.notice(line)
        self._show()

    def mended(self, kind: str, line: str) -> None:
        """Tell that trouble is over."""
        if self._troubles.pop(kind, None) is not None:
            self.view.line(line)
        self._show()

    def close(self) -> None:
        """Let the last sound be heard."""
        with suppress(RuntimeError):
            self._sounds.wait(1.0)
        if self.tray is not None:
            self.tray.close()

    def _show(self) -> None:
        if self._is_recording:
            self.view.state("dictating", self.level)
        elif self._waiting:
            self.view.state("waiting for the text")
        else:
            self.view.state("paused" if self._is_paused else "idle")
        if self.tray is not None:
            self.tray.show(*self._picture())

    def _picture(self) -> tuple[TrayState, str]:
        if self._is_recording:
            return TrayState.RECORDING, ""
        if self._troubles:
            return TrayState.TROUBLE, next(iter(self._troubles.values()))
        if self._waiting:
            return TrayState.WAITING, ""
        return (TrayState.PAUSED if self._is_paused else TrayState.IDLE), ""
