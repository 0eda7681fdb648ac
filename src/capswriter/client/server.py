"""What the client knows of a server: the dialect it speaks, and how it takes files."""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field
from enum import Enum
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import anyio
import httpx

from capswriter.client.errors import NoServer, Refused
from capswriter.protocols.capswriter import Dialect

PROBE_S = 5.0
"""Seconds that a server has to say what it is; one that is up says so at once."""

OUR_NAME = "CapsWriter Server"


class Takes(Enum):
    """How a server that speaks v1 takes a file."""

    UNKNOWN = "unknown"
    FRAMES = "frames"
    WHOLE = "whole"
    """CapsWriter v1.0: every frame is a file of its own."""


@dataclass(slots=True)
class Server:
    """A server, and what has been found out about it; all files of a run share it.

    Args:
        url: where it is, ``ws://`` or ``wss://``.
        token: what it wants to be shown; None for nothing.
        dialect: what to speak.
        takes: how it takes files; v1 alone has to find out.
        offers_binary: whether to offer the subprotocol that CapsWriter's own clients offer.
        alone: held while a v1.0 server has a file: it has one buffer for all its clients.
    """

    url: str
    token: str | None = field(default=None, repr=False)
    dialect: Dialect = Dialect.V1
    takes: Takes = Takes.UNKNOWN
    offers_binary: bool = True
    alone: anyio.Lock = field(default_factory=anyio.Lock)

    @property
    def name(self) -> str:
        """The URL for the eye: without a password."""
        parts = urlsplit(self.url)
        return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))

    @property
    def headers(self) -> dict[str, str]:
        """What every request carries."""
        return {"Authorization": f"Bearer {self.token}"} if self.token else {}

    def locked(self) -> Refused:
        """Say that the token is missing or wrong, and what to do."""
        if self.token:
            return Refused(f"the server at {self.name} does not accept this token")
        return Refused(
            f"the server at {self.name} wants a token: give it with --token, or in "
            "CAPSWRITER_CLIENT_TOKEN"
        )

    def nobody(self) -> NoServer:
        """Say that nobody answers, and what to do."""
        return NoServer(
            f"no server answers at {self.name}; start one with 'capswriter serve', or use --local"
        )


async def find_server(
    url: str,
    *,
    token: str | None = None,
    timeout: float = PROBE_S,  # noqa: ASYNC109  httpx takes one
) -> Server:
    """Ask a server over HTTP what it is, at the URL where its WebSocket is.

    Ours answers with JSON that carries its name. The old ones answer 426, another error, or close
    the connection: they speak v1.

    Args:
        url: ``ws://`` or ``wss://``.
        token: to show it.
        timeout: seconds.

    Raises:
        NoServer: nobody answers.
        Refused: its certificate is not trusted, or it does not accept the token.
    """
    server = Server(url, token)
    parts = urlsplit(url)
    secure = parts.scheme == "wss"
    page = urlunsplit(parts._replace(scheme="https" if secure else "http"))
    verify = ssl.create_default_context() if secure else False  # to load them takes 40 ms
    try:
        async with httpx.AsyncClient(timeout=timeout, trust_env=False, verify=verify) as http:
            reply = await http.get(page, headers=server.headers)
    except (httpx.ConnectError, httpx.ConnectTimeout) as error:
        if "CERTIFICATE_VERIFY_FAILED" in str(error):
            text = f"the certificate of the server at {server.name} is not trusted"
            raise Refused(text) from error
        raise server.nobody() from error
    except (httpx.HTTPError, httpx.InvalidURL):
        return server
    if reply.status_code == httpx.codes.UNAUTHORIZED:
        raise server.locked()
    if _is_ours(reply):
        server.dialect, server.takes = Dialect.V2, Takes.FRAMES
    return server


def _is_ours(reply: httpx.Response) -> bool:
    if not reply.is_success:
        return False
    try:
        says: Any = reply.json()
    except ValueError:
        return False
    return isinstance(says, dict) and says.get("name") == OUR_NAME
