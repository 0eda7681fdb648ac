"""The temporary files of this process."""

from __future__ import annotations

from pathlib import Path

SHARED = "/pym-"
"""In the names of files that ``multiprocessing`` shares memory by."""


def unnamed_files() -> int:
    """Count the open files that have no name any more; 0 where the system does not tell.

    The memory that is shared with workers does not count: it comes and goes with them.
    """
    folder = Path("/proc/self/fd")
    if not folder.is_dir():
        return 0
    count = 0
    for entry in folder.iterdir():
        try:
            target = str(entry.readlink())
            count += target.endswith("(deleted)") and SHARED not in target
        except OSError:  # the one that lists the folder
            continue
    return count
