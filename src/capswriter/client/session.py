"""Dictation to a server of ours: audio out, typed events back, whatever happens to the connection.

::

    async with connect("ws://127.0.0.1:6016") as session:
        await session.send(pcm)  # as it is recorded
        await session.stop()
        async for event in session:
            print(event.text)

The audio of a round is kept until its text is there. Where the connection breaks meanwhile, or the
server says that it is busy, the round is sent again as soon as the server takes it.
"""

from __future__ import annotations

import asyncio
import json
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit, urlunsplit

from capswriter.client.connection import connect as open_connection
from capswriter.client.errors import Busy, Lost, NoServer
from capswriter.client.rounds import Rounds
from capswriter.client.server import Server
from capswriter.client.talk import Talk
from capswriter.errors import UserError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence
    from types import TracebackType

    from capswriter.client.rounds import Event

PATH = "/ws/asr"

URL = "ws://127.0.0.1:6016"
"""Where a server is unless its settings say otherwise."""

PATIENCE_S = 60.0
"""Seconds that a server may be away."""

PAUSE_S, LONGEST_PAUSE_S = 0.2, 5.0
"""Seconds before the first new try, which double up to the second."""


def connect(
    url: str = URL,
    *,
    token: str | None = None,
    language: str = "auto",
    audio_format: str = "pcm_s16le",
    sample_rate: int = 16_000,
    hotwords: Sequence[str] = (),
    partials: bool = True,
    patience: float = PATIENCE_S,
) -> Session:
    """Make a session, which is an async context manager: entering it opens the connection.

    Args:
        url: ``ws://host:port`` or ``wss://host:port``.
        token: what the server wants to be shown; None for nothing.
        language: ISO 639-1 code, or ``"auto"``.
        audio_format: of what is sent: ``pcm_s16le``, ``pcm_f32le``, or a container as a stream:
            ``wav``, ``webm``, ``ogg``, ``mp3``, ``mp4``, ``flac``.
        sample_rate: of PCM, 8,000 to 48,000 Hz; it is mono.
        hotwords: words that are likely to occur.
        partials: whether to tell what is known before the end.
        patience: seconds that the server may be away in the middle of a round.
    """
    start = {
        "type": "start",
        "language": language,
        "format": audio_format,
        "sample_rate": sample_rate,
        "hotwords": list(hotwords),
        "partials": partials,
    }
    return Session(Server(_address(url), token, offers_binary=False), start, patience=patience)


class Session:
    """Rounds of speech, one after the other; ``connect`` makes it.

    One task may send while another iterates. Iterating ends when every round that was begun has
    been stopped and has its final; it may be done again after the next ``send``.

    Args:
        server: where to.
        start: the message that begins a round.
        patience: seconds that the server may be away in the middle of a round.
    """

    def __init__(
        self, server: Server, start: Mapping[str, Any], *, patience: float = PATIENCE_S
    ) -> None:
        self._server = server
        self._start = json.dumps(start)
        self._patience = patience
        self._pause = PAUSE_S
        self._rounds = Rounds()
        self._keeper: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Session:
        """Open the connection.

        Raises:
            NoServer: nobody answers.
            Busy, Lost, Refused: the server does not let us in.
        """
        connected: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._keeper = asyncio.create_task(self._keep(connected))
        self._keeper.add_done_callback(lambda _: self._rounds.to_tell.set())
        try:
            await connected
        except BaseException:
            await self._end()
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._end()

    async def send(self, audio: bytes) -> None:
        """Add audio to the round, and begin one where none is open; this never waits for the net.

        Raises:
            UserError: the session has failed for good.
        """
        self._check()
        self._rounds.add(audio)

    async def stop(self) -> None:
        """End the round: its text follows as a ``Final``. Without a round this does nothing.

        Raises:
            UserError: the session has failed for good.
        """
        self._check()
        self._rounds.stop()

    async def reset(self) -> None:
        """Forget the open round: no final follows. Without one this does nothing.

        Raises:
            UserError: the session has failed for good.
        """
        self._check()
        self._rounds.drop()

    def __aiter__(self) -> AsyncIterator[Event]:
        return self

    async def __anext__(self) -> Event:
        """Give the next event.

        Raises:
            Refused: a round failed for good, with the server's reason; later rounds go on.
            Busy: the server refused a round several times.
            NoServer, Lost: the server was away for longer than ``patience``.
            StopAsyncIteration: every round has its final.
        """
        while (event := self._rounds.take_event()) is None:
            self._check()
            if self._rounds.is_done:
                raise StopAsyncIteration
            self._rounds.to_tell.clear()
            await self._rounds.to_tell.wait()
        if isinstance(event, UserError):
            raise event
        return event

    def _check(self) -> None:
        keeper = self._keeper
        if keeper is not None and keeper.done() and not keeper.cancelled():
            keeper.result()  # raises what has ended it
        if keeper is None or keeper.done():
            raise Lost("the session is not open; use it within 'async with'")

    async def _end(self) -> None:
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.wait([self._keeper])
            if not self._keeper.cancelled():
                self._keeper.exception()  # whoever iterates or sends has been told

    async def _keep(self, connected: asyncio.Future[None]) -> None:
        """Keep a connection while there is something to send, until that is hopeless."""
        since: float | None = None  # when the server was last there
        while True:
            try:
                async with open_connection(self._server) as socket:
                    since = None
                    if not connected.done():
                        connected.set_result(None)
                    talk = Talk(socket, self._rounds, self._start)
                    error = await talk.end()
                    if talk.is_welcome:
                        self._pause = PAUSE_S
            except UserError as failed:
                error = failed
            if not connected.done():
                connected.set_exception(error)
                return
            if not isinstance(error, Busy | Lost | NoServer):
                raise error
            self._rounds.take_back(error)
            await self._rounds.next_unsent()
            since = since or time.monotonic()
            asked = error.retry_after if isinstance(error, Busy) else None
            pause = max(self._pause, asked or 0.0)
            if time.monotonic() + pause - since > self._patience:
                raise error
            await asyncio.sleep(pause)
            self._pause = min(2 * self._pause, LONGEST_PAUSE_S)


def _address(url: str) -> str:
    parts = urlsplit(url)
    path = parts.path.rstrip("/")
    return urlunsplit(parts._replace(path=path if path.endswith(PATH) else path + PATH))
