"""The microphone: kept open or opened on demand, lost and found again."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Literal, TypeAlias, TypeVar

import anyio
from anyio import to_thread

from capswriter.dictation.microphone.devices import choose
from capswriter.dictation.microphone.errors import (
    AlreadyRecording,
    AmbiguousMicrophone,
    NoMicrophone,
    NoSound,
)
from capswriter.dictation.microphone.events import Changed, Event, Found, Lost, Overflowed
from capswriter.dictation.microphone.portaudio import PortAudio
from capswriter.dictation.microphone.recording import Recording
from capswriter.dictation.microphone.run import FLOOR_DB, Run

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from capswriter.dictation.microphone.devices import Device
    from capswriter.dictation.microphone.sound import Sound, Stream

Mode: TypeAlias = Literal["warm", "on-demand"]
T = TypeVar("T")

LOOK_S = 0.25
"""Seconds between two looks at whether the stream is well."""

WATCH_S = 1.0
"""Seconds between two looks at which devices there are."""

STALLED_S = 2.0
"""Seconds without a block after which a stream is taken to be lost."""

RETRY_S, LONGEST_RETRY_S = 0.5, 4.0
"""Seconds until a lost microphone is looked for again, at first, and at last."""

LATE_S = 1.0
"""Seconds after its end that a recording waits for the samples until there."""

SLACK_S = 2.0
"""Seconds kept beyond the pre-roll, for keys whose news come late."""

HANGS_S = 10.0
"""Seconds after which the system's sound is taken to hang."""

_log = logging.getLogger(__name__)


class Microphone:
    """A microphone; an asynchronous context, within which recordings can be opened.

    Args:
        device: a name or a part of it, or an index, of ``capswriter devices``; None follows the
            system's default.
        mode: ``warm`` keeps the stream open, so that a recording begins before its key went down;
            ``on-demand`` opens it for each recording.
        pre_roll: the longest pre-roll that recordings will want, in seconds.
        tell: called in the loop's thread with what happens.
        sound: the system's sound; PortAudio by default.
    """

    def __init__(
        self,
        device: str | int | None = None,
        *,
        mode: Mode = "warm",
        pre_roll: float = 0.3,
        tell: Callable[[Event], None] = lambda _: None,
        sound: Callable[[], Sound] = PortAudio,
    ) -> None:
        self.device: Device | None = None
        """What is listened to, or was last."""
        self._wanted = device
        self._mode = mode
        self._pre_roll = pre_roll
        self._tell_user = tell
        self._make_sound = sound
        self._sound: Sound
        self._loop: asyncio.AbstractEventLoop
        self._task: asyncio.Task[None] | None = None
        self._run: Run | None = None
        self._stream: Stream | None = None
        self._recordings: list[Recording] = []
        self._trouble: NoMicrophone | NoSound | AmbiguousMicrophone | None = None
        self._tries = 0
        self._try_at = 0.0
        self._watch_at = 0.0
        self._watched: object = None
        self._is_stale = False
        self._overflows_told = 0
        self._is_closing = False
        self._kicked = asyncio.Event()
        self._looked = asyncio.Event()
        self._busy = threading.Lock()

    async def __aenter__(self) -> Microphone:
        """Open the microphone; one that is not there is told of, and looked for.

        Raises:
            NoSound: the system's sound cannot be used at all.
            AmbiguousMicrophone: several have the name.
        """
        self._loop = asyncio.get_running_loop()
        self._sound = await self._call(self._make_sound)
        try:
            self._watched = await self._call(self._sound.changes)
            devices = await self._call(self._sound.devices)
            with suppress(NoMicrophone):
                self.device = choose(devices, self._wanted)
            if self._mode == "warm":
                await self._open()
        except BaseException:
            with anyio.CancelScope(shield=True):
                await self._close()
                self._sound.close()
            raise
        self._task = asyncio.create_task(self._look_after(), name="microphone")
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the microphone; recordings end with what there is."""
        assert self._task is not None  # noqa: S101
        self._is_closing = True
        self._kicked.set()
        with anyio.CancelScope(shield=True):
            try:
                await self._task
            finally:
                for recording in self._recordings:
                    recording.finish()
                self._recordings.clear()
                await self._close()
                self._sound.close()

    @property
    def is_open(self) -> bool:
        """Whether it is being listened to."""
        return self._run is not None

    @property
    def level(self) -> float:
        """How loud it is: the root of the mean square of 0.1 s, in decibels of full scale."""
        return FLOOR_DB if self._run is None else self._run.level

    @property
    def overflows(self) -> int:
        """How often the open stream lost samples because the computer was too busy."""
        return 0 if self._run is None else self._run.overflows

    async def open_recording(
        self, pre_roll: float | None = None, *, at: float | None = None
    ) -> Recording:
        """Begin to record; what a recording in its tail has not got by then is the new one's.

        Args:
            pre_roll: how many seconds before the key it begins, as far as the microphone was open
                then; as the microphone was made for by default.
            at: when the key went down, in seconds of ``time.monotonic``; now by default.

        Raises:
            AlreadyRecording: the recording before has not been stopped.
            NoMicrophone: there is none; why is its message.
            NoSound: the system's sound hangs.
        """
        pre_roll = self._pre_roll if pre_roll is None else pre_roll
        recording = Recording(time.monotonic() if at is None else at, pre_roll, self._changed)
        former = self._recordings[-1] if self._recordings else None
        if former is not None and former.key_up is None:
            raise AlreadyRecording("a recording is open; stop it before the next")
        if former is not None and former.ends is not None and former.key_up is not None:
            recording.begins = max(former.key_up, recording.begins)
            former.ends = min(former.ends, recording.begins)
        self._recordings.append(recording)
        if former is not None:
            self._feed()
        if self._run is not None:
            recording.take(self._run)
            return recording
        try:
            await self._opened()
        except BaseException:
            recording.cancel()
            raise
        return recording

    async def _opened(self) -> None:
        """Wait until it is open.

        Raises:
            NoMicrophone, NoSound, AmbiguousMicrophone: it cannot be opened.
        """
        assert self._task is not None  # noqa: S101
        for _ in range(2):  # one look may have been under way
            self._try_at = 0.0
            self._kicked.set()
            await self._looked.wait()
            if self._task.done():
                await self._task
            if self._run is not None:
                return
        raise self._trouble or NoMicrophone("the microphone is being closed")

    def _changed(self, recording: Recording) -> None:
        """Hear that a recording was stopped or cancelled."""
        if self._run is not None:
            recording.take(self._run)
        self._forget_ended()
        self._kicked.set()

    def _news(self, run: Run) -> None:
        """Hear that blocks wait, or that the stream has ended."""
        if run is not self._run:
            return
        self._feed()
        if run.is_ended:
            self._kicked.set()
        elif run.overflows > self._overflows_told:
            self._overflows_told = run.overflows
            for recording in self._recordings:
                recording.overflows += 1
            self._tell(Overflowed(run.overflows))

    def _feed(self) -> None:
        run = self._run
        if run is None:
            return
        while run.drain():
            for recording in self._recordings:
                recording.take(run)
        self._forget_ended()
        # An open stream is not enough: one that stalled may do so again.
        if self._trouble is not None and run.ring.end and self.device is not None:
            self._trouble = None
            self._tell(Found(self.device))

    def _forget_ended(self) -> None:
        kept = [each for each in self._recordings if not each.is_ended]
        if len(kept) < len(self._recordings):
            self._recordings = kept
            self._kicked.set()

    async def _look_after(self) -> None:
        try:
            while not self._is_closing:
                with anyio.move_on_after(LOOK_S if self._is_wanted or self._run else None):
                    await self._kicked.wait()
                self._kicked.clear()
                try:
                    await self._look()
                except NoSound as error:  # it hangs
                    self._fail(error)
                self._has_looked()
        finally:
            self._has_looked()

    def _has_looked(self) -> None:
        self._looked.set()
        self._looked = asyncio.Event()

    @property
    def _is_wanted(self) -> bool:
        return self._mode == "warm" or bool(self._recordings)

    async def _look(self) -> None:
        now = time.monotonic()
        if self._run is not None and (reason := self._ill(self._run, now)):
            await self._lose(reason)
        self._end_late_recordings(now)
        if not self._is_wanted:
            await self._close()
            return
        if now >= self._watch_at or (self._run is None and now >= self._try_at):
            await self._watch()
        if self._run is None and now >= self._try_at:
            await self._open(anew=self._is_stale or self._trouble is not None)
        elif self._is_stale and self._run is not None and not self._recordings:
            await self._follow()

    def _ill(self, run: Run, now: float) -> str | None:
        """Say what is wrong with the stream, if anything."""
        name = self.device.name if self.device else "?"
        if run.is_ended:
            return f"the microphone {name!r} is gone; waiting for it"
        if now - run.last_heard > STALLED_S:
            return f"the microphone {name!r} has stopped giving sound; opening it again"
        return None

    def _end_late_recordings(self, now: float) -> None:
        patience = 0.0 if self._run is None else LATE_S
        for recording in tuple(self._recordings):
            if recording.ends is not None and now > recording.ends + patience:
                recording.finish()
        self._forget_ended()

    async def _watch(self) -> None:
        """Notice that devices came or went, or that another one is the default."""
        self._watch_at = time.monotonic() + WATCH_S
        watched = await self._call(self._sound.changes)
        if watched != self._watched:
            self._watched = watched
            self._is_stale = True
            self._try_at, self._tries = 0.0, 0

    async def _follow(self) -> None:
        """Open what is meant now, where that may be another device than before."""
        before = self.device
        assert before is not None  # noqa: S101
        if before.source is not None:  # the list is fresh without a refresh
            with suppress(NoMicrophone, AmbiguousMicrophone):
                if _same(choose(await self._call(self._sound.devices), self._wanted), before):
                    self._is_stale = False
                    return
        await self._close()
        await self._open(anew=True)
        if self._run is not None and self.device is not None and not _same(before, self.device):
            self._tell(Changed(self.device))

    async def _lose(self, reason: str) -> None:
        self._feed()
        await self._close()
        for recording in self._recordings:
            recording.lose()
        self._fail(NoMicrophone(reason))
        self._try_at, self._tries = 0.0, 0  # at once

    def _fail(self, error: NoMicrophone | NoSound | AmbiguousMicrophone) -> None:
        is_news = self._trouble is None
        self._trouble = error
        self._try_at = time.monotonic() + min(RETRY_S * 2**self._tries, LONGEST_RETRY_S)
        self._tries += 1
        if is_news:
            self._tell(Lost(str(error)))

    async def _open(self, *, anew: bool = False) -> None:
        """Open the stream, or tell why not.

        Args:
            anew: whether to look for devices again.
        """
        runs: list[Run] = []

        def make(rate: int, channels: int) -> Run:
            kept = self._pre_roll + SLACK_S
            runs.append(Run(self._loop, self._news, rate=rate, channels=channels, kept=kept))
            return runs[-1]

        def opened() -> tuple[Device, Stream]:
            if anew:
                self._sound.refresh()
            device = choose(self._sound.devices(), self._wanted)
            return device, self._sound.open(device, make, follow=self._wanted is None)

        self._is_stale = False
        try:
            device, stream = await self._call(opened)
        except (NoMicrophone, NoSound, AmbiguousMicrophone) as error:
            self._fail(error)
            return
        self.device, self._stream, self._run = device, stream, runs[-1]
        self._overflows_told = 0
        self._try_at, self._tries = 0.0, 0
        self._feed()

    async def _close(self) -> None:
        stream, self._stream, self._run = self._stream, None, None
        if stream is not None:
            await self._call(stream.close)

    async def _call(self, function: Callable[[], T]) -> T:
        """Run what may take long in a thread, one at a time.

        Raises:
            NoSound: it hangs.
        """

        def locked() -> T:
            if not self._busy.acquire(timeout=HANGS_S):
                raise TimeoutError
            try:
                return function()
            finally:
                self._busy.release()

        try:
            with anyio.fail_after(HANGS_S):
                return await to_thread.run_sync(locked, abandon_on_cancel=True)
        except TimeoutError as error:
            raise NoSound(
                "the system's sound does not answer; disconnect and connect the microphone, "
                "or restart the sound server"
            ) from error

    def _tell(self, event: Event) -> None:
        _log.info("%s", event)
        self._tell_user(event)


def _same(one: Device, other: Device) -> bool:
    """Whether two descriptions are of one device, whatever their numbers now are."""
    return (one.name, one.host, one.source, one.source_index) == (
        other.name,
        other.host,
        other.source,
        other.source_index,
    )
