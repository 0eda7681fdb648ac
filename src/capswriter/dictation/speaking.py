"""From keys to dictations: what is recorded goes into the journal and to the server at once."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from capswriter.dictation.microphone import AmbiguousMicrophone, NoMicrophone, NoSound
from capswriter.dictation.shortcuts import Cancel, Start, Stop, Why
from capswriter.dictation.spoken import Spoken

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from capswriter.dictation.journal import Journal
    from capswriter.dictation.keys.listen import Dictated
    from capswriter.dictation.microphone import Microphone
    from capswriter.dictation.output.base import Window
    from capswriter.dictation.sending import Dictation, Sender
    from capswriter.dictation.showing import Showing


class Speaking:
    """Does what the keys want, with one microphone.

    Args:
        microphone: that is open, or opened when somebody speaks.
        journal: that is open.
        sender: that is open.
        focused: finds the window that has the focus.
        showing: is told of start and stop.
        known: gets each dictation, until its text has been delivered.
        tail: seconds after the key came up that belong to a dictation.
    """

    def __init__(
        self,
        microphone: Microphone,
        journal: Journal,
        sender: Sender,
        *,
        focused: Callable[[], Awaitable[Window | None]],
        showing: Showing,
        known: dict[Dictation, Spoken],
        tail: float,
    ) -> None:
        self._microphone = microphone
        self._journal = journal
        self._sender = sender
        self._focused = focused
        self._showing = showing
        self._known = known
        self._tail = tail
        self._now: Spoken | None = None
        self._opened: asyncio.Event | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._bug: BaseException | None = None

    def do(self, action: Dictated) -> None:
        """Start, stop or cancel; this waits for nothing.

        Raises:
            Exception: a bug in what an earlier one has begun.
        """
        if self._bug is not None:
            raise self._bug
        if isinstance(action, Start):
            self._start(action)
        elif isinstance(action, Stop):
            self._stop(action)
        elif isinstance(action, Cancel):
            self._cancel(action)

    async def end(self) -> None:
        """Wait until all that was recorded is in the journal; the microphone has ended."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    def _start(self, start: Start) -> None:
        dictation = self._sender.begin(self._journal.begin())
        spoken = Spoken(dictation, start.at)
        self._known[dictation] = spoken
        self._now = spoken
        before, self._opened = self._opened, asyncio.Event()
        task = asyncio.create_task(self._record(spoken, before, self._opened))
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        self._showing.started()

    def _stop(self, stop: Stop) -> None:
        spoken, self._now = self._now, None
        if spoken is None:
            return  # there was no microphone
        spoken.stop = stop
        spoken.window = asyncio.ensure_future(self._focused())
        if spoken.recording is not None:
            spoken.recording.stop(self._tail, at=stop.at)
        self._showing.stopped()

    def _cancel(self, cancel: Cancel) -> None:
        spoken, self._now = self._now, None
        if spoken is None:
            return
        spoken.is_cancelled = True
        if spoken.recording is not None:
            spoken.recording.cancel()
        self._forget(spoken)
        self._showing.dropped(audibly=cancel.why is not Why.TAP)

    async def _record(
        self, spoken: Spoken, before: asyncio.Event | None, opened: asyncio.Event
    ) -> None:
        try:
            if before is not None:
                await before.wait()
            recording = await self._microphone.open_recording(at=spoken.key_down)
        except (NoMicrophone, NoSound, AmbiguousMicrophone) as error:
            self._has_no_microphone(spoken, str(error))
            return
        finally:
            opened.set()
        spoken.recording = recording
        if spoken.is_cancelled:
            recording.cancel()
            return
        if spoken.stop is not None:
            recording.stop(self._tail, at=spoken.stop.at)
        async for block in recording:
            spoken.dictation.add(block)
        if not spoken.is_cancelled:
            spoken.note("tail")
            spoken.dictation.stop()

    def _has_no_microphone(self, spoken: Spoken, reason: str) -> None:
        if spoken.is_cancelled:
            return
        is_stopped = spoken.stop is not None
        spoken.is_cancelled = True
        self._forget(spoken)
        if self._now is spoken:
            self._now = None
        if is_stopped:
            self._showing.settled()
        else:
            self._showing.dropped(audibly=True)
        self._showing.notice(f"nothing was recorded: {reason}")

    def _forget(self, spoken: Spoken) -> None:
        self._known.pop(spoken.dictation, None)
        spoken.dictation.cancel()

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._bug = error
