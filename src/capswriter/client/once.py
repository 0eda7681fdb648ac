"""A file or an array, from a program that does nothing else meanwhile."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from capswriter.client.rounds import Final
from capswriter.client.server import find_server
from capswriter.client.session import PATIENCE_S, URL, connect
from capswriter.client.transcribe import Transcription, Wish
from capswriter.client.transcribe import transcribe as transcribe_file
from capswriter.errors import UserError
from capswriter.transcript import Token, Transcript

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


def transcribe(
    source: str | Path | NDArray[Any],
    *,
    url: str = URL,
    token: str | None = None,
    language: str = "auto",
    hotwords: Sequence[str] = (),
    sample_rate: int = 16_000,
    patience: float = PATIENCE_S,
) -> Transcription:
    """Have a server recognise a file, or samples; not for use where an event loop runs.

    Args:
        source: path of an audio or video file, or samples: one channel of int16, or of floats in
            [-1, 1].
        url: ``ws://host:port`` or ``wss://host:port``.
        token: what the server wants to be shown; None for nothing.
        language: ISO 639-1 code, or ``"auto"``.
        hotwords: words that are likely to occur.
        sample_rate: of samples, 8,000 to 48,000 Hz.
        patience: seconds that the server may be away while it has samples; files have their own.

    Raises:
        UserError: there is no text; the message says why.
    """
    if isinstance(source, str | Path):
        wish = Wish(language, ", ".join(hotwords))
        return asyncio.run(_file(Path(source), url, token, wish))
    samples = np.asarray(source)
    if samples.ndim != 1:
        raise UserError(f"the samples have the shape {samples.shape}, not that of one channel")
    if samples.dtype == np.int16:
        audio, form = samples.astype("<i2"), "pcm_s16le"
    elif np.issubdtype(samples.dtype, np.floating):
        audio, form = samples.astype("<f4"), "pcm_f32le"
    else:
        raise UserError(f"the samples are {samples.dtype}, not int16 or floats")
    session = connect(
        url,
        token=token,
        language=language,
        audio_format=form,
        sample_rate=sample_rate,
        hotwords=hotwords,
        partials=False,
        patience=patience,
    )

    async def speak() -> Final:
        async with session:
            await session.send(audio.tobytes())
            await session.stop()
            events = [event async for event in session]
        return next(event for event in events if isinstance(event, Final))

    return _transcription(asyncio.run(speak()), language)


async def _file(path: Path, url: str, token: str | None, wish: Wish) -> Transcription:
    server = await find_server(url, token=token)
    return await transcribe_file(path, server, _Nobody(), wish=wish)


class _Nobody:
    """Is told how a file gets on, and does not mind."""

    def covered(self, seconds: float, total: float | None, /) -> None:
        pass

    def again(self, reason: str, pause: float, /) -> None:
        pass


def _transcription(final: Final, language: str) -> Transcription:
    tokens, told = [], 0
    for segment in final.segments:
        end = final.text.find(segment.text, told) + len(segment.text)
        tokens.append(Token(final.text[told:end], segment.start, segment.end))
        told = end
    known = "" if language == "auto" else language
    return Transcription(Transcript(final.text, known, tuple(tokens)), final.duration)
