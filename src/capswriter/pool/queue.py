"""The one queue that idle workers pull from: by class, and by turns between clients."""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from capswriter.pool.task import Priority, Result, Task

if TYPE_CHECKING:
    from typing import TypeAlias

    Turns: TypeAlias = "OrderedDict[str, deque[Ticket]]"


@dataclass(slots=True, eq=False)
class Ticket:
    """A task that waits for its result.

    Args:
        task: what to do.
        result: where the one who asked waits; cancelled when nobody does any more.
        crashes: how many workers have died with it.
        returned: whether it has been pulled before.
    """

    task: Task
    result: asyncio.Future[Result]
    crashes: int = 0
    returned: bool = False


class FairQueue(asyncio.Queue[Ticket]):
    """Tickets, by priority first, then by turns between clients, then in order of arrival.

    A ticket that comes back goes before all others of its class.
    """

    def put_back(self, ticket: Ticket) -> None:
        """Return a ticket that was pulled and not done."""
        ticket.returned = True
        self.put_nowait(ticket)

    def _init(self, maxsize: int) -> None:  # noqa: ARG002
        self._classes: dict[Priority, Turns] = {priority: OrderedDict() for priority in Priority}
        self._count = 0
        self.seconds = 0.0

    def _put(self, ticket: Ticket) -> None:
        turns = self._classes[ticket.task.priority]
        waiting = turns.setdefault(ticket.task.client, deque())
        if ticket.returned:
            waiting.appendleft(ticket)
            turns.move_to_end(ticket.task.client, last=False)
        else:
            waiting.append(ticket)
        self._count += 1
        self.seconds += ticket.task.seconds

    def _get(self) -> Ticket:
        turns = next(turns for turns in self._classes.values() if turns)
        client, waiting = next(iter(turns.items()))
        ticket = waiting.popleft()
        if waiting:
            turns.move_to_end(client)
        else:
            del turns[client]
        self._count -= 1
        self.seconds -= ticket.task.seconds
        return ticket

    def empty(self) -> bool:
        """Tell whether no ticket waits."""
        return not self._count

    def qsize(self) -> int:
        """Count the tickets that wait."""
        return self._count
