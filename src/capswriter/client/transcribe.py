"""One file, from its path to its text, with all the patience that takes."""

from __future__ import annotations

from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import anyio

from capswriter.client.connection import OPEN_S, connect
from capswriter.client.errors import Busy, Lost, NoServer
from capswriter.client.recording import opened
from capswriter.client.reply import transcript_of
from capswriter.client.server import Server, Takes
from capswriter.client.task import recognise
from capswriter.client.upload import Upload
from capswriter.protocols.capswriter import Dialect, Result

if TYPE_CHECKING:
    from pathlib import Path

    from capswriter.transcript import Transcript

SLACK_S = {Dialect.V1: 1.0, Dialect.V2: 0.1}
"""Seconds by which a server may miss the length of the audio; the old ones round."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to wait, and how often to try.

    Args:
        silence: seconds in which the server may neither take audio nor answer.
        pauses: seconds before each new try after a lost connection.
        busy_pauses: seconds before each new try after a server was busy, where it names none.
    """

    silence: float = 120.0
    pauses: tuple[float, ...] = (1.0, 4.0)
    busy_pauses: tuple[float, ...] = (2.0, 5.0, 10.0, 20.0, 30.0)


@dataclass(frozen=True, slots=True)
class Wish:
    """What is asked of the recogniser.

    Args:
        language: ISO 639-1 code, or ``"auto"``.
        context: words that are likely to occur.
    """

    language: str = "auto"
    context: str = ""


@dataclass(frozen=True, slots=True)
class Transcription:
    """What became of a file.

    Args:
        transcript: the text with its times.
        seconds: of audio that was sent.
        problem: why it is not all that is in the file, in one line; None where it is.
    """

    transcript: Transcript
    seconds: float
    problem: str | None = None


class Watcher(Protocol):
    """Is told how a file gets on."""

    def covered(self, seconds: float, total: float | None, /) -> None:
        """``seconds`` of audio are recognised, of ``total`` as far as that is known."""

    def again(self, reason: str, pause: float, /) -> None:
        """The file starts over in ``pause`` seconds, for this reason."""


class _WholeFilesOnly(Exception):
    """The server turned out to be CapsWriter v1.0."""


async def transcribe(
    path: Path,
    server: Server,
    watcher: Watcher,
    *,
    wish: Wish | None = None,
    patience: Patience | None = None,
) -> Transcription:
    """Have a server recognise a file; start over where that may help, as nothing is lost by it.

    Args:
        path: audio or video.
        server: as ``find_server`` gave it; learns about old servers on the way.
        watcher: is told how it gets on.
        wish: what is asked of the recogniser.
        patience: how long to wait, and how often to try.

    Raises:
        DecodeFailed: nothing in the file can be decoded; the message names it.
        UserError: one of ``capswriter.client.errors``: there is no text.
    """
    wish, patience = wish or Wish(), patience or Patience()
    pauses, busy_pauses = iter(patience.pauses), iter(patience.busy_pauses)
    while True:
        try:
            return await _attempt(path, server, watcher, wish, patience.silence)
        except _WholeFilesOnly:
            server.takes = Takes.WHOLE
            continue
        except Busy as error:
            pause = next(busy_pauses, None)
            if pause is None:
                raise
            if error.retry_after is not None:
                pause = min(max(error.retry_after, 0.0), patience.silence)
            reason = str(error)
        except (Lost, NoServer) as error:
            pause = next(pauses, None)
            if pause is None:
                raise
            reason = str(error)
        watcher.again(reason, pause)
        await anyio.sleep(pause)


async def _attempt(
    path: Path, server: Server, watcher: Watcher, wish: Wish, silence: float
) -> Transcription:
    async with AsyncExitStack() as stack:
        if server.takes is Takes.WHOLE:
            await stack.enter_async_context(server.alone)
        recording = await stack.enter_async_context(opened(path))
        watcher.covered(0.0, recording.promised)
        socket = await stack.enter_async_context(connect(server, timeout=min(silence, OPEN_S)))
        upload = Upload(recording, server, language=wish.language, context=wish.context)

        def on_result(result: Result) -> None:
            is_modern = result.text_accu is not None or not result.is_final
            if upload.takes is Takes.UNKNOWN and is_modern:
                server.takes = Takes.FRAMES
            total = recording.seconds if recording.ended else recording.promised
            watcher.covered(result.duration, total)

        result = await recognise(socket, upload, silence=silence, on_result=on_result)
    slack = SLACK_S[server.dialect]
    if _is_v1_0(result, upload, slack):
        raise _WholeFilesOnly
    problem = None if recording.damage is None else str(recording.damage)
    total = upload.seconds if upload.complete else max(upload.seconds, recording.promised or 0.0)
    if not upload.complete or result.duration < total - slack:
        problem = f"{path}: the server covered {result.duration:,.1f} s of {total:,.1f} s"
    return Transcription(transcript_of(result, total, wish.language), total, problem)


def _is_v1_0(result: Result, upload: Upload, slack: float) -> bool:
    """Whether the server took the first frame of several for a whole file."""
    return (
        upload.takes is Takes.UNKNOWN
        and result.text_accu is None
        and (not upload.complete or result.duration < upload.seconds - slack)
    )
