"""The only door to recognition: every task of every protocol passes through ``recognise``.

Limits on how many work at once, classes and turns, bounds, retries, deadlines and counters live
here and in the modules this one is made of, and nowhere else.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from capswriter import trace
from capswriter.pool.admission import Account, Admission, Limits, Pace
from capswriter.pool.errors import (
    DeadlineExceeded,
    InferenceFailed,
    NoWorkers,
    RecogniserClosed,
    RecogniserError,
    WorkerCrashed,
)
from capswriter.pool.memory import free_mb
from capswriter.pool.process import Cause, Death, NotReady, WorkerProcess
from capswriter.pool.queue import FairQueue, Ticket
from capswriter.pool.sizing import RESERVE_MB
from capswriter.pool.slot import Slot
from capswriter.pool.statistics import Latencies, State, Statistics, by_class

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from capswriter.engines import Traits
    from capswriter.pool.task import EngineSpec, Priority, Result, Task

logger = logging.getLogger(__name__)

POISON = 2
"""A task that this many workers have died with is not tried again."""

SLOWEST = 20.0
"""A task that takes so many times longer than its like is taken to hang."""

MEMORY_EVERY = 5.0
"""Seconds between looks at the memory that is free."""


@dataclass(frozen=True, slots=True)
class Patience:
    """Seconds after which a worker is taken to hang, killed and replaced.

    Args:
        load: for loading the model.
        task: for a task, besides what its audio takes.
        ping_every: between pings.
        ping: for the answer to a ping.
    """

    load: float = 300.0
    task: float = 30.0
    ping_every: float = 2.0
    ping: float = 10.0


class Recogniser:
    """N workers and the queue they pull from; an async context manager.

    Args:
        spec: what each worker loads.
        workers: how many.
        max_concurrent: how many may work at once; all of them by default.
        limits: how much audio may wait.
        patience: when a worker is taken to hang.
        worker_mb: megabytes that a worker takes; where more than one could not be fed any more,
            workers are parked until memory returns. 0 leaves them alone.
        free: tells how many megabytes are free.
    """

    def __init__(
        self,
        spec: EngineSpec,
        *,
        workers: int,
        max_concurrent: int | None = None,
        limits: Limits | None = None,
        patience: Patience | None = None,
        worker_mb: int = 0,
        free: Callable[[], int] = free_mb,
    ) -> None:
        self._spec = spec
        self._patience = patience or Patience()
        self._worker_mb = worker_mb
        self._free = free
        self._queue = FairQueue(self._call_idle)
        self._pace = Pace()
        self._max_concurrent = min(max_concurrent or workers, workers)
        self._running = 0
        self._admission = Admission(
            limits or Limits(), self._queue, self._pace, workers=self._max_concurrent
        )
        self._slots = [Slot(number) for number in range(workers)]
        self._tasks: list[asyncio.Task[None]] = []
        self._traits: asyncio.Future[Traits] = asyncio.get_running_loop().create_future()
        self._starting = asyncio.Lock()
        self._latencies = Latencies()
        self._deaths: Counter[str] = Counter()
        self._completed = self._failed = self._retried = self._restarts = 0
        self._closed = False

    @property
    def workers(self) -> int:
        """How many workers there are meant to be."""
        return len(self._slots)

    @property
    def max_concurrent(self) -> int:
        """How many may work at once."""
        return self._max_concurrent

    @property
    def load(self) -> str:
        """How busy it is, for a line of the log: ``active=2/2 queued=3``."""
        active = sum(slot.state is State.BUSY for slot in self._slots)
        return f"active={active}/{self._max_concurrent} queued={len(self._queue)}"

    @property
    def can_guess(self) -> bool:
        """Whether a worker is idle, and another left for what is certain, if there are several."""
        idle = sum(slot.state is State.IDLE for slot in self._slots) - len(self._queue)
        return idle >= min(2, self._max_concurrent)

    @property
    def ready(self) -> bool:
        """Whether a worker can take a task, now or when it has finished the one it has."""
        return any(slot.state in {State.IDLE, State.BUSY} for slot in self._slots)

    @property
    def trouble(self) -> str:
        """Why no worker is ready: what the newest failure to start one was; empty without one."""
        reasons = [slot.trouble for slot in self._slots if slot.trouble]
        return "" if self.ready or not reasons else reasons[-1]

    def takes(self, audio: float) -> float:
        """Expect how long so many seconds of audio take a worker; 0 until one has done a task."""
        return self._pace.takes(audio)

    async def traits(self) -> Traits:
        """Tell what the engine is and takes, once the first worker has loaded it.

        Raises:
            RecogniserClosed: the server is stopping.
        """
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
        keepers = [self._keep(slot) for slot in self._slots]
        self._tasks = [asyncio.create_task(each) for each in (*keepers, self._mind_memory())]
        for task in self._tasks:
            task.add_done_callback(_report_bug)
        attempts = {slot.first for slot in self._slots}
        while attempts:
            done, attempts = await asyncio.wait(attempts, return_when=asyncio.FIRST_COMPLETED)
            failures = [attempt.result() for attempt in done]
            if None in failures:
                return
        raise NoWorkers(f"no worker could start: {failures[0]}")

    def admit(self, *, client: str, priority: Priority) -> Account:
        """Let an utterance in; its account tells how much of it still waits.

        Raises:
            Overloaded: too much waits already; it says when to come again.
            RecogniserClosed: the server is stopping.
        """
        if self._closed:
            raise RecogniserClosed("the server is stopping")
        return self._admission.admit(client=client, priority=priority)

    async def recognise(self, task: Task, *, on_start: Callable[[], None] | None = None) -> Result:
        """Recognise one segment, when its turn has come.

        Whoever stops waiting (by cancellation) takes the task out of the queue.

        Args:
            task: what to do.
            on_start: called when a worker takes it.

        Raises:
            InferenceFailed: the engine refused or failed on this audio.
            WorkerCrashed: two workers died with it.
            DeadlineExceeded: it waited too long, or a newer one of its key took its place.
            RecogniserClosed: the server is stopping.
        """
        if self._closed:
            raise RecogniserClosed("the server is stopping")
        ticket = Ticket(task, asyncio.get_running_loop().create_future(), on_start or _nothing)
        self._queue.put(ticket)
        try:
            result = await ticket.result
        except asyncio.CancelledError:
            self._queue.discard(ticket)
            raise
        except RecogniserError:
            self._failed += 1
            raise
        self._completed += 1
        self._note(ticket, result)
        return result

    def statistics(self) -> Statistics:
        """Tell what the workers and the queue are doing."""
        return Statistics(
            workers=tuple(slot.statistics() for slot in self._slots),
            active=sum(slot.state is State.BUSY for slot in self._slots),
            queued=len(self._queue),
            queued_seconds=sum(map(self._queue.seconds, self._latencies.wait)),
            backlog_seconds=self._admission.backlog,
            completed=self._completed,
            failed=self._failed,
            retried=self._retried,
            rejected=self._admission.rejected,
            worker_restarts=self._restarts,
            deaths=dict(self._deaths),
            wait=by_class(self._latencies.wait),
            latency=by_class(self._latencies.total),
            pace=self._pace.per_worker,
        )

    async def close(self) -> None:
        """End all workers; tasks that still wait fail with ``RecogniserClosed``."""
        self._closed = True
        for task in self._tasks:
            task.cancel()
        for outcome in await asyncio.gather(*self._tasks, return_exceptions=True):
            if isinstance(outcome, Exception):
                raise outcome
        closed = RecogniserClosed("the server is stopping")
        if not self._traits.done():
            self._traits.set_exception(closed)
            self._traits.exception()  # it need not be reported where nobody waits
        while self._queue:
            self._queue.pull().fail(closed)

    async def _keep(self, slot: Slot) -> None:
        """Keep one worker alive: start it, feed it, replace it when it dies."""
        for pause in slot.pauses():
            slot.state = State.DOWN
            await asyncio.sleep(pause)
            if not slot.wanted.is_set():
                slot.state = State.PARKED
                await slot.wanted.wait()
            slot.state = State.LOADING
            death = await self._live(slot)
            slot.pid = None
            if death is not None:
                self._deaths[death.cause.value] += 1
                self._restarts += 1
                if death.cause is Cause.OUT_OF_MEMORY and self.ready and self._worker_mb:
                    slot.wanted.clear()  # until ``_mind_memory`` sees room for it

    async def _live(self, slot: Slot) -> Death | None:
        """One worker's life, from its start to its end; None where it was parked."""
        try:
            async with self._starting:  # multiprocessing starts one process at a time
                worker = await WorkerProcess.start(slot.number, self._spec)
        except OSError as error:
            slot.fail(f"it could not be started: {error}")
            return Death(Cause.NOT_LOADED, str(error))
        slot.pid = worker.pid
        try:
            traits = await worker.loaded(within=self._patience.load)
            if not self._traits.done():
                self._traits.set_result(traits)
            slot.succeed()
            logger.info("worker %d (pid %s) is ready", slot.number, worker.pid)
            worker.dead.add_done_callback(lambda _: slot.call())
            await self._feed(slot, worker)
        except NotReady as error:
            slot.fail(str(error))
            if self._traits.done():  # else ``start`` tells, once for all workers
                logger.warning("worker %d did not start: %s", slot.number, error)
            return error.death
        finally:
            slot.state = State.DOWN
            was_alive = not worker.dead.done()
            await worker.close()
        if was_alive:
            logger.info("worker %d (pid %s) is parked", slot.number, worker.pid)
            return None
        death = worker.dead.result()
        logger.warning("worker %d (pid %s) is gone: %s", slot.number, worker.pid, death.reason)
        return death

    async def _feed(self, slot: Slot, worker: WorkerProcess) -> None:
        """Give the worker one task after the other until it dies or is parked."""
        patience = self._patience
        watch = asyncio.create_task(
            worker.watch(every=patience.ping_every, within=patience.ping), name="watch"
        )
        try:
            while True:
                slot.rest()
                ticket = await self._next(slot, worker)
                if ticket is None:
                    return
                slot.state = State.BUSY
                self._running += 1
                try:
                    await self._run(slot, worker, ticket)
                finally:
                    self._running -= 1
                    self._call_idle()
        finally:
            watch.cancel()
            with suppress(asyncio.CancelledError):
                await watch

    async def _next(self, slot: Slot, worker: WorkerProcess) -> Ticket | None:
        """Pull a ticket as soon as there is one; None when the worker is to have no more."""
        while not worker.dead.done() and slot.wanted.is_set():
            if not self._queue or self._running >= self._max_concurrent:
                await slot.called()
                continue
            ticket = self._queue.pull()
            waited = time.monotonic() - ticket.queued_at
            if waited > ticket.task.patience:
                ticket.fail(DeadlineExceeded(f"no worker was free within {waited:.1f} s"))
            if not ticket.result.done():
                return ticket
        return None

    def _call_idle(self) -> None:
        """Have those look into the queue who wait; who has rested longest looks first."""
        for slot in sorted(self._slots, key=Slot.rested_since):
            slot.call()

    async def _run(self, slot: Slot, worker: WorkerProcess, ticket: Ticket) -> None:
        ticket.start()
        limit = self._patience.task + SLOWEST * ticket.task.seconds / self._pace.per_worker
        try:
            result = await worker.run(ticket.task, within=limit)
        except InferenceFailed as error:
            ticket.fail(error)
        except WorkerCrashed as error:
            ticket.crashes += 1
            if ticket.crashes < POISON:
                self._retried += 1
                self._queue.put_back(ticket)
            else:
                ticket.fail(WorkerCrashed(f"{POISON} workers died of this audio: {error}"))
        except asyncio.CancelledError:
            ticket.fail(RecogniserClosed("the server is stopping"))
            raise
        else:
            slot.note(result)
            self._pace.learn(ticket.task.seconds, result.seconds)
            if not ticket.result.done():
                ticket.result.set_result(result)

    def _note(self, ticket: Ticket, result: Result) -> None:
        task, answered = ticket.task, time.monotonic()
        taken = ticket.started_at or ticket.queued_at
        wait = taken - ticket.queued_at
        self._latencies.note(task.priority, wait=wait, total=answered - ticket.queued_at)
        trace.note(
            "segment",
            kind=task.priority.name.lower(),
            worker=result.worker,
            audio=task.seconds,
            queued=ticket.queued_at,
            taken=taken,
            began=result.began,
            ended=result.began + result.seconds,
            answered=answered,
        )
        logger.debug(
            "%s wait=%.2fs audio=%.1fs rtf=%.3f",
            self.load,
            wait,
            task.seconds,
            result.seconds / max(task.seconds, 1e-3),
        )

    async def _mind_memory(self) -> None:
        """Park workers while memory is short, one at a time, and take them back when it returns."""
        while self._worker_mb:
            await asyncio.sleep(MEMORY_EVERY)
            free = await asyncio.to_thread(self._free)
            wanted = [slot for slot in self._slots if slot.wanted.is_set()]
            parked = [slot for slot in self._slots if not slot.wanted.is_set()]
            if free < RESERVE_MB // 2 and len(wanted) > 1:
                logger.warning(
                    "%d MB of memory are free: %d workers instead of %d",
                    free,
                    len(wanted) - 1,
                    len(wanted),
                )
                wanted[-1].park()
            elif parked and free > RESERVE_MB + self._worker_mb:
                logger.info("%d MB of memory are free: %d workers again", free, len(wanted) + 1)
                parked[0].unpark()


def _nothing() -> None:
    pass


def _report_bug(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and task.exception() is not None:
        logger.critical("a worker's keeper failed; please report it", exc_info=task.exception())
