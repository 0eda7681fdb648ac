"""One worker process as the front sees it: ``run``, ``dead``, ``close``."""

from __future__ import annotations

import asyncio
import multiprocessing
import signal
import sys
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum
from multiprocessing.reduction import ForkingPickler
from typing import TYPE_CHECKING, Any

from capswriter.pool.errors import InferenceFailed, WorkerCrashed
from capswriter.pool.memory import OomKills
from capswriter.pool.report import Said
from capswriter.pool.shared import SharedSamples
from capswriter.pool.task import EngineSpec, Failed, Job, Loaded, NotLoaded, Ping, Result, Task
from capswriter.pool.worker import main

if TYPE_CHECKING:
    from collections.abc import Callable
    from multiprocessing.connection import Connection
    from multiprocessing.context import ForkServerContext, SpawnContext
    from multiprocessing.process import BaseProcess

    from capswriter.engines import Traits
    from capswriter.pool.task import Answer, ToFront

SHORT = 4096
"""Bytes of a message that the pipe takes at once, with another such in it."""

CLOSING_TIME = 1.0
"""Seconds that a worker gets to end by itself before it is killed."""


class Cause(Enum):
    """Why a worker is gone."""

    ENDED = "ended"
    KILLED = "killed"
    OUT_OF_MEMORY = "out_of_memory"
    HUNG = "hung"
    NOT_LOADED = "not_loaded"


@dataclass(frozen=True, slots=True)
class Death:
    """How a worker went.

    Args:
        cause: the kind, for counting.
        reason: the same for a person.
    """

    cause: Cause
    reason: str


class NotReady(Exception):
    """The worker did not get as far as taking tasks."""

    def __init__(self, death: Death) -> None:
        super().__init__(death.reason)
        self.death = death


class WorkerProcess:
    """A worker, from its start to its end; it runs one task at a time.

    A duplex pipe joins the two: the front has closed its copy of the worker's end, so a death shows
    as the end of the stream within milliseconds. One thread listens, another sends, because a
    stopped worker would block either, and the event loop must not wait for it.

    Args:
        number: which worker it is, from 0.
        process: started.
        pipe: the front's end.
        shared: what samples pass through.
    """

    def __init__(
        self, number: int, process: BaseProcess, pipe: Connection, shared: SharedSamples
    ) -> None:
        loop = asyncio.get_running_loop()
        self.number = number
        self.pid = process.pid
        self.dead: asyncio.Future[Death] = loop.create_future()
        self._loop = loop
        self._process = process
        self._pipe = pipe
        self._shared = shared
        self._loaded: asyncio.Future[Loaded | NotLoaded] = loop.create_future()
        self._answer: asyncio.Future[Answer] | None = None
        self._pong: asyncio.Future[None] = loop.create_future()
        self._verdict: Death | None = None  # why we killed it
        self._oom_kills = OomKills()
        self._sent: Future[None] = Future()  # the newest message that the thread sends
        self._sent.set_result(None)
        self._sender = ThreadPoolExecutor(1, thread_name_prefix=f"send-{number}")
        self._listener = threading.Thread(target=self._listen, name=f"listen-{number}", daemon=True)
        self._listener.start()

    @classmethod
    async def start(cls, number: int, spec: EngineSpec) -> WorkerProcess:
        """Start the process; ``loaded`` tells when it can take tasks."""
        context = start_context(spec)
        shared = SharedSamples(context)
        ours, theirs = context.Pipe(duplex=True)
        process = context.Process(
            target=main, args=(theirs, spec, shared), name=f"worker-{number}", daemon=True
        )
        starting = asyncio.get_running_loop().run_in_executor(None, process.start)
        try:
            await asyncio.shield(starting)
        except asyncio.CancelledError:
            await asyncio.wait([starting])
            if starting.exception() is None:
                process.kill()  # nobody would, and a daemon that never ends holds us up at our end
            raise
        finally:
            theirs.close()
        return cls(number, process, ours, shared)

    async def loaded(self, *, within: float) -> Traits:
        """Wait until the model is loaded.

        Args:
            within: seconds after which the worker is given up.

        Raises:
            NotReady: it cannot be loaded, or the process died, or it took too long.
        """
        await first_of(self._loaded, self.dead, timeout=within)
        if not self._loaded.done():  # where it is, its word counts for more than its end after it
            if not self.dead.done():
                death = Death(Cause.HUNG, f"the model was not loaded within {within:g} s")
                self.kill(death)
                raise NotReady(death)
            death = self.dead.result()
            raise NotReady(
                Death(death.cause, f"it ended while it loaded the model: {death.reason}")
            )
        message = self._loaded.result()
        if isinstance(message, NotLoaded):
            cause = Cause.OUT_OF_MEMORY if message.out_of_memory else Cause.NOT_LOADED
            raise NotReady(Death(cause, message.reason))
        return message.traits

    async def run(self, task: Task, *, within: float) -> Result:
        """Recognise one task.

        Args:
            task: what to do.
            within: seconds after which the worker is taken to hang, and killed.

        Raises:
            InferenceFailed: the engine raised; the worker can take the next task.
            WorkerCrashed: the process died.
        """
        if self.dead.done():
            raise WorkerCrashed(self.dead.result().reason)
        reason = f"{task.seconds:.1f} s of audio took longer than {within:.0f} s"
        hanging = self._loop.call_later(within, self.kill, Death(Cause.HUNG, reason))
        self._answer = self._loop.create_future()
        self._send_soon(Job(self._shared.put(task.samples), task.options))
        try:
            message = await self._answer
        finally:
            hanging.cancel()
            self._answer = None
        if isinstance(message, Failed):
            if not message.out_of_memory:
                raise InferenceFailed(message.reason)
            self.kill(Death(Cause.OUT_OF_MEMORY, message.reason))  # what it holds is lost to us
            await self.dead
            raise WorkerCrashed(message.reason)
        return Result(message.transcript, message.seconds, self.number, message.began)

    async def watch(self, *, every: float, within: float) -> None:
        """Ping the worker until it dies; kill it when an answer stays out.

        Args:
            every: seconds between pings.
            within: seconds that an answer may take.
        """
        while True:
            await first_of(self.dead, timeout=every)
            if self.dead.done():
                return
            self._pong = self._loop.create_future()
            self._send_soon(Ping())
            await first_of(self._pong, self.dead, timeout=within)
            if not (self._pong.done() or self.dead.done()):
                self.kill(Death(Cause.HUNG, f"it gives no sign of life within {within:g} s"))

    def kill(self, verdict: Death) -> None:
        """End the process at once; ``dead`` follows, with this verdict."""
        self._verdict = self._verdict or verdict
        with suppress(ValueError):  # it is gone already
            self._process.kill()

    async def close(self) -> None:
        """End the process, gently if it can be, and free what it held; twice is harmless."""
        if not self.dead.done():
            self._send_soon(None)
            await first_of(self.dead, timeout=CLOSING_TIME)
            if not self.dead.done():
                self.kill(Death(Cause.ENDED, "it had to be killed at the end"))
            await self.dead
        self._sender.shutdown(wait=False)
        await self._loop.run_in_executor(None, self._listener.join)

    def _send_soon(self, message: Job | Ping | None) -> None:
        data = bytes(ForkingPickler.dumps(message))
        if len(data) <= SHORT and self._sent.done():
            self._send(data)
        else:
            self._sent = self._sender.submit(self._send, data)

    def _send(self, data: bytes) -> None:
        with suppress(OSError):  # it died; the listener notices
            self._pipe.send_bytes(data)

    def _listen(self) -> None:
        try:
            with suppress(EOFError, OSError):
                while True:
                    self._tell(self._receive, self._pipe.recv())
        finally:
            self._process.join(CLOSING_TIME)
            if self._process.is_alive():
                self._process.kill()
                self._process.join()
            exit_code = self._process.exitcode
            self._process.close()
            self._tell(self._die, self._verdict or _death(exit_code, self._oom_kills))

    def _tell(self, callback: Callable[[Any], None], value: object) -> None:
        with suppress(RuntimeError):  # the loop is closed, nobody listens any more
            self._loop.call_soon_threadsafe(callback, value)

    def _receive(self, message: ToFront) -> None:
        if isinstance(message, Ping):
            if not self._pong.done():
                self._pong.set_result(None)
        elif isinstance(message, Said):
            message.log(worker=self.number)
        elif isinstance(message, Loaded | NotLoaded):
            self._loaded.set_result(message)
        elif self._answer is not None and not self._answer.done():
            self._answer.set_result(message)

    def _die(self, death: Death) -> None:
        self._pipe.close()  # here, as the event loop writes to it: nothing can come in between
        if not self.dead.done():
            self.dead.set_result(death)
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(WorkerCrashed(death.reason))


async def first_of(*futures: asyncio.Future[Any], timeout: float | None = None) -> None:
    """Wait until one of them is done or the time is up, and cancel none."""
    await asyncio.wait(futures, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)


def start_context(spec: EngineSpec) -> ForkServerContext | SpawnContext:
    """Choose how workers start: forked from a server that has the imports, or anew on Windows."""
    if sys.platform == "win32":
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["capswriter.pool.worker", *spec.modules])
    return context


def _death(exit_code: int | None, oom_kills: OomKills) -> Death:
    if exit_code is None or exit_code >= 0:
        return Death(Cause.ENDED, f"ended with exit status {exit_code}")
    name = signal.Signals(-exit_code).name
    if name == "SIGKILL" and oom_kills.happened():
        return Death(Cause.OUT_OF_MEMORY, "killed by the system for want of memory")
    return Death(Cause.KILLED, f"killed by {name}")
