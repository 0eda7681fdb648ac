"""Texts are told in the order in which they were spoken, unless one of them is late."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from capswriter.dictation.sending.dictation import Dictation
    from capswriter.dictation.sending.events import Failed, Recognised


class Turns:
    """Holds back what is told of a dictation while an earlier one is about to be told of.

    Args:
        tell: gets what is told.
        late: seconds after its end for which others wait for a dictation.
    """

    def __init__(self, tell: Callable[[Recognised | Failed], None], late: float) -> None:
        self._tell = tell
        self._late = late
        self._expected: list[Dictation] = []  # in the order in which they ended
        self._settled: dict[Dictation, Recognised | Failed] = {}
        self._timer: asyncio.TimerHandle | None = None

    def expect(self, dictation: Dictation) -> None:
        """Take note that something will be told of a dictation, after those before."""
        self._expected.append(dictation)

    def settle(self, dictation: Dictation, event: Recognised | Failed) -> None:
        """Tell this of a dictation when it is its turn."""
        if dictation not in self._expected:  # it failed while it was being spoken
            self._expected.append(dictation)
        self._settled[dictation] = event
        self._let_out()

    def holds(self, dictation: Dictation) -> bool:
        """Tell whether what is to be told of a dictation waits for its turn."""
        return dictation in self._settled

    def forget(self, dictation: Dictation) -> None:
        """Tell nothing of a dictation."""
        self._settled.pop(dictation, None)
        if dictation in self._expected:
            self._expected.remove(dictation)
            self._let_out()

    def close(self) -> None:
        """Tell nothing more."""
        if self._timer is not None:
            self._timer.cancel()

    def _let_out(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for dictation in tuple(self._expected):
            event = self._settled.pop(dictation, None)
            if event is not None:
                self._expected.remove(dictation)
                self._tell(event)
            elif (age := dictation.entry.age) < self._late and self._settled:
                pause = self._late - age
                self._timer = asyncio.get_running_loop().call_later(pause, self._let_out)
                return
