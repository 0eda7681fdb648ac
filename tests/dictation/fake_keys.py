"""Keys that a test presses."""

from __future__ import annotations

import threading


class FakeKeys:
    """Notes what it is told, and emits from a thread, as every listener does."""

    name = "fake"
    limits = ()

    def __init__(self) -> None:
        self.told: list[str] = []

    def start(self, emit) -> None:
        self._emit = emit

    def emit(self, *events) -> None:
        thread = threading.Thread(target=lambda: [self._emit(event) for event in events])
        thread.start()
        thread.join()

    def claim_escape(self, *, claimed: bool) -> None:
        self.told.append("claim" if claimed else "unclaim")

    def replay(self, key: str) -> None:
        self.told.append(f"replay {key}")

    def stop(self) -> None:
        self.told.append("stop")
