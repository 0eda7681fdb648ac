"""How much audio may wait: by class, in all and for each client; what is beyond is refused."""

from __future__ import annotations

import time
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from capswriter.pool.errors import Overloaded
from capswriter.pool.task import Priority

if TYPE_CHECKING:
    from collections.abc import Callable

    from capswriter.pool.queue import FairQueue

HOUR = 3600.0

SOONEST = 0.1
"""Share of a limit that has to be free before the first who was refused may come again."""

STEP = 0.05
"""Share of a limit that has to be done between one who comes again and the next."""

AT_LEAST = 1.0
"""Seconds before anybody may come again."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Seconds of audio that may wait before new utterances are refused.

    Files wait on the disk and bother nobody but each other, so theirs are hours. Dictations wait
    for nothing but each other, and their speakers are watching.

    Args:
        interactive: segments of dictations that wait for a worker.
        files: of all files that have arrived and are not recognised.
        client_share: how much of either one client may take up, of 1.
    """

    interactive: float = 120.0
    files: float = 24 * HOUR
    client_share: float = 0.5


class Pace:
    """How fast the engine is, learnt from what it does."""

    def __init__(self) -> None:
        self.per_worker = 1.0
        """Seconds of audio that a worker does in a second.

        Until the first task is done it is 1: dates told so far err on the late side.
        """
        self._known = False

    def learn(self, audio: float, seconds: float) -> None:
        """Note that ``audio`` seconds of sound took ``seconds``."""
        measured = audio / max(seconds, 1e-3)
        self.per_worker = 0.9 * self.per_worker + 0.1 * measured if self._known else measured
        self._known = True

    def takes(self, audio: float) -> float:
        """Expect how many seconds so many seconds of sound take; 0 while nothing is known."""
        return audio / self.per_worker if self._known else 0.0


class Appointments:
    """When each of those who are refused may come again: one after the other.

    If all were told the same, all would come at once, and all but a few would be refused again.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._newest = clock()

    def next(self, soonest: float, latest: float, step: float) -> float:
        """Give the place after the one before; beyond the last it starts over.

        Args:
            soonest: seconds from now to the first place.
            latest: likewise to the last.
            step: seconds between two.

        Returns:
            Seconds from now.
        """
        now = self._clock()
        place = max(now + soonest, self._newest + step)
        if place > now + latest:
            place = now + soonest
        self._newest = place
        return place - now


class Account:
    """What one utterance still has to have recognised."""

    def __init__(self, admission: Admission, client: str, priority: Priority) -> None:
        self.client = client
        self.priority = priority
        self.owed = 0.0
        self._admission = admission

    def owe(self, seconds: float) -> None:
        """Set the seconds of audio that have arrived and are not recognised."""
        seconds = max(0.0, seconds)
        self._admission.change(self, seconds - self.owed)
        self.owed = seconds

    def close(self) -> None:
        """Owe nothing any more; closing twice is harmless."""
        self.owe(0.0)


class Admission:
    """Refuses new utterances while too much waits; what has been admitted is done.

    Args:
        limits: how much may wait.
        queue: whose interactive segments count.
        pace: for telling when there will be room.
        workers: how many work on it.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        limits: Limits,
        queue: FairQueue,
        pace: Pace,
        *,
        workers: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.rejected = 0
        self.backlog = 0.0
        """Seconds of files that have arrived and are not recognised."""
        self._limits = limits
        self._queue = queue
        self._pace = pace
        self._workers = workers
        self._by_client: defaultdict[str, float] = defaultdict(float)
        self._appointments = {priority: Appointments(clock) for priority in Priority}

    def admit(self, *, client: str, priority: Priority) -> Account:
        """Open an account for a new utterance.

        Raises:
            Overloaded: too much waits already.
        """
        limits, share = self._limits, self._limits.client_share
        if priority is Priority.FILE:
            limit, waiting, own = limits.files, self.backlog, self._by_client.get(client, 0.0)
        else:
            limit = limits.interactive
            waiting = self._queue.seconds(Priority.INTERACTIVE)
            own = self._queue.seconds(Priority.INTERACTIVE, client)
        if waiting >= limit:
            raise self._refusal(priority, limit, waiting, "the server")
        if own >= limit * share:
            raise self._refusal(priority, limit * share, own, "this client")
        return Account(self, client, priority)

    def change(self, account: Account, seconds: float) -> None:
        """Note that an account owes more, or less."""
        if account.priority is not Priority.FILE:
            return
        self.backlog = max(0.0, self.backlog + seconds)
        left = self._by_client[account.client] + seconds
        if left > 0:
            self._by_client[account.client] = left
        else:
            del self._by_client[account.client]

    def _refusal(self, priority: Priority, limit: float, waiting: float, whose: str) -> Overloaded:
        self.rejected += 1
        throughput = self._pace.per_worker * self._workers
        soonest = max(AT_LEAST, (waiting - (1 - SOONEST) * limit) / throughput)
        retry_after = self._appointments[priority].next(
            soonest, latest=waiting / throughput, step=STEP * limit / throughput
        )
        return Overloaded(
            f"{whose} has {waiting:.0f} s of audio waiting already; "
            f"try again in {retry_after:.0f} s",
            retry_after=round(retry_after, 1),
        )
