"""One worker process as the front sees it: ``run``, ``dead``, ``close``."""

from __future__ import annotations

import asyncio
import multiprocessing
import signal
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from capswriter.pool.errors import InferenceFailed, NoWorkers, WorkerCrashed
from capswriter.pool.task import EngineSpec, Failed, Job, Loaded, NotLoaded, Result, Task
from capswriter.pool.worker import main

if TYPE_CHECKING:
    from collections.abc import Callable
    from multiprocessing.connection import Connection
    from multiprocessing.context import ForkServerContext, SpawnContext
    from multiprocessing.process import BaseProcess

    from capswriter.engines import Traits
    from capswriter.pool.task import Answer

CLOSING_TIME = 1.0
"""Seconds that a worker gets to end by itself before it is killed."""


class WorkerProcess:
    """A worker, from its start to its end; it runs one task at a time.

    A duplex pipe joins the two: the front has closed its copy of the worker's end, so a death shows
    as the end of the stream within milliseconds. One thread listens, another sends, because a
    stopped worker would block either, and the event loop must not wait for it.

    Args:
        number: which worker it is, from 0.
        process: started.
        pipe: the front's end.
    """

    def __init__(self, number: int, process: BaseProcess, pipe: Connection) -> None:
        loop = asyncio.get_running_loop()
        self.number = number
        self.pid = process.pid
        self.dead: asyncio.Future[str] = loop.create_future()
        self._loop = loop
        self._process = process
        self._pipe = pipe
        self._loaded: asyncio.Future[Loaded | NotLoaded] = loop.create_future()
        self._answer: asyncio.Future[Answer] | None = None
        self._sender = ThreadPoolExecutor(1, thread_name_prefix=f"send-{number}")
        self._listener = threading.Thread(target=self._listen, name=f"listen-{number}", daemon=True)
        self._listener.start()

    @classmethod
    async def start(cls, number: int, spec: EngineSpec) -> WorkerProcess:
        """Start the process; ``loaded`` tells when it can take tasks."""
        context = start_context(spec)
        ours, theirs = context.Pipe(duplex=True)
        process = context.Process(
            target=main, args=(theirs, spec), name=f"worker-{number}", daemon=True
        )
        await asyncio.get_running_loop().run_in_executor(None, process.start)
        theirs.close()
        return cls(number, process, ours)

    async def loaded(self) -> Traits:
        """Wait until the model is loaded.

        Raises:
            NoWorkers: it cannot be.
            WorkerCrashed: the process died.
        """
        await first_of(self._loaded, self.dead)
        if not self._loaded.done():
            raise WorkerCrashed(f"it ended while it loaded the model: {self.dead.result()}")
        message = self._loaded.result()
        if isinstance(message, NotLoaded):
            raise NoWorkers(message.reason)
        return message.traits

    async def run(self, task: Task) -> Result:
        """Recognise one task.

        Raises:
            InferenceFailed: the engine raised; the worker can take the next task.
            WorkerCrashed: the process died.
        """
        self._answer = answer = self._loop.create_future()
        sent = self._loop.run_in_executor(self._sender, self._send, Job(task.samples, task.options))
        await first_of(answer, self.dead)
        self._answer = None
        if not answer.done():
            raise WorkerCrashed(self.dead.result())
        await sent
        message = answer.result()
        if isinstance(message, Failed):
            raise InferenceFailed(message.reason)
        return Result(message.transcript, message.seconds, self.number)

    def kill(self) -> None:
        """End the process at once; ``dead`` follows."""
        with suppress(ValueError):  # it is gone already
            self._process.kill()

    async def close(self) -> None:
        """End the process, gently if it can be, and free what it held; twice is harmless."""
        if not self.dead.done():
            self._sender.submit(self._send, None)
            done, _ = await asyncio.wait({self.dead}, timeout=CLOSING_TIME)
            if not done:
                self.kill()
            await self.dead
        self._sender.shutdown(wait=False)
        await self._loop.run_in_executor(None, self._listener.join)

    def _send(self, message: Job | None) -> None:
        with suppress(OSError):  # it died; the listener notices
            self._pipe.send(message)

    def _listen(self) -> None:
        try:
            with suppress(EOFError, OSError):
                while True:
                    self._tell(self._receive, self._pipe.recv())
        finally:
            self._pipe.close()
            self._process.join(CLOSING_TIME)
            if self._process.is_alive():
                self._process.kill()
                self._process.join()
            cause = _cause(self._process.exitcode)
            self._process.close()
            self._tell(self._die, cause)

    def _tell(self, callback: Callable[[Any], None], value: object) -> None:
        with suppress(RuntimeError):  # the loop is closed, nobody listens any more
            self._loop.call_soon_threadsafe(callback, value)

    def _receive(self, message: Loaded | NotLoaded | Answer) -> None:
        if isinstance(message, Loaded | NotLoaded):
            self._loaded.set_result(message)
        elif self._answer is not None and not self._answer.done():
            self._answer.set_result(message)

    def _die(self, cause: str) -> None:
        if not self.dead.done():
            self.dead.set_result(cause)


async def first_of(one: asyncio.Future[Any], other: asyncio.Future[Any]) -> None:
    """Wait for the first of two, and cancel neither."""
    await asyncio.wait({one, other}, return_when=asyncio.FIRST_COMPLETED)


def start_context(spec: EngineSpec) -> ForkServerContext | SpawnContext:
    """Choose how workers start: forked from a server that has the imports, or anew on Windows."""
    if sys.platform == "win32":
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["capswriter.pool.worker", *spec.modules])
    return context


def _cause(exit_code: int | None) -> str:
    if exit_code is not None and exit_code < 0:
        name = signal.Signals(-exit_code).name
        hint = ", perhaps for want of memory" if -exit_code == getattr(signal, "SIGKILL", 9) else ""
        return f"killed by {name}{hint}"
    return f"ended with exit status {exit_code}"
