"""The only door to recognition: every task of every protocol passes through ``recognise``."""

from __future__ import annotations

import asyncio
import itertools
import logging
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from capswriter.pool.errors import (
    InferenceFailed,
    NoWorkers,
    RecogniserClosed,
    RecogniserError,
    WorkerCrashed,
)
from capswriter.pool.process import WorkerProcess, first_of
from capswriter.pool.queue import FairQueue, Ticket

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

    from capswriter.engines import Traits
    from capswriter.pool.task import EngineSpec, Result, Task

logger = logging.getLogger(__name__)

POISON = 2
"""A task that this many workers have died with is not tried again."""

LONGEST_PAUSE = 30.0
"""Seconds between attempts to start a worker that keeps dying."""


class State(Enum):
    """What a worker is doing."""

    LOADING = "loading"
    IDLE = "idle"
    BUSY = "busy"
    DOWN = "down"


@dataclass(frozen=True, slots=True)
class WorkerStatistics:
    """One worker, now."""

    number: int
    pid: int | None
    state: State
    completed: int


@dataclass(frozen=True, slots=True)
class Statistics:
    """The recogniser, now; counts are since its start."""

    workers: tuple[WorkerStatistics, ...]
    queued: int
    queued_seconds: float
    completed: int
    failed: int
    retried: int
    worker_restarts: int


class Recogniser:
    """N workers and the queue they pull from; an async context manager.

    Args:
        spec: what each worker loads.
        workers: how many.
        max_concurrent: how many may work at once; all of them by default.
    """

    def __init__(
        self, spec: EngineSpec, *, workers: int, max_concurrent: int | None = None
    ) -> None:
        self._spec = spec
        self._queue = FairQueue()
        self._permits = asyncio.Semaphore(max_concurrent or workers)
        self._slots = [_Slot(number) for number in range(workers)]
        self._tasks: list[asyncio.Task[None]] = []
        self._traits: asyncio.Future[Traits] = asyncio.get_running_loop().create_future()
        self._starting = asyncio.Lock()
        self._completed = self._failed = self._retried = self._restarts = 0
        self._closed = False

    @property
    def workers(self) -> int:
        """How many workers there are meant to be."""
        return len(self._slots)

    @property
    def ready(self) -> bool:
        """Whether a worker can take a task, now or when it has finished the one it has."""
        return any(slot.state in {State.IDLE, State.BUSY} for slot in self._slots)

    async def traits(self) -> Traits:
        """Tell what the engine is and takes, once the first worker has loaded it."""
        return await asyncio.shield(self._traits)

    async def __aenter__(self) -> Recogniser:
        try:
            await self.start()
        except BaseException:
            await self.close()
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def start(self) -> None:
        """Start the workers and wait until the first one is ready; the others follow.

        Raises:
            NoWorkers: not one could load the model.
        """
        self._tasks = [asyncio.create_task(self._keep(slot)) for slot in self._slots]
        for task in self._tasks:
            task.add_done_callback(_report_bug)
        attempts = {slot.first for slot in self._slots}
        while attempts:
            done, attempts = await asyncio.wait(attempts, return_when=asyncio.FIRST_COMPLETED)
            failures = [attempt.result() for attempt in done]
            if None in failures:
                return
        raise NoWorkers(f"no worker could start: {failures[0]}")

    async def recognise(self, task: Task) -> Result:
        """Recognise one segment, when its turn has come.

        Whoever stops waiting (by cancellation) takes the task out of the queue.

        Raises:
            InferenceFailed: the engine refused or failed on this audio.
            WorkerCrashed: two workers died with it.
            RecogniserClosed: the server is stopping.
        """
        if self._closed:
            raise RecogniserClosed("the server is stopping")
        ticket = Ticket(task, asyncio.get_running_loop().create_future())
        self._queue.put_nowait(ticket)
        try:
            result = await ticket.result
        except RecogniserError:
            self._failed += 1
            raise
        self._completed += 1
        return result

    def statistics(self) -> Statistics:
        """Tell what the workers and the queue are doing."""
        return Statistics(
            workers=tuple(
                WorkerStatistics(slot.number, slot.pid, slot.state, slot.completed)
                for slot in self._slots
            ),
            queued=self._queue.qsize(),
            queued_seconds=self._queue.seconds,
            completed=self._completed,
            failed=self._failed,
            retried=self._retried,
            worker_restarts=self._restarts,
        )

    async def close(self) -> None:
        """End all workers; tasks that still wait fail with ``RecogniserClosed``."""
        self._closed = True
        for task in self._tasks:
            task.cancel()
        for outcome in await asyncio.gather(*self._tasks, return_exceptions=True):
            if isinstance(outcome, Exception):
                raise outcome
        self._traits.cancel()
        while not self._queue.empty():
            _fail(self._queue.get_nowait(), RecogniserClosed("the server is stopping"))

    async def _keep(self, slot: _Slot) -> None:
        """Keep one worker alive: start it, feed it, replace it when it dies."""
        for pause in slot.pauses():
            await asyncio.sleep(pause)
            slot.state = State.LOADING
            try:
                async with self._starting:  # multiprocessing starts one process at a time
                    worker = await WorkerProcess.start(slot.number, self._spec)
            except OSError as error:
                slot.fail(f"it could not be started: {error}")
                continue
            slot.pid = worker.pid
            try:
                traits = await worker.loaded()
                if not self._traits.done():
                    self._traits.set_result(traits)
                slot.succeed()
                logger.info("worker %d (pid %s) is ready", slot.number, worker.pid)
                cause = await self._feed(slot, worker)
                logger.warning("worker %d (pid %s) is gone: %s", slot.number, worker.pid, cause)
            except RecogniserError as error:
                slot.fail(str(error))
                if self._traits.done():  # else ``start`` tells, once for all workers
                    logger.warning("worker %d did not start: %s", slot.number, error)
            finally:
                slot.state, slot.pid = State.DOWN, None
                await worker.close()
            self._restarts += 1

    async def _feed(self, slot: _Slot, worker: WorkerProcess) -> str:
        """Give the worker one task after the other until it dies; tell of what."""
        while True:
            slot.state = State.IDLE
            ticket = await self._next(worker)
            if ticket is None:
                return worker.dead.result()
            slot.state = State.BUSY
            try:
                await self._run(slot, worker, ticket)
            finally:
                self._permits.release()

    async def _next(self, worker: WorkerProcess) -> Ticket | None:
        """Pull a ticket, with a permit to run it; None when the worker has died meanwhile."""
        while True:
            pull = asyncio.ensure_future(self._pull())
            try:
                await first_of(pull, worker.dead)
            except asyncio.CancelledError:
                self._undo(pull)
                raise
            if worker.dead.done():
                self._undo(pull)
                return None
            ticket = pull.result()
            if not ticket.result.done():
                return ticket
            self._permits.release()  # nobody waits for it any more

    async def _pull(self) -> Ticket:
        await self._permits.acquire()
        try:
            return await self._queue.get()
        except asyncio.CancelledError:
            self._permits.release()
            raise

    def _undo(self, pull: asyncio.Future[Ticket]) -> None:
        """Take a pull back, whether or not it has got a ticket."""
        if pull.done():
            self._queue.put_back(pull.result())
            self._permits.release()
        else:
            pull.cancel()

    async def _run(self, slot: _Slot, worker: WorkerProcess, ticket: Ticket) -> None:
        try:
            result = await worker.run(ticket.task)
        except InferenceFailed as error:
            _fail(ticket, error)
        except WorkerCrashed as error:
            ticket.crashes += 1
            if ticket.crashes < POISON:
                self._retried += 1
                self._queue.put_back(ticket)
            else:
                _fail(ticket, WorkerCrashed(f"{POISON} workers died of this audio: {error}"))
        except asyncio.CancelledError:
            _fail(ticket, RecogniserClosed("the server is stopping"))
            raise
        else:
            slot.completed += 1
            if not ticket.result.done():
                ticket.result.set_result(result)


class _Slot:
    """The place of one worker; the process in it changes."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.state = State.LOADING
        self.pid: int | None = None
        self.completed = 0
        self.first: asyncio.Future[str | None] = asyncio.get_running_loop().create_future()
        """How the first start went: None, or the reason why not."""
        self._failures = 0

    def succeed(self) -> None:
        self._failures = 0
        if not self.first.done():
            self.first.set_result(None)

    def fail(self, reason: str) -> None:
        self._failures += 1
        if not self.first.done():
            self.first.set_result(reason)

    def pauses(self) -> Iterator[float]:
        """Seconds to wait before each start: none after a good one, growing after bad ones."""
        for _ in itertools.count():
            yield min(0.5 * (2**self._failures - 1), LONGEST_PAUSE)


def _fail(ticket: Ticket, error: RecogniserError) -> None:
    if not ticket.result.done():
        ticket.result.set_exception(error)


def _report_bug(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and task.exception() is not None:
        logger.critical("a worker's keeper failed; please report it", exc_info=task.exception())
