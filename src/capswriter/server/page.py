"""``GET /test``: the page that talks to the server, served as it lies in ``page/``.

The page holds no secret and is the place where a token is entered, so it is let in without one.
Everything it then asks for needs the token. No byte of it comes from anywhere else, and the
browser is told to see to that.
"""

from __future__ import annotations

import hashlib
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from starlette.responses import Response
from starlette.routing import Route

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.requests import Request

FOLDER = Path(__file__).with_name("page")

TYPES: Mapping[str, str] = {
    ".css": "text/css",
    ".html": "text/html",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
}

HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Permissions-Policy": "microphone=(self), camera=(), geolocation=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-cache",  # after an upgrade, the old page would meet the new server
}

FILES: Mapping[str, Path] = {
    "/test" if path.name == "page.html" else f"/test/{path.name}": path
    for path in sorted(FOLDER.iterdir())
    if path.suffix in TYPES
}
"""Which path leads to which file."""


def page_routes() -> list[Route]:
    """Make the routes of the page and of what it loads."""
    return [Route(path, partial(_serve, file)) for path, file in FILES.items()]


def _serve(file: Path, request: Request) -> Response:
    content = file.read_bytes()  # not kept: few ask for it
    tag = f'"{hashlib.sha256(content).hexdigest()[:16]}"'
    headers = {**HEADERS, "ETag": tag}
    if request.headers.get("If-None-Match") == tag:
        return Response(status_code=304, headers=headers)
    return Response(content, headers=headers, media_type=TYPES[file.suffix])
