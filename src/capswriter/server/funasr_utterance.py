"""One utterance of a FunASR client: its audio in, results in its mode out, the last one final."""

from __future__ import annotations

import asyncio
import logging
from contextlib import aclosing
from dataclasses import replace
from typing import TYPE_CHECKING

import anyio

from capswriter.audio.segment import SegmentPolicy
from capswriter.errors import UserError
from capswriter.pool import Options, Priority
from capswriter.protocols.funasr import (
    SAMPLE_RATES,
    Acknowledgement,
    Failure,
    Mode,
    Result,
    Start,
)
from capswriter.protocols.reading import BadMessage
from capswriter.protocols.wave_header import FLOAT, PCM, Verdict, WaveHeader, read_wave_header
from capswriter.server.failures import failure
from capswriter.server.funasr_text import Increments, Written, write
from capswriter.server.task_log import logged
from capswriter.sessions import AudioFormat, BadAudio, Update, Utterance
from capswriter.text.finish import Finishing, Passage, finish

if TYPE_CHECKING:
    from collections.abc import Sequence

    from capswriter.server.front import Front
    from capswriter.server.outbox import Outbox
    from capswriter.transcript import Token

logger = logging.getLogger(__name__)

LIVE = SegmentPolicy(pause=1.0, minimum=2.0)
"""Where sentences end: a client in mode ``2pass`` is to have each soon after its end."""

_ALAW, _ULAW = 6, 7
_FORMATS = {
    (PCM, 16): AudioFormat.S16LE,
    (FLOAT, 32): AudioFormat.F32LE,
    (_ALAW, 8): AudioFormat.ALAW,
    (_ULAW, 8): AudioFormat.ULAW,
}
"""What is behind a header of a WAV file and needs no decoder, by encoding and bits, mono."""


class FunasrUtterance:
    """Recognises one utterance and puts what the client is told into the outbox.

    The client is told of it when ``after`` is done, as it knows utterances by their order.

    Args:
        start: how the client speaks.
        front: what the server's doors share.
        outbox: of the socket.
        client: whose utterance it is.
        after: the utterance before, if it may not be done.
    """

    def __init__(
        self,
        start: Start,
        front: Front,
        outbox: Outbox,
        *,
        client: str,
        after: FunasrUtterance | None,
    ) -> None:
        self._start = start
        self._front = front
        self._outbox = outbox
        self._client = client
        self.done = anyio.Event()
        self._before: anyio.Event | None = after.done if after is not None else None
        self._running = anyio.CancelScope()
        self._begun = anyio.Event()  # it is known what the audio is, or that there is none
        self._head = bytearray()  # until that is known
        self._left: int | None = None  # bytes of sound that the header of a WAV file promises
        self._utterance: Utterance | None = None
        self._failure: Failure | None = None
        self._has_told = False  # of the failure
        self._has_ended = False
        self._wants_acknowledgement = False
        self._key = f"funasr {id(self)}"
        self._increments = Increments(for_good=start.mode is Mode.ONLINE)
        finishing = front.finishing
        self._finishing = replace(finishing, itn=finishing.itn and self._wants_itn)

    @property
    def has_failed(self) -> bool:
        """Whether it stays without its text; what still comes of it is passed over."""
        return self._failure is not None

    async def take(self, data: bytes) -> None:
        """Take bytes of audio."""
        if self.has_failed:
            return
        try:
            await self._write(data)
        except UserError as error:
            self.fail(error)

    async def end(self, *, wants_acknowledgement: bool) -> None:
        """Tell that nothing follows."""
        self._has_ended = True
        self._wants_acknowledgement = wants_acknowledgement
        if self.has_failed:
            if self._has_told and wants_acknowledgement:
                self._tell_failure()
            return
        try:
            if self._utterance is None and self._head:
                await self._begin(Verdict.NONE)
        except UserError as error:
            self.fail(error)
            return
        if self._utterance is not None:
            self._utterance.end()
        self._begun.set()

    def fail(self, error: Exception) -> None:
        """End it without (the rest of) its text; the first error counts."""
        if self.has_failed:
            return
        mode, name = self._start.last, self._start.wav_name
        if isinstance(error, BadMessage):
            self._failure = Failure(mode, name, str(error), error.code)
        else:
            told = failure(name, error)
            self._failure = Failure(
                mode,
                name,
                told.message,
                told.code,
                retryable=told.retryable,
                retry_after=told.retry_after,
            )
        logger.warning("%s: %s: %s", self._client, self._failure.code, self._failure.message)
        self._running.cancel()

    async def run(self) -> None:
        """Recognise, until all that the client is told is in the outbox."""
        try:
            with self._running:
                await self._begun.wait()
                await self._recognise()
        except Exception as error:  # noqa: BLE001  # the table tells faults from failures
            self.fail(error)
        if self.has_failed:
            await self._turn()
            self._tell_failure()

    def close(self) -> None:
        """Free what is stored, and let the next one tell; closing twice is harmless."""
        if self._utterance is not None:
            self._utterance.close()
        self._head.clear()
        self.done.set()

    @property
    def _wants_itn(self) -> bool:
        return self._start.itn and self._start.svs_itn

    async def _turn(self) -> None:
        if self._before is not None:
            await self._before.wait()

    # Audio

    async def _write(self, data: bytes) -> None:
        if self._utterance is not None:
            await self._utterance.write(self._sound(data))
            return
        self._head += data
        if not self._start.is_samples:
            await self._begin(Verdict.NONE)
            return
        found = read_wave_header(bytes(self._head))
        if found is not Verdict.INCOMPLETE:
            await self._begin(found)

    async def _begin(self, found: WaveHeader | Verdict) -> None:
        """Begin, as it is known what the audio is."""
        audio_format, rate = AudioFormat.S16LE, self._start.sample_rate
        if not self._start.is_samples:
            audio_format = AudioFormat.CONTAINER
        elif isinstance(found, WaveHeader):
            known = _FORMATS.get((found.encoding, found.bits))
            if known is None or found.channels != 1:
                audio_format = AudioFormat.CONTAINER
            else:
                audio_format, rate = known, found.sample_rate
                del self._head[: found.length]
                self._left = found.data_length
        lowest, highest = SAMPLE_RATES
        if not lowest <= rate <= highest:
            raise BadAudio(f"the audio's header says {rate} Hz")
        is_live = self._start.mode is not Mode.OFFLINE
        self._utterance = Utterance(
            self._front.recogniser,
            self._front.ears,
            audio_format=audio_format,
            rate=rate,
            options=await self._options(),
            policy=LIVE if is_live else None,
            priority=Priority.INTERACTIVE if is_live else Priority.FILE,
            client=self._client,
            longest=self._front.config.max_audio_hours * 3600,
            live=is_live,
            partials=is_live,
            finishing=None if is_live else self._finishing,
        )
        head, self._head = bytes(self._head), bytearray()
        self._begun.set()
        await self._utterance.write(self._sound(head))

    def _sound(self, data: bytes) -> bytes:
        """Leave out what follows the sound in a WAV file."""
        if self._left is None:
            return data
        data = data[: self._left]
        self._left -= len(data)
        return data

    async def _options(self) -> Options:
        """Ask the engine for what the client has asked for. It has no use for weights."""
        config, start = self._front.config, self._start
        language = config.language
        if start.svs_lang != "auto":
            known = (await self._front.recogniser.traits()).languages
            if start.svs_lang in known:
                language = start.svs_lang
            else:
                logger.info("svs_lang %s is none of this model's languages", start.svs_lang)
        prompt = ", ".join(word for word, _ in start.hotwords)
        return Options(language=language, prompt=prompt, itn=config.itn and self._wants_itn)

    # Text

    async def _recognise(self) -> None:
        if self._utterance is None:
            await self._turn()
            self._tell_last(Written(""))
            return
        source = f"funasr-{self._start.mode.value}"
        with logged(source, self._utterance, self._front.recogniser):
            if self._start.mode is Mode.OFFLINE:
                await self._recognise_all(self._utterance)
            else:
                await self._turn()
                await self._recognise_as_it_comes(self._utterance)

    async def _recognise_all(self, utterance: Utterance) -> None:
        tokens: list[Token] = []
        async with aclosing(utterance.updates()) as updates:
            async for update in updates:
                tokens += update.tokens
                if update.finished is not None:
                    tokens = list(update.finished)
        loop = asyncio.get_running_loop()
        written = await loop.run_in_executor(self._front.ears.executor, write, tokens)
        await self._turn()
        self._tell_last(written)

    async def _recognise_as_it_comes(self, utterance: Utterance) -> None:
        """Tell guesses, and sentences; the last one that follows the end is the final result."""
        held = Written("")
        async with aclosing(utterance.updates()) as updates:
            async for update in updates:
                if update.tokens:
                    if held.text:
                        self._tell(held)
                    held = await self._sentence(update)
                    if not self._has_ended:
                        self._tell(held)
                        held = Written("")
                elif update.partial and not self._has_ended:
                    await self._tell_guess(update)
        self._tell_last(held)

    async def _sentence(self, update: Update) -> Written:
        """Write a sentence as it will stay: whoever has it cannot be told another at the end.

        In mode ``online``, numbers stay as they are spoken: their beginnings have been told.
        """
        itn = self._start.mode is Mode.BOTH
        if itn and self._finishing.itn:
            itn = not (await self._front.recogniser.traits()).normalises
        finishing = replace(self._finishing, itn=self._finishing.itn and itn)
        tokens = await self._finish(update.tokens, update.language, finishing)
        return write(tokens)

    async def _finish(
        self, tokens: tuple[Token, ...], language: str, finishing: Finishing
    ) -> Sequence[Token]:
        """Finish a text in a thread."""
        loop = asyncio.get_running_loop()
        passage = Passage(language, tokens)
        return await loop.run_in_executor(self._front.ears.executor, _finished, passage, finishing)

    async def _tell_guess(self, update: Update) -> None:
        mode = self._start.increments
        finishing = replace(self._finishing, itn=False)
        guess = await self._finish(update.partial, update.language, finishing)
        growth = self._increments.reached(guess)
        if mode is None or growth is None:
            return

        def message() -> str:
            return Result(mode, self._increments.tell(growth), self._start.wav_name).encode()

        self._outbox.put_partial(self._key, message)

    def _tell(self, written: Written) -> None:
        """Tell a sentence that others follow."""
        result = self._result(written)
        if result.text:
            self._outbox.put(result.encode)

    def _tell_last(self, written: Written) -> None:
        """Tell what is final, even if it is empty, and acknowledge the end if that is wished."""
        self._outbox.put(replace(self._result(written), is_final=True).encode)
        if self._wants_acknowledgement:
            self._outbox.put(Acknowledgement(self._start.last, self._start.wav_name).encode)

    def _result(self, written: Written) -> Result:
        self._outbox.drop_partial(self._key)
        start = self._start
        if start.mode is Mode.ONLINE:
            return Result(start.last, self._increments.close(written.text), start.wav_name)
        text = written.text.strip() if start.mode is Mode.OFFLINE else written.text
        self._increments.close(text)
        return Result(
            start.last, text, start.wav_name, times=written.times, sentences=written.sentences
        )

    def _tell_failure(self) -> None:
        """Tell of the failure: at once, and where it is waited for, in place of what was to come.

        A client that goes at the first final message goes then, one that waits for an
        acknowledgement gets one that says so.
        """
        assert self._failure is not None  # noqa: S101
        self._has_told = True
        told = replace(self._failure, acknowledges=self._wants_acknowledgement)
        self._outbox.drop_partial(self._key)
        self._outbox.put(told.encode)


def _finished(passage: Passage, finishing: Finishing) -> Sequence[Token]:
    try:
        return finish([passage], finishing)
    except Exception:  # the words count for more than how they are written
        logger.exception("a text could not be finished; it is sent as it was recognised")
        return passage.tokens
