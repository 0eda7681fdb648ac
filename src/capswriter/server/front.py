"""What all doors of the server share."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from typing import TYPE_CHECKING

from capswriter.logs import of_connection
from capswriter.server.allocator import tidy
from capswriter.server.lag import LoopLag
from capswriter.text.finish import Finishing

if TYPE_CHECKING:
    from collections.abc import Iterator

    from capswriter.pool import Recogniser
    from capswriter.sessions import Ears
    from capswriter.settings import ServerConfig

REST = 2.0
"""Seconds without an utterance after which memory is given back."""


class Front:
    """The recogniser, the settings, and who is being served.

    Args:
        config: the settings in force.
        recogniser: started or starting.
        ears: the threads that look at samples.
        model: what to call the model.
    """

    def __init__(
        self, config: ServerConfig, recogniser: Recogniser, ears: Ears, *, model: str
    ) -> None:
        self.config = config
        self.recogniser = recogniser
        self.ears = ears
        self.model = model
        self.finishing = Finishing(config.itn, config.spacing, config.script)
        self.lag = LoopLag()
        self.connections = 0
        self._accepted = 0
        self.draining = False
        self._utterances = 0
        self._quiet = asyncio.Event()
        self._quiet.set()
        self._rest: asyncio.TimerHandle | None = None

    @property
    def is_full(self) -> bool:
        """Whether there is no room for another connection."""
        return self.connections >= self.config.max_connections

    @contextmanager
    def connection(self) -> Iterator[None]:
        """Count a connection while it lasts, and name it in the log."""
        self.connections += 1
        self._accepted += 1
        try:
            with of_connection(f"c{self._accepted}"):
                yield
        finally:
            self.connections -= 1

    @contextmanager
    def utterance(self) -> Iterator[None]:
        """Count an utterance from its first byte until its answer is on its way."""
        self._utterances += 1
        self._quiet.clear()
        if self._rest:
            self._rest.cancel()
        try:
            yield
        finally:
            self._utterances -= 1
            if not self._utterances:
                self._quiet.set()
                loop = asyncio.get_running_loop()
                self._rest = loop.call_later(REST, loop.run_in_executor, None, tidy)

    def close(self) -> None:
        """Leave the memory alone from now on."""
        if self._rest:
            self._rest.cancel()

    async def drain(self) -> None:
        """Accept nothing new, and wait until every utterance has its answer."""
        self.draining = True
        await self._quiet.wait()
