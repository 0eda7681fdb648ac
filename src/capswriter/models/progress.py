"""How a download tells its caller how far it is."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Called for every block that arrives, in the thread that downloads."""

    def __call__(self, name: str, done: int, total: int | None, /) -> None:
        """Tell how far one file is.

        Args:
            name: the file that is being fetched or put together.
            done: bytes so far; fewer than before where a download had to start again.
            total: bytes in the end; ``None`` where that is unknown.
        """


def silent(name: str, done: int, total: int | None, /) -> None:
    """Tell nobody."""
