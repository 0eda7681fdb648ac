"""Who is let in: the token, and pages and names that are not ours; decided before anything else."""

from __future__ import annotations

import hmac
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import TYPE_CHECKING
from urllib.parse import unquote_to_bytes, urlsplit

from starlette.responses import PlainTextResponse

from capswriter.server.page import FILES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from starlette.types import ASGIApp, Receive, Scope, Send

OPEN_PATHS = frozenset({"/health", "/ready", *FILES})
"""Pages that need no token, and reveal nothing worth one; on ``/test`` it can be entered."""

KEY_SUBPROTOCOL = "openai-insecure-api-key."
"""What OpenAI's clients in browsers put before the token, to offer both as a subprotocol.

It is not as insecure as its name here: that warns of a web page that has an account's key in it.
"""

PORTS = {"http": 80, "https": 443, "ws": 80, "wss": 443}


@dataclass(frozen=True, slots=True)
class Rules:
    """What the settings say about who is let in.

    Args:
        token: what callers have to know; empty where anybody may come.
        host: the address listened on, as the user wrote it.
        loopback_only: whether this computer alone can reach it.
        allowed_origins: ``scheme://host[:port]`` of foreign pages that may use the server; their
            host names also are names of the server, as behind a proxy.
    """

    token: str = field(default="", repr=False)
    host: str = "127.0.0.1"
    loopback_only: bool = True
    allowed_origins: tuple[str, ...] = ()

    def is_ours(self, host: str) -> bool:
        """Tell whether a host name is one of the server's own.

        An attacker can have any other name point to 127.0.0.1, and the browser then takes the
        server for the attacker's. Nobody can do that with an address or with ``localhost``.
        """
        if host == "localhost" or host.endswith(".localhost") or host == self.host.lower():
            return True
        if any(host == urlsplit(origin).hostname for origin in self.allowed_origins):
            return True
        return _is_address(host)


@dataclass(frozen=True, slots=True)
class Caller:
    """What a request says about who sent it.

    Args:
        path: of the request, decoded.
        headers: by lower-case name, every value of each.
        query: what follows the question mark.
        scheme: ``http``, ``https``, ``ws`` or ``wss``.
    """

    path: str
    headers: Mapping[str, Sequence[bytes]]
    query: bytes = b""
    scheme: str = "http"

    def texts(self, name: str) -> list[str]:
        """All values of a header."""
        return [value.decode("latin-1") for value in self.headers.get(name, ())]


@dataclass(frozen=True, slots=True)
class Refusal:
    """An HTTP answer to somebody who is not let in."""

    status: int
    message: str
    headers: Mapping[str, str] = field(default_factory=dict)


def decide(rules: Rules, caller: Caller) -> Refusal | None:
    """Say whether to let a caller in: None, or why not."""
    hosts = caller.texts("host")
    names = [_authority(host, caller.scheme) for host in hosts]
    known = all(name is not None and rules.is_ours(name[0]) for name in names)
    if rules.loopback_only and not known:
        return Refusal(
            421,
            f"{', '.join(hosts)} is no name of this server; behind a proxy, add "
            f"{_page_scheme(caller.scheme)}://{hosts[0]} to allowed_origins",
        )
    own = [name for name in names if known]
    for origin in caller.texts("origin"):
        if origin.lower() not in rules.allowed_origins and _site(origin) not in own:
            return Refusal(
                403, f"pages of {origin} may not use this server; allowed_origins can let them"
            )
    is_page = caller.scheme.startswith("http")  # a WebSocket may have any path
    if rules.token and not (is_page and caller.path in OPEN_PATHS):
        return _without_token(rules.token, caller)
    return None


def _without_token(token: str, caller: Caller) -> Refusal | None:
    shown = _shown(caller)
    challenge = {"WWW-Authenticate": "Bearer"}
    if not shown:
        return Refusal(401, "a token is needed: Authorization: Bearer, or ?token=", challenge)
    if len(shown) > 1 or not hmac.compare_digest(shown[0], token.encode()):
        return Refusal(401, "this is not the token of this server", challenge)
    return None


def _shown(caller: Caller) -> list[bytes]:
    """The tokens a caller shows: as a program in its header, else as a page in what it can set.

    A page can set the subprotocols it offers and the URL, and no header besides.
    """
    bearers = []
    for value in caller.headers.get("authorization", ()):
        scheme, _, token = value.partition(b" ")
        if scheme.lower() == b"bearer":
            bearers.append(token.strip())
    if bearers:
        return bearers
    offered = b",".join(caller.headers.get("sec-websocket-protocol", ())).split(b",")
    prefix = KEY_SUBPROTOCOL.encode()
    keys = [each.strip() for each in offered if each.strip().startswith(prefix)]
    if keys:
        return [key.removeprefix(prefix) for key in keys]
    pairs = [part.partition(b"=") for part in caller.query.split(b"&")]
    return [unquote_to_bytes(value) for name, _, value in pairs if name == b"token"]


def _site(origin: str) -> tuple[str, int] | None:
    """Host and port of an http(s) origin; None for any other, ``null`` among them."""
    scheme, separator, authority = origin.lower().partition("://")
    if not separator or scheme not in {"http", "https"}:
        return None
    return _authority(authority, scheme)


def _authority(text: str, scheme: str) -> tuple[str, int] | None:
    """Take ``host[:port]`` apart; None where it is not that and nothing else."""
    if any(char in text for char in "/?#@\\ ,"):
        return None
    try:
        parts = urlsplit(f"//{text.lower()}")
        port = parts.port
    except ValueError:
        return None
    return (parts.hostname, PORTS[scheme] if port is None else port) if parts.hostname else None


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def _page_scheme(scheme: str) -> str:
    return "https" if scheme in {"https", "wss"} else "http"


class Gate:
    """ASGI middleware that answers those who are not let in, and hides tokens from what follows."""

    def __init__(self, app: ASGIApp, rules: Rules) -> None:
        self._app = app
        self._rules = rules

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or answer 401, 403 or 421."""
        refusal = decide(self._rules, _caller(scope))
        # In place, so that the server's own log lines of the request do not hold it either.
        scope["query_string"] = _without_tokens(scope["query_string"])
        if scope["type"] == "websocket":
            offered = scope["subprotocols"]
            scope["subprotocols"] = [
                each for each in offered if not each.startswith(KEY_SUBPROTOCOL)
            ]
        if refusal is None:
            await self._app(scope, receive, send)
            return
        answer = PlainTextResponse(f"{refusal.message}\n", refusal.status, dict(refusal.headers))
        await answer(scope, receive, send)


def _caller(scope: Scope) -> Caller:
    headers: dict[str, list[bytes]] = {}
    for name, value in scope["headers"]:
        headers.setdefault(name.decode("latin-1").lower(), []).append(value)
    return Caller(scope["path"], headers, scope["query_string"], scope["scheme"])


def _without_tokens(query: bytes) -> bytes:
    parts = query.split(b"&")
    return b"&".join(part for part in parts if part.partition(b"=")[0] != b"token")
