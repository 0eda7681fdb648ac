"""What ``/ws/asr`` and ``/ws/transcribe`` have in common: rounds that are spoken on a connection.

At most one round is being spoken; earlier ones may still wait for their texts. What an event does
in which state is a table of the protocol, and how it is told is the door's.
"""

from __future__ import annotations

import logging
import time
import uuid
from abc import abstractmethod
from contextlib import aclosing, closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, TypeAlias

import anyio

from capswriter.errors import UserError
from capswriter.logs import of_task
from capswriter.pool import Options as EngineOptions
from capswriter.protocols import ours
from capswriter.protocols.ours import Event, Format, Options, Ping, Pong, State, Step
from capswriter.protocols.reading import BadMessage
from capswriter.server.conversation import Conversation
from capswriter.server.failures import failure
from capswriter.server.round import Final, Round
from capswriter.sessions import AudioFormat

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.websockets import WebSocket

    from capswriter.protocols.capswriter import Failure
    from capswriter.server.front import Front
    from capswriter.server.round import Event as Heard

logger = logging.getLogger(__name__)

FORMATS = {Format.PCM_S16LE: AudioFormat.S16LE, Format.PCM_F32LE: AudioFormat.F32LE}
"""Of bare samples; all others are containers."""

Steps: TypeAlias = "Mapping[tuple[State, Event], tuple[Step, State]]"


@dataclass(eq=False, slots=True)
class Spoken:
    """A round on a connection.

    Args:
        id: ours, for the client.
        round: what recognises it.
        partials: whether the client wants to see what is known before the end.
    """

    id: str
    round: Round
    partials: bool
    scope: anyio.CancelScope = field(default_factory=anyio.CancelScope)
    stopped: anyio.Event = field(default_factory=anyio.Event)
    is_over: bool = False
    """Whether all that can be heard has been, such as all of a container."""


class Speaking(Conversation):
    """A connection on which somebody speaks, time and again."""

    steps: ClassVar[Steps]

    def __init__(self, websocket: WebSocket, front: Front, client: str) -> None:
        super().__init__(websocket, front, client)
        self.state = State.IDLE
        self.latest: str | None = None
        """The id of the newest round that a client has been told of."""
        self._current: Spoken | None = None  # the one that is being spoken
        self._rounds: dict[str, Spoken] = {}  # all that have no answer yet

    @abstractmethod
    def read(self, message: str) -> Options | Event | Ping:
        """Read a message; options mean a start.

        Raises:
            BadMessage: it cannot be understood.
        """

    @abstractmethod
    def greet(self, session_id: str) -> None:
        """Tell that a start has been heard, before anything else is done about it."""

    @abstractmethod
    def welcome(self, spoken: Spoken) -> None:
        """Tell that a round has begun."""

    @abstractmethod
    def say_again(self, spoken: Spoken) -> None:
        """Tell a client that starts twice which round it has."""

    @abstractmethod
    def tell(self, spoken: Spoken, heard: Heard) -> None:
        """Tell what has been heard."""

    @abstractmethod
    def report(self, told: Failure, *, begun: bool) -> None:
        """Tell that a round has failed, which may not have ``begun`` before."""

    def tell_dropped(self, session_id: str | None) -> None:
        """Tell that a round is forgotten; only where the protocol has such a wish."""
        raise NotImplementedError

    @property
    def is_expectant(self) -> bool:
        """Whether somebody is speaking."""
        return self._current is not None

    def is_unfinished(self, spoken: Spoken) -> bool:
        """Whether a round's answer is still to come."""
        return self._rounds.get(spoken.id) is spoken

    async def take(self, message: str | bytes) -> None:
        """Take audio or a command."""
        if isinstance(message, bytes):
            await self._on(Event.AUDIO, audio=message)
            return
        try:
            command = self.read(message)
        except BadMessage as error:
            logger.warning("%s: %s: %s", self.client, error.code, error)
            self.outbox.put(ours.Failure(error.code, str(error)).encode)
            return
        if isinstance(command, Ping):
            self.outbox.put(lambda: Pong(time.time()).encode())
        elif isinstance(command, Options):
            await self._on(Event.START, options=command)
        else:
            await self._on(command)

    async def _on(
        self, event: Event, *, audio: bytes = b"", options: Options | None = None
    ) -> None:
        step, self.state = self.steps[self.state, event]
        current = self._current
        if step is Step.BEGIN and options is not None:
            self._begin(options)
        elif step is Step.SAY_AGAIN and current is not None:
            self.say_again(current)
        elif step is Step.TAKE and current is not None:
            await self._write(current, audio)
        elif step is Step.FINISH and current is not None:
            self._current = None
            current.round.end()
            current.stopped.set()
        elif step is Step.DROP:
            self._drop()
        elif step is Step.REFUSE:
            self.outbox.put(ours.not_started().encode)

    def _begin(self, options: Options) -> None:
        session_id = str(uuid.uuid4())
        self.greet(session_id)
        config = self.front.config
        try:
            self.refuse_if_full(len(self._rounds))
            round_ = Round(
                self.front,
                client=self.client,
                audio_format=FORMATS.get(options.format, AudioFormat.CONTAINER),
                rate=options.sample_rate,
                options=EngineOptions(
                    language=config.language if options.language == "auto" else options.language,
                    prompt=", ".join(options.hotwords),
                    itn=config.itn,
                ),
                partials=options.partials,
            )
        except UserError as error:
            self._fail(session_id, error, begun=False)
            self._note_failure()
            return
        spoken = Spoken(session_id, round_, options.partials)
        self._rounds[session_id] = self._current = spoken
        self.latest = session_id
        self.welcome(spoken)
        self.group.start_soon(self._run, spoken)

    async def _write(self, spoken: Spoken, audio: bytes) -> None:
        if spoken.is_over:
            return
        try:
            await spoken.round.write(audio)
        except UserError as error:
            self._give_up(spoken, error)

    async def _run(self, spoken: Spoken) -> None:
        with (
            of_task(spoken.id),
            self.front.utterance(),  # until what it ends with has been sent
            spoken.scope,
            closing(spoken.round),
        ):
            try:
                async with aclosing(spoken.round.events()) as events:
                    async for heard in events:
                        if isinstance(heard, Final):
                            spoken.is_over = True
                            await spoken.stopped.wait()  # a container may end before its sender
                        if self.is_unfinished(spoken):
                            self.tell(spoken, heard)
                        if isinstance(heard, Final):
                            self._rounds.pop(spoken.id, None)
                            await self.outbox.emptied()
            except Exception as error:  # noqa: BLE001  # the table tells faults from failures
                self._give_up(spoken, error, stop=False)
                await self.outbox.emptied()

    def _give_up(self, spoken: Spoken, error: Exception, *, stop: bool = True) -> None:
        """End a round without its text, and say so once."""
        if self._rounds.pop(spoken.id, None) is not spoken:
            return
        self.outbox.drop_partial(spoken.id)
        if stop:
            spoken.scope.cancel()
        if self._current is spoken:
            self._note_failure()
        self._fail(spoken.id, error, begun=True)

    def _note_failure(self) -> None:
        self._current = None
        _, self.state = self.steps[State.SPEAKING, Event.FAILURE]

    def _fail(self, session_id: str, error: Exception, *, begun: bool) -> None:
        told = failure(session_id, error)
        logger.warning("%s: round %s: %s: %s", self.client, session_id, told.code, told.message)
        self.report(told, begun=begun)

    def _drop(self) -> None:
        """Forget the round that is being spoken or else those that are being finished."""
        unwanted = [self._current] if self._current else [*self._rounds.values()]
        self._current = None
        for spoken in unwanted:
            del self._rounds[spoken.id]
            self.outbox.drop_partial(spoken.id)
            spoken.scope.cancel()
            self.tell_dropped(spoken.id)
        if not unwanted:
            self.tell_dropped(self.latest)
