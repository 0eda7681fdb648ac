"""The dictation client: hold a key, speak, let go, and the text is there."""

from __future__ import annotations

import asyncio
import logging
import signal
import threading
import time
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, contextmanager, suppress
from typing import TYPE_CHECKING, TypeAlias

from capswriter.dictation.assembling import Parts, for_pieces
from capswriter.dictation.delivering import Delivering, Late, Ways
from capswriter.dictation.journal import Journal
from capswriter.dictation.keys.base import KeysUnavailable
from capswriter.dictation.keys.choose import Backend, choose_backend, make_keys
from capswriter.dictation.keys.control import control
from capswriter.dictation.keys.listen import Listening
from capswriter.dictation.keys.names import MODIFIERS, find_key
from capswriter.dictation.microphone import Found, Lost, Microphone
from capswriter.dictation.notifications import Notifications, NotShown, shower
from capswriter.dictation.output import Output, make_desktop
from capswriter.dictation.roles import Asking
from capswriter.dictation.sending import Sender
from capswriter.dictation.shortcuts import Mode, Shortcuts, Stop
from capswriter.dictation.showing import Showing
from capswriter.dictation.sounds import Sounds
from capswriter.dictation.speaking import Speaking
from capswriter.dictation.tray import Tray

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Iterator
    from pathlib import Path

    from capswriter.dictation.archive import Archive
    from capswriter.dictation.keys.base import Keys
    from capswriter.dictation.microphone import Event as Heard
    from capswriter.dictation.output.base import Desktop
    from capswriter.dictation.sending import Dictation
    from capswriter.dictation.shortcuts import Command, Shortcut
    from capswriter.dictation.spoken import Spoken
    from capswriter.dictation.view import View

    MakeKeys: TypeAlias = Callable[[Iterable[Shortcut], Backend], Keys | None]
    MakeMicrophone: TypeAlias = Callable[..., Microphone]

CLEAN_S = 6 * 3600.0
"""Seconds between two looks for what is too old."""

_log = logging.getLogger(__name__)


class App:
    """The client, from its start to its end.

    Args:
        parts: as the settings have them.
        view: shows how it stands.
        make_keys: makes what listens to keys.
        make_microphone: makes the microphone.
        make_desktop: makes what windows are written to with.
        journal: folder of the journal; None for the user's own.
        socket: folder of the socket for commands; None for the user's own.
    """

    def __init__(
        self,
        parts: Parts,
        view: View,
        *,
        make_keys: MakeKeys = make_keys,
        make_microphone: MakeMicrophone = Microphone,
        make_desktop: Callable[[], Desktop] = make_desktop,
        journal: Path | None = None,
        socket: Path | None = None,
    ) -> None:
        self._parts = parts
        self._shortcuts = parts.shortcuts()
        self._make_keys = make_keys
        self._make_microphone = make_microphone
        self._make_desktop = make_desktop
        self._journal_folder = journal
        self._socket = socket
        config = parts.config
        sounds = Sounds(volume=config.volume, is_on=config.sounds)
        notifications = Notifications(show=_quietly(shower())) if config.notifications else None
        self._showing = Showing(view, sounds, notifications)
        self._known: dict[Dictation, Spoken] = {}
        self._listening: Listening | None = None
        self._has_told_limits = False
        self._is_ending = False
        self._is_paused = False
        self._change = asyncio.Event()
        changing = {key for each in self._shortcuts if _changes_typing(key := each.key)}
        self._changing_keys = frozenset(changing)

    def end(self) -> None:
        """End it soon; what is unsent stays in the journal."""
        self._is_ending = True
        self._change.set()

    def pause(self, is_paused: bool) -> None:  # noqa: FBT001  the tray's callback
        """Listen to nothing from now on, or go on."""
        self._is_paused = is_paused
        self._change.set()

    async def run(self) -> None:
        """Dictate until ``end``.

        Raises:
            UserError: it cannot, and the message says what to do.
        """
        async with AsyncExitStack() as stack:
            # Whoever runs already has the microphone and the keys.
            await stack.enter_async_context(
                control(self._ask, self._is_dictating, folder=self._socket)
            )
            if (by_udp := self._parts.udp_control(self._ask)) is not None:
                await stack.enter_async_context(by_udp)
            stack.callback(self._showing.close)
            journal = Journal(
                self._journal_folder,
                retention=self._parts.retention,
                on_trouble=self._showing.notice,
            )
            output = Output.choose(self._parts.output(), make=self._make_desktop)
            stack.push_async_callback(output.close)
            archive = self._parts.archive(self._showing.notice)
            ways = await self._ways(stack, output, archive)
            await stack.enter_async_context(journal)
            client = self._parts.client
            sender = Sender(
                journal,
                client.server,
                token=client.token,
                wish=self._parts.wish(),
                local=self._parts.local(),
            )
            await stack.enter_async_context(sender)
            self._showing.expected(sender.recovered)
            self._tell_limits(output.limits)
            config = self._parts.config
            delivering = Delivering(
                sender,
                ways,
                self._showing,
                known=self._known,
                late=Late(config.late_after, is_typed=config.late == "type"),
                follows_focus=config.follow_focus,
                let_go=self._let_go,
                escaping=self._escaping,
            )
            stack.push_async_callback(delivering.end)
            tasks = (
                delivering.listen(),
                delivering.deliver(),
                self._showing.run(),
                self._clean(journal, archive),
            )
            async with _beside(*tasks, failed=self.end):
                self._start_tray()
                while not self._is_ending:
                    self._change.clear()
                    if self._is_paused:
                        self._showing.paused(is_paused=True)
                        await self._change.wait()
                        self._showing.paused(is_paused=False)
                    else:
                        await self._listen(journal, sender, output)

    async def _ways(self, stack: AsyncExitStack, output: Output, archive: Archive | None) -> Ways:
        pieces = for_pieces(self._parts.output())
        if archive is not None:
            await stack.enter_async_context(archive)
        if (broadcast := self._parts.broadcast()) is not None:
            await stack.enter_async_context(broadcast)
        return Ways(
            output,
            None if pieces is None else output.with_settings(pieces),
            await asyncio.to_thread(self._parts.corrections),
            await asyncio.to_thread(self._parts.roles),
            await stack.enter_async_context(Asking()),
            archive,
            broadcast,
        )

    async def _listen(self, journal: Journal, sender: Sender, output: Output) -> None:
        """Listen to keys and microphone until there is a change."""
        config = self._parts.config
        async with AsyncExitStack() as stack:
            microphone = self._make_microphone(
                config.device, mode=config.microphone, pre_roll=config.pre_roll, tell=self._heard
            )
            speaking = Speaking(
                microphone,
                journal,
                sender,
                focused=output.focused,
                showing=self._showing,
                known=self._known,
                tail=config.tail,
            )
            stack.push_async_callback(speaking.end)
            await stack.enter_async_context(microphone)
            self._showing.level = lambda: microphone.level
            self._listening = await stack.enter_async_context(self._keys())
            self._announce(microphone)
            try:
                await self._obey(self._listening, speaking)
            finally:
                self._listening = None
                self._showing.level = None

    async def _obey(self, listening: Listening, speaking: Speaking) -> None:
        actions = aiter(listening)
        change = asyncio.ensure_future(self._change.wait())
        try:
            while not change.done():
                action = asyncio.ensure_future(anext(actions))
                await asyncio.wait({action, change}, return_when=asyncio.FIRST_COMPLETED)
                if action.done():
                    speaking.do(action.result())
                else:
                    action.cancel()
                    await asyncio.wait([action])
        finally:
            change.cancel()
        if listening.running and not self._is_ending:  # paused in the middle of a sentence
            speaking.do(Stop(time.monotonic()))

    @asynccontextmanager
    async def _keys(self) -> AsyncIterator[Listening]:
        """Listen to keys, or to commands alone where keys cannot be had.

        Raises:
            KeysUnavailable: what the user wants cannot work here.
        """
        wanted = self._parts.backend()
        async with AsyncExitStack() as stack:
            try:
                keys = self._make_keys(self._shortcuts, choose_backend(wanted))
                listening = Listening(self._machine(), keys)
                await stack.enter_async_context(listening)
            except KeysUnavailable as error:
                if wanted is not Backend.AUTO:
                    raise
                self._showing.notice(f"no keys are listened to: {error}")
                listening = Listening(self._machine(), None)
                await stack.enter_async_context(listening)
            else:
                if keys is not None:
                    self._tell_limits(keys.limits)
            yield listening

    def _machine(self) -> Shortcuts:
        return Shortcuts(self._shortcuts, self._parts.config.longest)

    def _announce(self, microphone: Microphone) -> None:
        if self._has_told_limits:
            self._showing.view.line("listening again")
            return
        self._has_told_limits = True
        device = microphone.device.name if microphone.device is not None else "no microphone yet"
        told = ", ".join(map(_in_words, self._shortcuts))
        self._showing.view.line(f"ready: {told}; {device}; Ctrl-C ends it")

    def _tell_limits(self, limits: Iterable[str]) -> None:
        if not self._has_told_limits:
            for limit in limits:
                self._showing.view.line(limit)

    def _heard(self, event: Heard) -> None:
        if isinstance(event, Lost):
            self._showing.trouble("microphone", str(event))
        elif isinstance(event, Found):
            self._showing.mended("microphone", str(event))
        else:
            self._showing.notice(str(event))

    def _ask(self, command: Command) -> bool:
        return self._listening is not None and self._listening.ask(command)

    def _is_dictating(self) -> bool:
        return self._listening is not None and self._listening.running

    async def _let_go(self) -> None:
        if self._listening is not None:
            await self._listening.let_go(self._changing_keys)

    @contextmanager
    def _escaping(self, escape: Callable[[], None]) -> Iterator[None]:
        with ExitStack() as stack:
            if self._listening is not None:
                stack.enter_context(self._listening.escaping(escape))
            yield

    async def _clean(self, journal: Journal, archive: Archive | None) -> None:
        while True:
            await journal.clean()
            if archive is not None:
                await archive.clean()
            await asyncio.sleep(CLEAN_S)

    def _start_tray(self) -> None:
        if not self._parts.config.tray:
            return
        self._showing.tray = Tray(
            asyncio.get_running_loop(),
            pause=self.pause,
            open_history=self._open_history,
            end=self.end,
        )
        self._showing.tray.start()

    def _open_history(self) -> None:
        import click  # noqa: PLC0415

        from capswriter.dictation.journal import journal_directory  # noqa: PLC0415

        archive = self._parts.config.archive_folder if self._parts.config.archive else None
        folder = archive or self._journal_folder or journal_directory()
        click.launch(str(folder))


@asynccontextmanager
async def _beside(
    *work: Coroutine[None, None, None], failed: Callable[[], None]
) -> AsyncIterator[None]:
    """Do work meanwhile, and cancel it at the end.

    Args:
        work: each is not expected to end.
        failed: called when one has failed; its error is raised at the end.
    """

    def ended(task: asyncio.Task[None]) -> None:
        if not task.cancelled() and task.exception() is not None:
            failed()

    tasks = [asyncio.create_task(each) for each in work]
    for task in tasks:
        task.add_done_callback(ended)
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
    for task in tasks:
        if not task.cancelled() and (error := task.exception()) is not None:
            raise error


@contextmanager
def ending_by_signals(end: Callable[[], None]) -> Iterator[None]:
    """Have Ctrl-C, SIGTERM and the terminal's end call ``end`` in the event loop."""
    loop = asyncio.get_running_loop()
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def told(*_: object) -> None:
        with suppress(RuntimeError):  # the loop has ended
            loop.call_soon_threadsafe(end)

    names = ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK")
    numbers = [getattr(signal, name) for name in names if hasattr(signal, name)]
    before = {number: signal.signal(number, told) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _changes_typing(key: str) -> bool:
    """Whether what is typed while a key is held is something else, whatever its lock says."""
    return find_key(key).is_lock or key in MODIFIERS


def _in_words(shortcut: Shortcut) -> str:
    words = {Mode.HOLD: "hold", Mode.TOGGLE: "press", Mode.AUTO: "press or hold"}
    return f"{words[shortcut.mode]} {shortcut.key}"


def _quietly(show: Callable[[str, str], None]) -> Callable[[str, str], None]:
    """Show without a complaint: the view has told of it, too."""

    def shown(title: str, line: str) -> None:
        try:
            show(title, line)
        except NotShown as error:
            _log.info("not shown on the desktop (%s): %s", error, line)

    return shown
