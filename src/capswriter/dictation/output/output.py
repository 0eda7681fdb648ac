"""Puts a text where it belongs: into a window, on the clipboard or on standard output."""

from __future__ import annotations

import asyncio
import sys
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TextIO

from capswriter.dictation.output.base import (
    ClipboardBusy,
    How,
    Newlines,
    Outcome,
    OutputUnavailable,
    PasteKeys,
    Way,
    same_window,
)
from capswriter.dictation.output.choose import make_desktop
from capswriter.dictation.output.rules import KNOWN, Manner, Rule, manner_for
from capswriter.dictation.output.strokes import shape, to_strokes, to_text

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from capswriter.dictation.output.base import Desktop, Window

MOVED = "the focus has moved to another window"


@dataclass(frozen=True, slots=True)
class OutputSettings:
    """How text is put out.

    Args:
        way: where no rule says otherwise.
        follow_focus: whether a text goes to whatever window has the focus, even if it was another
            one when the key was let go.
        newlines: what line breaks are typed as.
        enter_after: whether Enter is pressed after each text.
        strip_final: whether a full stop or comma at the end of a text is left out.
        rules: what is done differently in which window.
    """

    way: Way = Way.TYPE
    follow_focus: bool = False
    newlines: Newlines = Newlines.ENTER
    enter_after: bool = False
    strip_final: bool = False
    rules: Sequence[Rule] = ()


class Output:
    """Writes one text after another.

    Args:
        settings: how.
        desktop: through which; None where text is only printed.
        stream: where text is printed.
    """

    def __init__(
        self, settings: OutputSettings, desktop: Desktop | None, stream: TextIO | None = None
    ) -> None:
        self._settings = settings
        self._desktop = desktop
        self._stream = stream
        self._turn = asyncio.Lock()

    @classmethod
    def choose(
        cls,
        settings: OutputSettings,
        *,
        make: Callable[[], Desktop] = make_desktop,
        stream: TextIO | None = None,
    ) -> Output:
        """Choose what works on this system.

        Args:
            settings: how text is to be put out.
            make: makes what this system's windows are written to with.
            stream: where text is printed; None for standard output.

        Raises:
            OutputUnavailable: the way that is wanted cannot work here; says what can.
        """
        if settings.way is Way.STDOUT:
            return cls(settings, None, stream)
        desktop = make()
        if why := desktop.missing(settings.way):
            desktop.close()
            raise OutputUnavailable(f"output {settings.way.value} cannot work here: {why}")
        return cls(settings, desktop, stream)

    def with_settings(self, settings: OutputSettings) -> Output:
        """Put out in another manner through the same desktop; both take turns."""
        other = Output(settings, self._desktop, self._stream)
        other._turn = self._turn
        return other

    @property
    def limits(self) -> Sequence[str]:
        """What cannot be done here, and what to do about it; a sentence each."""
        if self._desktop is None:
            return ()
        wanted = {rule.way for rule in self._settings.rules if rule.way} - {self._settings.way}
        told = [
            f"the rules' output {way.value} cannot work here: {why}"
            for way in sorted(wanted)
            if way is not Way.STDOUT and (why := self._desktop.missing(way))
        ]
        return (*self._desktop.limits, *told)

    async def focused(self) -> Window | None:
        """The window that has the focus, where there are windows and the system tells."""
        if self._desktop is None:
            return None
        async with self._turn:
            return await asyncio.to_thread(self._desktop.focused)

    async def write(self, text: str, window: Window | None = None) -> Outcome:
        """Put out a text; when the task is cancelled, what has begun is done all the same.

        Args:
            text: may have line breaks.
            window: that had the focus when the text was spoken; None if that is not known.
        """
        async with self._turn:
            work = asyncio.ensure_future(asyncio.to_thread(self._write, text, window))
            try:
                return await asyncio.shield(work)
            except asyncio.CancelledError:
                await asyncio.wait([work])
                raise

    async def close(self) -> None:
        """Put back what was changed on the desktop."""
        if self._desktop is not None:
            async with self._turn:
                await asyncio.to_thread(self._desktop.close)

    def _write(self, text: str, window: Window | None) -> Outcome:
        settings, desktop = self._settings, self._desktop
        usual = Manner(
            way=settings.way,
            paste_keys=desktop.paste_keys if desktop else PasteKeys.CTRL_V,
            newlines=settings.newlines,
            enter_after=settings.enter_after,
            strip_final=settings.strip_final,
        )
        if desktop is None:
            return self._print(shape(text, strip_final=usual.strip_final))
        now = desktop.focused()
        manner = manner_for(now, (*settings.rules, *KNOWN), usual)
        if desktop.missing(manner.way):
            manner = replace(manner, way=usual.way)
        text = shape(text, strip_final=manner.strip_final)
        if manner.way is Way.STDOUT:
            return self._print(text)
        if manner.way is Way.CLIPBOARD:
            return self._copy(desktop, text)
        return self._put(desktop, text, manner, window, now)

    def _put(
        self, desktop: Desktop, text: str, manner: Manner, spoken: Window | None, now: Window | None
    ) -> Outcome:
        """Type or paste, if the window is still the one that was spoken to."""
        follows = self._settings.follow_focus
        if desktop.secret():
            return Outcome(How.NOWHERE, "a password is being asked for: nothing was typed", 0, text)
        if spoken is not None and not follows and not same_window(spoken, now):
            return self._copy(desktop, text, MOVED)
        into = None if follows else spoken or now
        put = self._paste if manner.way is Way.PASTE else self._type
        return put(desktop, text, manner, into)

    def _print(self, text: str) -> Outcome:
        print(text, file=self._stream or sys.stdout, flush=True)
        return Outcome(How.PRINTED, written=len(text))

    def _type(self, desktop: Desktop, text: str, manner: Manner, into: Window | None) -> Outcome:
        strokes = to_strokes(text, manner.newlines, enter_after=manner.enter_after)
        typed = desktop.type(strokes, into)
        if not typed.why:
            return Outcome(How.TYPED, written=len(text))
        # The Enter after the text is no part of it.
        rest = to_text(strokes[typed.strokes : len(text)])
        if not rest:
            return Outcome(How.TYPED, typed.why, len(text))
        return self._copy(desktop, rest, typed.why, typed.strokes)

    def _paste(self, desktop: Desktop, text: str, manner: Manner, into: Window | None) -> Outcome:
        pasted = text.replace("\n", " ") if manner.newlines is Newlines.SPACE else text
        try:
            why = desktop.paste(pasted, manner.paste_keys, into)
        except ClipboardBusy as busy:
            if desktop.missing(Way.TYPE):
                return Outcome(How.NOWHERE, f"{busy}: nothing was pasted", 0, text)
            return self._type(desktop, text, manner, into)
        if why:
            return Outcome(How.ON_CLIPBOARD, f"{why}: the text is on the clipboard", 0, pasted)
        if manner.enter_after:
            why = desktop.type("\n", into).why
        return Outcome(How.PASTED, why, len(pasted))

    def _copy(self, desktop: Desktop, text: str, why: str = "", written: int = 0) -> Outcome:
        told = f"{why}: the {'rest' if written else 'text'} is on the clipboard" if why else ""
        try:
            desktop.copy(text)
        except ClipboardBusy as busy:
            return Outcome(How.NOWHERE, f"{why}; {busy}" if why else str(busy), written, text)
        return Outcome(How.ON_CLIPBOARD, told, written, text)
