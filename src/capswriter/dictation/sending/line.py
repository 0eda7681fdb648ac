"""Where a dictation goes: which server answers, and what it speaks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from capswriter.client.errors import NoServer
from capswriter.client.server import Server, find_server
from capswriter.dictation.sending import ours
from capswriter.dictation.sending.errors import Nobody, NotNow, Unreachable
from capswriter.dictation.sending.legacy import LegacyLine
from capswriter.errors import UserError
from capswriter.protocols.capswriter import Dialect

if TYPE_CHECKING:
    from collections.abc import Callable

    from capswriter.dictation.sending.dictation import Dictation
    from capswriter.dictation.sending.own import OwnServer
    from capswriter.dictation.sending.wish import Wish


class Line:
    """The way to whichever server there is.

    Args:
        url: of the server.
        token: that it wants to be shown.
        wish: what is asked of the recogniser.
        own: a server of our own for when that one does not answer; None for none.
    """

    def __init__(self, url: str, token: str | None, wish: Wish, own: OwnServer | None) -> None:
        self._url = url
        self._token = token
        self._wish = wish
        self._own = own
        self._found: Server | None = None  # one of ours, which need not be asked again
        self._legacy = LegacyLine()

    async def dictate(self, dictation: Dictation, on_partial: Callable[[str], None]) -> str:
        """Try once to get the text of a dictation; as ``ours.dictate``."""
        try:
            server = await self._server()
            if server.dialect is Dialect.V2:
                return await ours.dictate(server, dictation, self._wish, on_partial)
            return await self._legacy.dictate(server, dictation, self._wish, on_partial)
        except NotNow as error:
            self._found = None
            if isinstance(error, Nobody) and self._own is not None and self._own.server:
                await self._own.end()
            raise

    async def _server(self) -> Server:
        if self._own is not None and self._own.server is not None:
            return self._own.server
        if self._found is not None:
            return self._found
        try:
            server = await find_server(self._url, token=self._token)
        except NoServer as error:
            raise Nobody(str(error)) from error
        except UserError as error:
            raise Unreachable(str(error)) from error
        if server.dialect is Dialect.V2:
            self._found = server
        return server
