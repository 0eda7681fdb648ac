"""What was dictated, for the user's own keeping: recordings as mp3, and a Markdown diary.

::

    async with Archive(folder, retention=90, on_trouble=print) as archive:
        await archive.keep(text, entry.record.begun, await entry.audio())

    2026/11/22.md                                         [08:30:00](assets/...) text
    2026/11/assets/(20261122-083000)the first words.mp3
"""

from capswriter.dictation.archive.archive import Archive
from capswriter.dictation.archive.page import Archived, read_archive, remove_archived

__all__ = ["Archive", "Archived", "read_archive", "remove_archived"]
