"""``capswriter`` with workers started as on Windows: anew each time, instead of forked."""

from __future__ import annotations

import multiprocessing

from capswriter.cli import main


def spawn_always() -> None:
    """Have everyone who asks for a way to start processes get this one."""
    spawning = multiprocessing.get_context("spawn")
    multiprocessing.get_context = lambda method=None: spawning  # type: ignore[assignment]  # noqa: ARG005


if __name__ == "__main__":
    spawn_always()
    main()
