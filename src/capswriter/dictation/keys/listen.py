"""Keys, commands and the clock in; what to do about a dictation out."""

from __future__ import annotations

import asyncio
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from capswriter.dictation.shortcuts import (
    ESCAPE,
    Ask,
    Cancel,
    Command,
    Press,
    Replay,
    Start,
    Stop,
    Tick,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from types import TracebackType
    from typing import TypeAlias

    from capswriter.dictation.keys.base import Keys
    from capswriter.dictation.shortcuts import Action, Event, KeyEvent, Shortcuts

    Dictated: TypeAlias = Start | Stop | Cancel


class Listening:
    """Gives every start, stop and cancel, while it is entered; taps are replayed by itself.

    Args:
        shortcuts: the state machine; nobody else may feed it.
        keys: where events come from; None where commands are all there is.
        clock: gives seconds, as ``keys`` does.
    """

    def __init__(
        self,
        shortcuts: Shortcuts,
        keys: Keys | None,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._shortcuts = shortcuts
        self._keys = keys
        self._clock = clock
        self._told: asyncio.Queue[Dictated] = asyncio.Queue()
        self._tick: asyncio.TimerHandle | None = None
        self._fed = asyncio.Event()
        self._is_over = False
        self._escape: Callable[[], None] | None = None

    async def __aenter__(self) -> Listening:
        """Start the keys.

        Raises:
            KeysUnavailable: they cannot work here.
        """
        self._loop = asyncio.get_running_loop()
        if self._keys is not None:
            await asyncio.to_thread(self._keys.start, self._emit)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._is_over = True
        self._fed.set()
        if self._tick is not None:
            self._tick.cancel()
        if self._keys is not None:
            await asyncio.to_thread(self._keys.stop)

    @property
    def running(self) -> bool:
        """Whether a dictation runs."""
        return self._shortcuts.running

    async def __aiter__(self) -> AsyncIterator[Dictated]:
        while True:
            yield await self._told.get()

    def ask(self, command: Command) -> bool:
        """Do what a command wants; give whether that changed anything."""
        if command is Command.CANCEL and not self.running and self._escape is not None:
            self._escape()
            return True
        return bool(self._feed(Ask(command, self._clock())))

    async def let_go(self, keys: frozenset[str]) -> None:
        """Wait until none of these keys is held, of those that are shortcuts'."""
        while self._shortcuts.down & keys and not self._is_over:
            self._fed.clear()
            await self._fed.wait()

    @contextmanager
    def escaping(self, escape: Callable[[], None]) -> Iterator[None]:
        """Have Esc, and the command to cancel, do this while no dictation runs."""
        self._escape = escape
        self._claim_escape()
        try:
            yield
        finally:
            self._escape = None
            self._claim_escape()

    def _emit(self, event: KeyEvent) -> None:
        self._loop.call_soon_threadsafe(self._feed, event)

    def _feed(self, event: Event) -> list[Action]:
        if isinstance(event, Press) and event.key == ESCAPE and not self.running and self._escape:
            self._escape()
        actions = self._shortcuts.feed(event)
        self._fed.set()
        for action in actions:
            if isinstance(action, Replay):
                if self._keys is not None:
                    self._keys.replay(action.key)
                continue
            self._claim_escape()
            self._told.put_nowait(action)
        if actions:
            self._set_tick()
        return actions

    def _claim_escape(self) -> None:
        if self._keys is not None and not self._is_over:
            self._keys.claim_escape(claimed=self.running or self._escape is not None)

    def _set_tick(self) -> None:
        if self._tick is not None:
            self._tick.cancel()
            self._tick = None
        if (due := self._shortcuts.due) is not None:
            self._tick = self._loop.call_later(
                max(0.0, due - self._clock()), lambda: self._feed(Tick(self._clock()))
            )
