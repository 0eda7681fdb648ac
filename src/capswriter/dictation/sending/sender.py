"""Dictations go to a server, and are sent again from the journal until their texts are there."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

import anyio

from capswriter.client.errors import Refused
from capswriter.client.session import URL
from capswriter.dictation.journal import State
from capswriter.dictation.sending.dictation import Dictation
from capswriter.dictation.sending.errors import Broken, Nobody, NotNow
from capswriter.dictation.sending.events import (
    Away,
    Back,
    Event,
    Failed,
    Partial,
    Recognised,
    Starting,
)
from capswriter.dictation.sending.line import Line
from capswriter.dictation.sending.own import OwnServer
from capswriter.dictation.sending.turns import Turns
from capswriter.dictation.sending.wish import Wish

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Coroutine
    from types import TracebackType

    from capswriter.client.local import Local
    from capswriter.dictation.journal import Entry, Journal

PAUSE_S, LONGEST_PAUSE_S = 0.2, 5.0
"""Seconds before the first new try, which double up to the second."""

LONGEST_WISH_S = 60.0
"""Seconds after which to come again at most, whatever a busy server asks for."""

LATE_S = 10.0
"""Seconds after its end from which on the text of a dictation is late."""

MOST_BREAKS = 8
"""Times that a server may be lost over a dictation: it might be what costs the servers' lives."""

_log = logging.getLogger(__name__)


class Sender:
    """Sends dictations while they are spoken, and those that are left over.

    It is an async context manager; entering it takes up what the journal has unsent. A dictation
    that begins is sent at once. What could not be sent waits, and is sent in order: after pauses
    that grow, and whenever a new one begins.

    Args:
        journal: that is open.
        url: of the server: ours, or CapsWriter v1.0 to v2.6.
        token: what the server wants to be shown; None for nothing.
        wish: what is asked of the recogniser.
        local: a server to start when that one does not answer; None for none.
        late: seconds after its end for which the texts of later dictations wait for a dictation.
    """

    def __init__(
        self,
        journal: Journal,
        url: str = URL,
        *,
        token: str | None = None,
        wish: Wish | None = None,
        local: Local | None = None,
        late: float = LATE_S,
    ) -> None:
        self._journal = journal
        self._own = None if local is None else OwnServer(local, self._wake, self._own_failed)
        self._line = Line(url, token, wish or Wish(), self._own)
        self.recovered = 0
        """How many dictations earlier programs had left, which are sent or told of now."""
        self._turns = Turns(self._tell, late)
        self._waiting: list[Dictation] = []  # in the order in which they began
        self._is_away = False
        self._pause = PAUSE_S
        self._woken = asyncio.Event()
        self._events: deque[Event] = deque()
        self._news = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._bug: BaseException | None = None
        self._is_open = False

    async def __aenter__(self) -> Sender:
        self._is_open = True
        for entry in await self._journal.recover():
            self.send(entry)
            self.recovered += 1
        self._start(self._send_waiting())
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._is_open = False
        self._turns.close()
        for task in tuple(self._tasks):
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
        if self._own is not None:
            await self._own.end()
        self._news.set()

    @property
    def waiting(self) -> int:
        """How many dictations wait to be sent again."""
        return len(self._waiting)

    def begin(self, entry: Entry) -> Dictation:
        """Begin to send a new dictation; this waits for nothing.

        Args:
            entry: of the journal, that nothing has been added to.
        """
        dictation = self._dictation(entry, is_stopped=False)
        if self._own is not None:
            self._own.may_start = True
        self._start(self._send_now(dictation))
        self._wake()
        return dictation

    def send(self, entry: Entry) -> Dictation:
        """Send a dictation of the journal, after those that wait already; its text follows.

        Args:
            entry: taken up; what is unsent and has its text already is told without sending it.
        """
        dictation = self._dictation(entry, is_stopped=True)
        self._turns.expect(dictation)
        if entry.record.state is State.UNSENT and entry.record.text is not None:
            self._recognised(dictation, entry.record.text)
        else:
            self._wait(dictation)
        return dictation

    async def events(self) -> AsyncIterator[Event]:
        """Give the events as they come, until the sender is left; for one reader."""
        while True:
            while self._events:
                event = self._events.popleft()
                if isinstance(event, Recognised):
                    event = replace(event, age=event.entry.age)
                yield event
            if self._bug is not None:
                raise self._bug
            if not self._is_open:
                return
            self._news.clear()
            await self._news.wait()

    def _dictation(self, entry: Entry, *, is_stopped: bool) -> Dictation:
        return Dictation(
            entry, is_stopped=is_stopped, stopped=self._turns.expect, cancelled=self._cancel
        )

    def _cancel(self, dictation: Dictation) -> bool:
        if not dictation.entry.is_ours or dictation.entry.record.state is State.DELIVERING:
            return False
        told = [each for each in self._events if _dictation_of(each) is dictation]
        if dictation.is_settled and not told and not self._turns.holds(dictation):
            return False  # whoever took the text decides
        for event in told:
            self._events.remove(event)
        self._turns.forget(dictation)
        self._settle(dictation)
        dictation.entry.cancel()
        return True

    def _settle(self, dictation: Dictation) -> None:
        dictation.is_settled = True
        if dictation in self._waiting:
            self._waiting.remove(dictation)
        if dictation.attempt is not None:
            dictation.attempt.cancel()

    def _wait(self, dictation: Dictation) -> None:
        self._waiting.append(dictation)
        self._waiting.sort(key=lambda each: each.begun)
        self._wake()

    async def _send_now(self, dictation: Dictation) -> None:
        if not await self._try(dictation):
            self._wait(dictation)

    async def _send_waiting(self) -> None:
        while True:
            self._woken.clear()
            if not self._waiting:
                await self._woken.wait()
            elif await self._try(dictation := self._waiting[0]):
                with suppress(ValueError):  # cancelled meanwhile
                    self._waiting.remove(dictation)
            else:
                await self._rest()

    async def _rest(self) -> None:
        pause, self._pause = self._pause, min(2 * self._pause, LONGEST_PAUSE_S)
        with anyio.move_on_after(pause):  # asyncio.wait_for loses a cancellation when it is woken
            await self._woken.wait()

    async def _try(self, dictation: Dictation) -> bool:
        """Try once; tells whether that was all."""
        if dictation.is_settled:
            return True

        def on_partial(text: str) -> None:
            self._tell(Partial(dictation, text))

        failure: NotNow | Refused | OSError | None = None
        text = ""
        with anyio.CancelScope() as dictation.attempt:
            try:
                await dictation.load()
                text = await self._line.dictate(dictation, on_partial)
            except (NotNow, Refused, OSError) as error:
                failure = error
        dictation.attempt = None
        dictation.unload()
        if dictation.is_settled:  # cancelled
            return True
        if failure is None:
            self._is_back()
            self._recognised(dictation, text)
            return True
        if isinstance(failure, NotNow):
            return await self._has_given_up(dictation, failure)
        await dictation.ended()
        if not dictation.is_settled:
            self._fail(dictation, str(failure))
        return True

    def _recognised(self, dictation: Dictation, text: str) -> None:
        dictation.is_settled = True
        dictation.entry.recognised(text)
        self._turns.settle(dictation, Recognised(dictation, text, dictation.entry.age))

    def _fail(self, dictation: Dictation, reason: str) -> None:
        dictation.is_settled = True
        dictation.entry.fail(reason)
        self._turns.settle(dictation, Failed(dictation, reason))

    async def _has_given_up(self, dictation: Dictation, failure: NotNow) -> bool:
        if isinstance(failure, Nobody) and self._own is not None and self._own.start():
            self._tell(Starting())
        self._away(str(failure))
        if failure.retry_after is not None:
            self._pause = min(max(self._pause, failure.retry_after), LONGEST_WISH_S)
        if isinstance(failure, Broken) and failure.retry_after is None:
            dictation.breaks += 1
        if dictation.breaks < MOST_BREAKS:
            return False
        await dictation.ended()
        if dictation.is_settled:  # cancelled
            return True
        dictation.is_settled = True
        dictation.entry.put_off(str(failure))
        self._turns.settle(dictation, Failed(dictation, str(failure)))
        return True

    def _away(self, reason: str) -> None:
        if not self._is_away:
            self._is_away = True
            _log.warning("dictations wait: %s", reason)
            self._tell(Away(reason))

    def _is_back(self) -> None:
        self._pause = PAUSE_S
        if self._is_away:
            self._is_away = False
            _log.info("a server takes dictations again")
            self._tell(Back())

    def _own_failed(self, reason: str) -> None:
        self._is_away = False  # this is news
        self._away(reason)

    def _wake(self) -> None:
        self._pause = PAUSE_S
        self._woken.set()

    def _tell(self, event: Event) -> None:
        last = self._events[-1] if self._events else None
        if isinstance(last, Partial) and _dictation_of(event) is last.dictation:
            self._events.pop()  # nobody has taken it, and now it is worthless
        self._events.append(event)
        self._news.set()

    def _start(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._bug = error
            self._news.set()


def _dictation_of(event: Event) -> Dictation | None:
    return event.dictation if isinstance(event, Partial | Recognised | Failed) else None
