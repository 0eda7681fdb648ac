"""The temporary files of this process."""

from __future__ import annotations

from pathlib import Path


def unnamed_files() -> int:
    """Count the open files that have no name any more; 0 where the system does not tell."""
    folder = Path("/proc/self/fd")
    if not folder.is_dir():
        return 0
    count = 0
    for entry in folder.iterdir():
        try:
            count += str(entry.readlink()).endswith("(deleted)")
        except OSError:  # the one that lists the folder
            continue
    return count
