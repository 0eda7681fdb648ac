"""When those who are refused may come again."""

from __future__ import annotations

import asyncio

import pytest
from fake_engine import speak

from capswriter.pool import Overloaded, Priority, Task
from capswriter.pool.admission import Admission, Limits, Pace
from capswriter.pool.queue import FairQueue, Ticket

LIMIT = 1000.0


class Clock:
    """Time that passes when it is told to."""

    def __init__(self) -> None:
        self.now = 50.0

    def __call__(self) -> float:
        return self.now


def full(*, per_worker: float | None = 5.0, clock: Clock | None = None, queue=None):
    """Admission with as much waiting as may; a second of it takes 0.1 s."""
    pace = Pace()
    if per_worker is not None:
        pace.learn(per_worker, 1.0)
    limits = Limits(interactive=10, files=LIMIT)
    made = Admission(
        limits, FairQueue() if queue is None else queue, pace, workers=2, clock=clock or Clock()
    )
    account = made.admit(client="first", priority=Priority.FILE)
    account.owe(LIMIT)
    return made, account


def refused(admission: Admission, client: str = "other", priority: Priority = Priority.FILE):
    """Give what a client is told that comes now."""
    with pytest.raises(Overloaded) as told:
        admission.admit(client=client, priority=priority)
    return told.value.retry_after


def test_the_refused_get_one_place_after_the_other():
    admission, _ = full()
    # A tenth of the limit takes 10 s, each further twentieth 5 s, all of it 100 s.
    assert [refused(admission) for _ in range(19)] == [10.0 + 5 * n for n in range(19)]
    assert admission.rejected == 19


def test_beyond_the_time_in_which_all_is_done_places_start_over():
    admission, _ = full()
    assert [refused(admission) for _ in range(21)][18:] == [100.0, 10.0, 15.0]


def test_places_stay_where_they_are_while_time_passes():
    clock = Clock()
    admission, account = full(clock=clock)
    assert [refused(admission) for _ in range(3)] == [10.0, 15.0, 20.0]
    clock.now += 2
    assert refused(admission) == 23.0
    clock.now += 60  # all of them are over, and still as much waits
    assert refused(admission) == 10.0
    account.owe(1.5 * LIMIT)
    assert refused(admission) == 60.0


def test_nobody_is_told_to_come_within_a_second():
    admission, _ = full(per_worker=1000.0)
    assert [refused(admission) for _ in range(3)] == [1.0, 1.0, 1.0]
    admission, _ = full(per_worker=100.0)
    assert [refused(admission) for _ in range(3)] == [1.0, 1.2, 1.5]


def test_until_an_engine_has_done_anything_it_is_taken_to_be_as_fast_as_speech():
    admission, _ = full(per_worker=None)
    assert refused(admission) == 50.0


def test_a_client_with_too_much_of_its_own_is_told_when_that_is_done():
    admission, account = full()
    account.owe(0.6 * LIMIT)
    admission.admit(client="other", priority=Priority.FILE)
    assert refused(admission, "first") == 15.0  # down from 600 s to 450 s


@pytest.mark.anyio
async def test_dictations_have_places_of_their_own():
    queue = FairQueue()
    admission, _ = full(queue=queue)
    for _ in range(5):
        refused(admission)
    for client in ("a", "b"):
        waiting = asyncio.get_running_loop().create_future()
        task = Task(speak(1, 2, 3, 4, 5), client=client, priority=Priority.INTERACTIVE)
        queue.put(Ticket(task, waiting))
    assert refused(admission, "a", Priority.INTERACTIVE) == 1.0
    assert refused(admission) == 35.0
