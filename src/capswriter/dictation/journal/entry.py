"""A dictation of this process, from its first block until it is typed."""

from __future__ import annotations

import time
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from capswriter.dictation.journal.record import State

if TYPE_CHECKING:
    from asyncio import Future
    from collections.abc import Callable
    from typing import Any

    from capswriter.dictation.journal.disk import Disk
    from capswriter.dictation.journal.files import Files
    from capswriter.dictation.journal.record import Record


class Entry:
    """What the journal holds of a dictation that this process has; the journal makes it.

    Everything is done in the order in which it was asked for. The futures are done when it is on
    the disk, or when the disk has refused it and that was told; waiting for them is needed only
    where that matters: before the first character goes out.

    Args:
        record: how it stands.
        files: of the dictation.
        disk: whose thread works on them.
        released: called when this process has it no more.
    """

    def __init__(
        self, record: Record, files: Files, disk: Disk, released: Callable[[Entry], None]
    ) -> None:
        self.record = record
        self.is_ours = True
        """Whether this process still has it."""
        self._files = files
        self._disk = disk
        self._released = released

    def __repr__(self) -> str:
        return f"<Entry {self.record.name} {self.record.state.value}>"

    @property
    def age(self) -> float:
        """Seconds since the speaker ended; 0 while somebody speaks."""
        ended = self.record.ended
        return 0.0 if ended is None else max(0.0, time.time() - ended)

    def add(self, audio: bytes) -> Future[None]:
        """Add 16-bit samples, mono, 16 kHz.

        Raises:
            ValueError: it does not record.
        """
        if self.record.state is not State.RECORDING:
            raise ValueError(f"{self} takes no sound")
        return self._disk.do(partial(self._files.add, audio))

    def close(self) -> Future[None]:
        """End the recording."""
        record = self._next(State.RECORDED, ended=time.time())
        return self._disk.do(partial(self._files.finish, record))

    def recognised(self, text: str) -> Future[None]:
        """Keep the text."""
        return self._become(State.RECOGNISED, text=text, typed=None, reason=None)

    def delivering(self, typed: str | None = None) -> Future[None]:
        """Note that the text is about to go out: wait for it before the first character does.

        Args:
            typed: what goes out, where it is not the recognised text.
        """
        typed = None if typed == self.record.text else typed
        record = self._next(State.DELIVERING, typed=typed)
        return self._disk.do(partial(self._files.write, record, lasting=True))

    def delivered(self) -> Future[None]:
        """Note that the last character is out, or that there was none to type."""
        return self._become(State.DELIVERED)

    def uncertain(self, reason: str) -> Future[None]:
        """Note that delivering broke off, and nobody knows where."""
        return self._become(State.UNCERTAIN, reason=reason)

    def keep(self, reason: str) -> Future[None]:
        """Leave the text in the history, undelivered, for good."""
        return self._become(State.KEPT, reason=reason)

    def put_off(self, reason: str) -> Future[None]:
        """Leave it as unsent: the next start of the program takes it up."""
        return self._become(State.UNSENT, reason=reason)

    def cancel(self) -> Future[None]:
        """Note that the user wants nothing of it."""
        return self._become(State.CANCELLED)

    def fail(self, reason: str) -> Future[None]:
        """Note that it gets no text, now or later."""
        return self._become(State.FAILED, reason=reason)

    def release(self) -> Future[None]:
        """Let others have it: as unsent where it was under way, otherwise as it is."""
        state = self.record.state
        if not self.is_ours:
            return self._disk.do(lambda: None)
        if state is State.DELIVERING:
            return self.uncertain("the program ended while it was typed")
        if state is State.RECORDING:
            self.close()
        if not state.is_at_rest:
            return self.put_off("the program ended before it was typed")
        return self._let_go(lambda: None)

    async def audio(self) -> bytes:
        """Give the 16-bit samples.

        Raises:
            OSError: they cannot be read.
        """
        return await self._disk.do(self._files.read)

    def _next(self, state: State, **changes: Any) -> Record:
        if not self.is_ours or not self.record.state.may_become(state):
            raise ValueError(f"{self} cannot become {state.value}")
        self.record = replace(self.record, state=state, **changes)
        return self.record

    def _become(self, state: State, **changes: Any) -> Future[None]:
        if self.record.ended is None:
            changes["ended"] = time.time()
        write = partial(self._files.write, self._next(state, **changes))
        return self._let_go(write) if state.is_at_rest else self._disk.do(write)

    def _let_go(self, write: Callable[[], None]) -> Future[None]:
        self.is_ours = False
        self._released(self)

        def last() -> None:
            try:
                write()
            finally:
                self._files.release()

        return self._disk.do(last)
