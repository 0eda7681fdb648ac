"""Sending: every dictation gets its text, from whichever server, however often it goes away.

::

    async with Journal() as journal, Sender(journal, url) as sender:
        dictation = sender.begin(journal.begin())
        dictation.add(samples)  # as it is spoken
        dictation.stop()
        async for event in sender.events():
            ...
"""

from capswriter.dictation.sending.dictation import Dictation
from capswriter.dictation.sending.events import (
    Away,
    Back,
    Event,
    Failed,
    Partial,
    Recognised,
    Starting,
)
from capswriter.dictation.sending.sender import LATE_S, Sender
from capswriter.dictation.sending.wish import Wish

__all__ = [
    "LATE_S",
    "Away",
    "Back",
    "Dictation",
    "Event",
    "Failed",
    "Partial",
    "Recognised",
    "Sender",
    "Starting",
    "Wish",
]
