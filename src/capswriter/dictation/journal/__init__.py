"""The journal: no dictation is lost, and none is typed twice.

::

    async with Journal() as journal:
        entry = journal.begin()
        entry.add(block)  # as it is spoken
        entry.close()
        entry.recognised(text)
        await entry.delivering()
        ...  # type it
        entry.delivered()
"""

from capswriter.dictation.journal.entry import Entry
from capswriter.dictation.journal.errors import InUse, NoSuchDictation
from capswriter.dictation.journal.journal import Journal, journal_directory, read_journal
from capswriter.dictation.journal.record import Record, State

__all__ = [
    "Entry",
    "InUse",
    "Journal",
    "NoSuchDictation",
    "Record",
    "State",
    "journal_directory",
    "read_journal",
]
