"""A server of our own in the background, from when no other answers until the client ends."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from capswriter.client.local import LocalServerFailed, own_server
from capswriter.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Callable

    from capswriter.client.local import Local
    from capswriter.client.server import Server


class OwnServer:
    """Starts and keeps it.

    Args:
        local: what to start.
        ready: called when it is ready.
        failed: called with one line when it does not get ready.
    """

    def __init__(
        self, local: Local, ready: Callable[[], None], failed: Callable[[str], None]
    ) -> None:
        self.server: Server | None = None
        """Where it is, while it is ready."""
        self.may_start = True
        """Whether to start it when it is wanted: not again while its failure is news."""
        self._local = local
        self._ready = ready
        self._failed = failed
        self._task: asyncio.Task[None] | None = None

    def start(self) -> bool:
        """Start it in the background; tells whether it was not there or on its way already."""
        if not self.may_start or (self._task is not None and not self._task.done()):
            return False
        self.may_start = False
        self._task = asyncio.create_task(self._keep())
        return True

    async def end(self) -> None:
        """End it, and wait until it has."""
        self.server = None
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
            self._task = None

    async def _keep(self) -> None:
        try:
            async with own_server(self._local) as self.server:
                self.may_start = True
                self._ready()
                await asyncio.Event().wait()
        except (LocalServerFailed, UserError, OSError) as error:
            self._failed(str(error))
        finally:
            self.server = None
