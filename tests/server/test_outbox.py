"""What waits for a socket, in which order it goes, and what takes whose place."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from capswriter.server.outbox import MOMENT, Outbox

TURNS = 5
"""Turns of the event loop in which a message that may go at once is sent."""


async def sent_by(outbox: Outbox, *, later: bool) -> list[str]:
    """What is sent at once, or, ``later``, after a moment too."""
    sent: list[str] = []

    async def send(message: str) -> None:
        sent.append(message)

    sending = asyncio.create_task(outbox.send_all(send))
    for _ in range(TURNS):
        await asyncio.sleep(0)
    if later:
        await asyncio.sleep(10 * MOMENT)
    sending.cancel()
    with suppress(asyncio.CancelledError):
        await sending
    return sent


def test_a_partial_lets_the_loop_do_other_things_first(monkeypatch):
    async def use(*, later: bool) -> list[str]:
        outbox = Outbox()
        outbox.put_partial("task", lambda: "so far")
        return await sent_by(outbox, later=later)

    assert asyncio.run(use(later=True)) == ["so far"]
    monkeypatch.setattr("capswriter.server.outbox.MOMENT", 3600)  # however slow this machine is
    assert asyncio.run(use(later=False)) == []


def test_a_last_message_goes_at_once_in_place_of_a_partial_that_waits():
    async def use() -> list[str]:
        outbox = Outbox()
        outbox.put_partial("task", lambda: "so far")
        outbox.put_last("task", lambda: "all")
        return await sent_by(outbox, later=False)

    assert asyncio.run(use()) == ["all"]
