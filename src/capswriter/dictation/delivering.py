"""From recognised texts to the window: corrected, asked about, written once, kept and sent on."""

from __future__ import annotations

import asyncio
import json
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from capswriter.dictation.journal import State
from capswriter.dictation.output.base import How, Outcome
from capswriter.dictation.roles import Failed as NoAnswerCame
from capswriter.dictation.roles import Finished, Piece, Stopped
from capswriter.dictation.sending import Away, Back, Failed, Partial, Recognised, Starting
from capswriter.dictation.showing import HISTORY
from capswriter.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from contextlib import AbstractContextManager

    from capswriter.dictation.archive import Archive
    from capswriter.dictation.broadcast import Broadcast
    from capswriter.dictation.journal import Entry
    from capswriter.dictation.output import Output
    from capswriter.dictation.output.base import Window
    from capswriter.dictation.roles import Asking, Match, Roles
    from capswriter.dictation.sending import Dictation, Event, Sender
    from capswriter.dictation.showing import Showing
    from capswriter.dictation.spoken import Spoken
    from capswriter.dictation.text.corrections import Corrections

SHORT = 40
"""Characters of a text that a notice repeats."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Late:
    """What becomes of texts that come late.

    Args:
        after: seconds after key-up.
        is_typed: whether they are typed all the same; they stay in the history otherwise.
    """

    after: float
    is_typed: bool


@dataclass(frozen=True, slots=True)
class Ways:
    """Where texts go.

    Args:
        output: into windows.
        pieces: the same for pieces of an answer; None where an answer is written as a whole.
        corrections: of texts.
        roles: whom some are for; None for nobody.
        asking: asks them.
        archive: keeps them; None for nowhere.
        broadcast: sends them on; None for nowhere.
    """

    output: Output
    pieces: Output | None
    corrections: Corrections
    roles: Roles | None
    asking: Asking
    archive: Archive | None
    broadcast: Broadcast | None


class Delivering:
    """Takes what the sender tells, and delivers texts one after the other.

    Args:
        sender: that is open.
        ways: where texts go.
        showing: is told.
        known: what the keys have begun.
        late: what becomes of late texts.
        follows_focus: whether texts go to whatever has the focus.
        let_go: waits until no key is held that would change what is typed.
        escaping: has Esc do something while it is entered.
    """

    def __init__(
        self,
        sender: Sender,
        ways: Ways,
        showing: Showing,
        *,
        known: dict[Dictation, Spoken],
        late: Late,
        follows_focus: bool,
        let_go: Callable[[], Awaitable[None]],
        escaping: Callable[[Callable[[], None]], AbstractContextManager[None]],
    ) -> None:
        self._sender = sender
        self._ways = ways
        self._showing = showing
        self._known = known
        self._late = late
        self._follows_focus = follows_focus
        self._let_go = let_go
        self._escaping = escaping
        self._texts: asyncio.Queue[Recognised] = asyncio.Queue()
        self._warned: set[str] = set()
        self._keeping: set[asyncio.Task[None]] = set()

    async def end(self) -> None:
        """Wait until what was delivered is kept."""
        if self._keeping:
            await asyncio.wait(self._keeping)

    async def listen(self) -> None:
        """Take what the sender tells, until it ends or this is cancelled."""
        async for event in self._sender.events():
            self._take(event)

    async def deliver(self) -> None:
        """Deliver texts in their order, until it is cancelled."""
        while True:
            event = await self._texts.get()
            spoken = self._known.pop(event.dictation, None)
            try:
                await self._deliver(event, spoken)
            except UserError as error:
                self._broke_off(event.entry, str(error))
            finally:
                self._showing.settled()

    def _take(self, event: Event) -> None:
        if isinstance(event, Recognised):
            if spoken := self._known.get(event.dictation):
                spoken.note("text")
            self._texts.put_nowait(event)
        elif isinstance(event, Partial):
            self._showing.partial(event.text)
        elif isinstance(event, Failed):
            self._known.pop(event.dictation, None)
            self._showing.settled()
            self._showing.notice(f"a dictation got no text: {event.reason}; {HISTORY}")
        elif isinstance(event, Away):
            line = f"{event.reason}; what you say is kept, and sent when a server is there"
            self._showing.trouble("server", line)
        elif isinstance(event, Starting):
            self._showing.view.line("starting a server of our own")
        elif isinstance(event, Back):
            self._showing.mended("server", "a server takes dictations")

    async def _deliver(self, event: Recognised, spoken: Spoken | None) -> None:
        ways, entry = self._ways, event.entry
        text = await asyncio.to_thread(ways.corrections.apply, event.text)
        self._warn(ways.corrections.warnings)
        if not text.strip():
            entry.delivered()
            return
        if self._is_late(entry, spoken):
            entry.keep("its text came late")
            self._showing.notice(f"late, and not typed: {_short(text)}; {HISTORY}")
            return
        if spoken is not None:
            spoken.note("corrected")
        window = None
        if spoken is not None and spoken.window is not None and not self._follows_focus:
            window = await spoken.window
        match = None
        if ways.roles is not None:
            match = await asyncio.to_thread(ways.roles.match, text)
            self._warn(ways.roles.warnings)
        if match is None:
            text = await self._write(entry, text, window)
        else:
            text = await self._ask(entry, match, window)
        if spoken is not None:
            spoken.note("written")
            _log.info("times: %s", json.dumps(spoken.times))
        if text and entry.record.state is State.DELIVERED:
            task = asyncio.create_task(self._keep(entry, text))
            self._keeping.add(task)
            task.add_done_callback(self._keeping.discard)

    def _is_late(self, entry: Entry, spoken: Spoken | None) -> bool:
        if self._late.is_typed:
            return False
        # Of what an earlier program has left nobody knows the window.
        return entry.age > self._late.after or (spoken is None and not self._follows_focus)

    async def _write(self, entry: Entry, text: str, window: Window | None) -> str:
        await self._let_go()
        await entry.delivering(text)
        writing = asyncio.ensure_future(self._ways.output.write(text, window))
        try:
            outcome = await asyncio.shield(writing)
        except asyncio.CancelledError:
            # What has begun is done and noted; the program ends afterwards.
            outcome = await writing
            if (task := asyncio.current_task()) is not None:
                task.cancel()
        self._has_written(entry, text, outcome)
        return text

    def _has_written(self, entry: Entry, text: str, outcome: Outcome) -> None:
        if outcome.how is How.NOWHERE:
            self._broke_off(entry, outcome.why or "it could not be written")
            return
        entry.delivered()
        self._showing.text(text, outcome)

    def _broke_off(self, entry: Entry, reason: str) -> None:
        if entry.is_ours and entry.record.state is State.DELIVERING:
            entry.uncertain(reason)
        elif entry.is_ours:
            entry.put_off(reason)
        self._showing.notice(f"{reason}; {HISTORY}")

    async def _ask(self, entry: Entry, match: Match, window: Window | None) -> str:
        """Ask a role, and write what it answers; give what was written in the end."""
        is_shown = match.role.output == "show"
        pieces = None if is_shown else self._ways.pieces
        writing = _Writing(entry, pieces, window, self._let_go)
        text = match.plain
        async with self._ways.asking.ask(match) as answer:
            with self._escaping(answer.stop):
                async for event in answer:
                    if isinstance(event, Piece):
                        self._showing.partial(event.text)
                        await writing.add(event.text)
                        continue
                    if isinstance(event, Finished):
                        text = event.text
                    elif isinstance(event, NoAnswerCame):
                        self._showing.notice(event.reason)
                        text = event.so_far or event.plain
                        is_shown = is_shown and bool(event.so_far)
                    elif isinstance(event, Stopped):
                        text = event.so_far
        if not text:  # it was stopped before it began
            entry.keep("the language model was stopped")
            return ""
        if is_shown:
            await entry.delivering(text)
            entry.delivered()
            self._showing.answer(match.role.name, text)
            return text
        if not writing.has_begun:
            return await self._write(entry, text, window)
        outcome = Outcome(How.TYPED)
        if rest := text[writing.written :]:
            outcome = await self._ways.output.write(rest, window)
        self._has_written(entry, text, outcome)
        return text

    async def _keep(self, entry: Entry, text: str) -> None:
        begun = entry.record.begun
        if self._ways.broadcast is not None:
            self._ways.broadcast.send(text, begun)
        if self._ways.archive is not None:
            try:
                audio = await entry.audio()
            except OSError:
                audio = b""
            await self._ways.archive.keep(text, begun, audio)

    def _warn(self, warnings: tuple[str, ...]) -> None:
        for warning in warnings:
            if warning not in self._warned:
                self._warned.add(warning)
                self._showing.notice(warning)


class _Writing:
    """Writes an answer as it comes, as far as the window takes it.

    Args:
        entry: of the dictation.
        output: for pieces; None where they are not written one by one.
        window: that they are for.
        let_go: waits until no key is held that would change what is typed.
    """

    def __init__(
        self,
        entry: Entry,
        output: Output | None,
        window: Window | None,
        let_go: Callable[[], Awaitable[None]],
    ) -> None:
        self.has_begun = False
        self.written = 0
        """Characters that the window has."""
        self._entry = entry
        self._output = output
        self._window = window
        self._let_go = let_go

    async def add(self, text: str) -> None:
        """Write a piece, unless one before it was not taken."""
        if self._output is None:
            return
        if not self.has_begun:
            await self._let_go()
            await self._entry.delivering()
            self.has_begun = True
        outcome = await self._output.write(text, self._window)
        if outcome.how in {How.TYPED, How.PASTED} and not outcome.rest:
            self.written += len(text)
        else:
            self._output = None  # the rest is written at the end, wherever it goes then
            self.written += outcome.written


def _short(text: str) -> str:
    return text if len(text) <= SHORT else f"{text[:SHORT]}…"
