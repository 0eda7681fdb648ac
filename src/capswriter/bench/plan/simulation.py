"""Events in the order of time: tasks, one queue, workers that pull from it, and shared cores.

What the server does, with nothing in it but waiting and work: the front cuts a task into segments
and queues each when a worker has taken the one before; idle workers pull, by class and then in
order of arrival. Everybody who has work wants cores; where more are wanted than there are,
everything slows down in proportion.

It is a loop of its own and not a library's: in those, a time that is waited for is fixed when the
wait begins, while here every end moves whenever somebody begins or ends. All engines run at one
speed, and so their ends keep their order: two clocks that tick at those speeds are enough.
"""

from __future__ import annotations

import heapq
import itertools
import math
from collections import deque
from dataclasses import dataclass, field
from enum import IntEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import TypeAlias

    Action: TypeAlias = "Callable[[], None]"


class Priority(IntEnum):
    """Classes of work, the first first."""

    INTERACTIVE = 0
    FILE = 1


@dataclass(frozen=True, slots=True)
class Segment:
    """What an engine takes at once.

    Args:
        engine: seconds that an engine needs for it if it runs alone.
        front: seconds of a core that the front needs until it can be queued.
    """

    engine: float
    front: float = 0.0


def _at_full_speed(busy: int) -> float:  # noqa: ARG001
    return 1.0


@dataclass(frozen=True, slots=True)
class Arrangement:
    """A machine and the workers on it.

    Args:
        workers: how many.
        cores: how many.
        threads: cores that an engine at work keeps busy.
        background: cores that are taken all the time.
        slowdown: how many times as long engines take with so many at work at once, though each
            has its core: they share caches and memory.
    """

    workers: int
    cores: float
    threads: float = 1.0
    background: float = 0.0
    slowdown: Callable[[int], float] = _at_full_speed


@dataclass(slots=True, eq=False)
class _Task:
    segments: Sequence[Segment]
    priority: Priority
    ended: Action
    left: int
    taken: int = 0
    """Segments that workers have taken."""
    held: Segment | None = None
    """Cut, but the one before it still waits for a worker."""
    ahead: deque[Segment] = field(default_factory=deque)
    """Not cut yet."""


class Simulation:
    """A server at work.

    Args:
        arrangement: of it.
    """

    def __init__(self, arrangement: Arrangement) -> None:
        self.now = 0.0
        """Seconds."""
        self.busy_seconds = 0.0
        """That workers were busy, of all together."""
        self._arrangement = arrangement
        self._order = itertools.count()
        self._timed: list[tuple[float, int, Action]] = []
        self._waiting: dict[Priority, deque[tuple[_Task, Segment]]] = {
            priority: deque() for priority in Priority
        }
        self._engines: list[tuple[float, int, _Task]] = []
        self._engine_clock = 0.0
        self._front: deque[tuple[_Task, Segment]] = deque()
        self._front_clock = 0.0
        self._front_ends = math.inf

    def at(self, time: float, action: Action) -> None:
        """Have something happen at a time, now at the earliest."""
        heapq.heappush(self._timed, (max(time, self.now), next(self._order), action))

    def submit(
        self,
        segments: Sequence[Segment],
        ended: Action,
        *,
        priority: Priority = Priority.INTERACTIVE,
    ) -> None:
        """Have a task recognised.

        Args:
            segments: of it, at least one.
            ended: called when the last is done.
            priority: of all of them.
        """
        task = _Task(segments, priority, ended, left=len(segments), ahead=deque(segments))
        self._cut(task)

    @property
    def waiting(self) -> int:
        """Segments that wait for a worker."""
        return sum(map(len, self._waiting.values()))

    def run(self, *, until: Callable[[], bool] = lambda: False) -> None:
        """Let time pass until nothing is left to happen, or until enough has.

        Args:
            until: asked after each event.
        """
        while not until() and self._step():
            pass

    def _step(self) -> bool:
        engine_speed, front_speed = self._speeds()
        timed = self._timed[0][0] if self._timed else math.inf
        engine = front = math.inf
        if self._engines:
            engine = self.now + (self._engines[0][0] - self._engine_clock) / engine_speed
        if self._front:
            front = self.now + (self._front_ends - self._front_clock) / front_speed
        at = min(timed, engine, front)
        if at == math.inf:
            return False
        passed = at - self.now
        self.now = at
        self.busy_seconds += passed * len(self._engines)
        self._engine_clock += passed * engine_speed
        self._front_clock += passed * front_speed
        if engine == at:
            self._recognised()
        elif front == at:
            self._has_been_cut()
        else:
            heapq.heappop(self._timed)[2]()
        return True

    def _speeds(self) -> tuple[float, float]:
        """Work that an engine, and the front, do in a second."""
        given, busy = self._arrangement, len(self._engines)
        wanted = busy * given.threads + bool(self._front) + given.background
        share = min(1.0, given.cores / wanted) if wanted else 1.0
        return share / (given.slowdown(busy) if busy else 1.0), share

    def _cut(self, task: _Task) -> None:
        """Let the front begin with the next segment of a task, if there is one."""
        if not task.ahead:
            return
        segment = task.ahead.popleft()
        self._front.append((task, segment))
        if len(self._front) == 1:
            self._front_ends = self._front_clock + segment.front

    def _has_been_cut(self) -> None:
        task, segment = self._front.popleft()
        if self._front:
            self._front_ends = self._front_clock + self._front[0][1].front
        if task.taken == len(task.segments) - len(task.ahead) - 1:
            self._queue(task, segment)
        else:
            task.held = segment

    def _queue(self, task: _Task, segment: Segment) -> None:
        self._waiting[task.priority].append((task, segment))
        self._cut(task)
        self._pull()

    def _pull(self) -> None:
        """Give what waits to idle workers."""
        while len(self._engines) < self._arrangement.workers:
            first = next((queue for queue in self._waiting.values() if queue), None)
            if first is None:
                return
            task, segment = first.popleft()
            task.taken += 1
            ends = self._engine_clock + segment.engine
            heapq.heappush(self._engines, (ends, next(self._order), task))
            if task.held is not None:
                held, task.held = task.held, None
                self._waiting[task.priority].append((task, held))
                self._cut(task)

    def _recognised(self) -> None:
        _, _, task = heapq.heappop(self._engines)
        task.left -= 1
        if not task.left:
            task.ended()
        self._pull()
