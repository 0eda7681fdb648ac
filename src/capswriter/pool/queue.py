"""The one queue that idle workers pull from: by class, and by turns between clients."""

from __future__ import annotations

import time
from collections import OrderedDict, deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from capswriter.pool.errors import DeadlineExceeded
from capswriter.pool.task import Priority, Result, Task

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable
    from typing import TypeAlias

    Turns: TypeAlias = "OrderedDict[str, deque[Ticket]]"


@dataclass(slots=True, eq=False)
class Ticket:
    """A task that waits for its result.

    Args:
        task: what to do.
        result: where the one who asked waits; cancelled when nobody does any more.
        on_start: called when a worker takes it for the first time.
        crashes: how many workers have died with it.
        returned: whether it has been pulled before.
        queued_at: monotonic seconds.
        started_at: likewise; of the first start.
    """

    task: Task
    result: asyncio.Future[Result]
    on_start: Callable[[], None] = lambda: None
    crashes: int = 0
    returned: bool = False
    queued_at: float = field(default_factory=time.monotonic)
    started_at: float | None = None

    def start(self) -> None:
        """Note that a worker has taken it."""
        if self.started_at is None:
            self.started_at = time.monotonic()
            self.on_start()

    def fail(self, error: Exception) -> None:
        """End it with an error, unless it has ended."""
        if not self.result.done():
            self.result.set_exception(error)


class FairQueue:
    """Tickets, by priority first, then by turns between clients, then in order of arrival.

    A ticket that comes back goes before all others of its class. A partial task takes the place of
    the one of its key that still waits.

    Args:
        on_arrival: called when there is one more.
    """

    def __init__(self, on_arrival: Callable[[], None] = lambda: None) -> None:
        self._on_arrival = on_arrival
        self._classes: dict[Priority, Turns] = {priority: OrderedDict() for priority in Priority}
        self._seconds = dict.fromkeys(Priority, 0.0)
        self._keys: dict[str, Ticket] = {}
        self._count = 0

    def put_back(self, ticket: Ticket) -> None:
        """Return a ticket that was pulled and not done."""
        if ticket.task.key in self._keys:
            ticket.fail(DeadlineExceeded("a newer one took its place"))
            return
        ticket.returned = True
        self.put(ticket)

    def discard(self, ticket: Ticket) -> None:
        """Take a ticket out that nobody waits for any more, if it is still in."""
        turns = self._classes[ticket.task.priority]
        waiting = turns.get(ticket.task.client)
        if waiting is not None and ticket in waiting:
            waiting.remove(ticket)
            self._forget(ticket, turns)

    def seconds(self, priority: Priority, client: str | None = None) -> float:
        """Seconds of audio that wait in a class, of one client or of all."""
        if client is None:
            return self._seconds[priority]
        waiting = self._classes[priority].get(client, ())
        return sum(ticket.task.seconds for ticket in waiting)

    def __len__(self) -> int:
        return self._count

    def put(self, ticket: Ticket) -> None:
        """Take a ticket in."""
        key = ticket.task.key
        if key and (older := self._keys.get(key)) is not None:
            self.discard(older)
            older.fail(DeadlineExceeded("a newer one took its place"))
        turns = self._classes[ticket.task.priority]
        waiting = turns.setdefault(ticket.task.client, deque())
        if ticket.returned:
            waiting.appendleft(ticket)
            turns.move_to_end(ticket.task.client, last=False)
        else:
            waiting.append(ticket)
        if key:
            self._keys[key] = ticket
        self._count += 1
        self._seconds[ticket.task.priority] += ticket.task.seconds
        self._on_arrival()

    def pull(self) -> Ticket:
        """Give the ticket whose turn it is; there has to be one."""
        turns = next(turns for turns in self._classes.values() if turns)
        client, waiting = next(iter(turns.items()))
        ticket = waiting.popleft()
        turns.move_to_end(client)
        self._forget(ticket, turns)
        return ticket

    def _forget(self, ticket: Ticket, turns: Turns) -> None:
        if not turns[ticket.task.client]:
            del turns[ticket.task.client]
        self._keys.pop(ticket.task.key, None)
        self._count -= 1
        # Rounding must not leave a remainder in an empty class.
        left = self._seconds[ticket.task.priority] - ticket.task.seconds
        self._seconds[ticket.task.priority] = left if turns else 0.0
