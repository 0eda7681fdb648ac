"""Download one file over HTTP: resume it, check it, and say in a few words why it cannot be had."""

from __future__ import annotations

import os
import re
import ssl
import time
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING

import httpx

from capswriter import __version__
from capswriter.errors import UserError
from capswriter.models.checked import BLOCK, WrongBytes, part_of, publish

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from capswriter.models.progress import Progress

ATTEMPTS = 4
"""Connections in a row without a new megabyte, after which a source is given up."""

PAUSE = 0.5
"""Seconds before the second attempt; doubled before each one after it."""

TIMEOUT = httpx.Timeout(30, connect=5)
"""Seconds; an unreachable hub is left quickly, a slow one is not."""

CERTIFICATE_VARIABLES = ("SSL_CERT_FILE", "PIP_CERT", "REQUESTS_CA_BUNDLE")

PASSING = frozenset(
    {
        HTTPStatus.REQUEST_TIMEOUT,
        HTTPStatus.TOO_MANY_REQUESTS,
        HTTPStatus.INTERNAL_SERVER_ERROR,
        HTTPStatus.BAD_GATEWAY,
        HTTPStatus.SERVICE_UNAVAILABLE,
        HTTPStatus.GATEWAY_TIMEOUT,
    }
)
"""Statuses that may be gone a second later."""


PAGES = frozenset({"text/html", "application/json"})
"""Types of pages; ModelScope answers 200 and a page of JSON where there is no such file."""


class SourceFailed(Exception):
    """This source does not give the file; the message is the reason in a few words."""


class _Interrupted(Exception):
    """Worth another attempt at the same source."""


class _Unreachable(_Interrupted):
    """There was no connection at all."""


def connect() -> httpx.Client:
    """Open a client that honours the environment's proxies and the system's certificates.

    Raises:
        UserError: a proxy or certificate variable cannot be used.
    """
    try:
        return httpx.Client(
            verify=_certificates(),
            follow_redirects=True,
            timeout=TIMEOUT,
            # Ranges and sizes count the bytes of the file, not those of a compressed copy.
            headers={"Accept-Encoding": "identity", "User-Agent": f"capswriter/{__version__}"},
        )
    except (ImportError, ValueError, httpx.InvalidURL) as error:
        first = str(error).splitlines()[0]
        raise UserError(
            f"the proxy in HTTP_PROXY, HTTPS_PROXY or ALL_PROXY cannot be used ({first}):"
            " set it to an http:// address"
        ) from error


def get_page(
    client: httpx.Client, url: str, *, accept: str, pause: float = PAUSE
) -> httpx.Response:
    """Fetch a small document.

    Args:
        client: from ``connect``.
        url: of the document.
        accept: the media types wanted, as an ``Accept`` header.
        pause: seconds before the second attempt.

    Raises:
        SourceFailed: it cannot be had.
    """
    for attempt in range(ATTEMPTS):
        try:
            with _translated_errors():
                response = client.get(url, headers={"Accept": accept})
                _check_status(response)
                return response
        except _Interrupted as error:
            if isinstance(error, _Unreachable) or attempt == ATTEMPTS - 1:
                raise SourceFailed(str(error)) from error
            time.sleep(pause * 2**attempt)
    raise AssertionError("unreachable")


def download(
    client: httpx.Client,
    url: str,
    target: Path,
    *,
    size: int | None,
    sha256: str | None,
    progress: Progress,
    pause: float = PAUSE,
) -> None:
    """Download ``url`` to ``target``, continuing what an earlier attempt or process left.

    Args:
        client: from ``connect``.
        url: of the file.
        target: the final name, which the file gets only when it is whole and its hash is right.
        size: bytes; ``None`` where that is not published.
        sha256: hexadecimal; ``None`` where that is not published.
        progress: called with the target's name for every block.
        pause: seconds before the second attempt.

    Raises:
        SourceFailed: this URL does not give the file. What arrived is kept for the next attempt,
            unless its bytes were wrong.
        OSError: the disk refused.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    part = part_of(target)
    furthest = _length(part)
    failures = 0
    reached = False
    restarted = False
    while True:
        resumed = _length(part) > 0
        try:
            if size is None or _length(part) < size:
                _receive(client, url, part, size, lambda done: progress(target.name, done, size))
            publish(target, size=size, sha256=sha256)
            return
        except WrongBytes:
            # What was resumed may have begun as another file; only a download in one go proves
            # that the source itself is wrong.
            if restarted or not resumed:
                raise SourceFailed("sent other bytes than the published ones") from None
            restarted = True
            furthest = failures = 0
        except _Interrupted as error:
            if isinstance(error, _Unreachable) and not reached:
                raise SourceFailed(str(error)) from error
            reached = True
            gained = _length(part) - furthest
            furthest = max(furthest, _length(part))
            failures = 0 if gained >= BLOCK else failures + 1
            if failures == ATTEMPTS:
                raise SourceFailed(str(error)) from error
            time.sleep(pause * 2 ** max(0, failures - 1))


def _receive(
    client: httpx.Client,
    url: str,
    part: Path,
    size: int | None,
    progress: Callable[[int], None],
) -> None:
    done = _length(part)
    headers = {"Range": f"bytes={done}-"} if done else {}
    with _translated_errors(), client.stream("GET", url, headers=headers) as response:
        if response.status_code == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            part.unlink(missing_ok=True)
            raise _Interrupted("refused to resume")
        _check_status(response)
        if response.status_code == HTTPStatus.OK:
            if size is not None and _is_page(response, part, size):
                raise SourceFailed("sent a page instead of the file")
            done = 0  # a server may ignore Range
        elif _range_start(response) != done:
            part.unlink(missing_ok=True)
            raise _Interrupted("resumed at the wrong place")
        with part.open("ab" if done else "wb") as file:
            progress(done)
            for block in response.iter_bytes():
                wanted = block if size is None else block[: size - done]
                file.write(wanted)
                done += len(wanted)
                progress(done)
                if done == size:
                    return  # whatever else it sends is not ours: the hash decides
    if size is not None:
        if headers and response.status_code == HTTPStatus.OK:
            # It cannot resume, and might tell the length of the rest as that of the whole.
            part.unlink()
        raise _Interrupted(f"sent only {done} of {size} bytes")


def _check_status(response: httpx.Response) -> None:
    if response.status_code in PASSING:
        raise _Interrupted(f"HTTP {response.status_code}")
    if response.status_code not in (HTTPStatus.OK, HTTPStatus.PARTIAL_CONTENT):
        raise SourceFailed(f"HTTP {response.status_code}")


def _is_page(response: httpx.Response, part: Path, size: int) -> bool:
    """Tell a page that says why there is no file, such as a login's, from the file."""
    media_type = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    length = response.headers.get("Content-Length")
    return media_type in PAGES and ".json" not in part.suffixes and length != str(size)


def _range_start(response: httpx.Response) -> int | None:
    match = re.match(r"bytes (\d+)-", response.headers.get("Content-Range", ""))
    return int(match[1]) if match else None


def _length(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


@contextmanager
def _translated_errors() -> Iterator[None]:
    try:
        yield
    except (httpx.ConnectError, httpx.ConnectTimeout, httpx.ProxyError) as error:
        raise _Unreachable(f"no connection ({_words(error)})") from error
    except (httpx.UnsupportedProtocol, httpx.InvalidURL) as error:
        raise SourceFailed(f"not a usable address ({_words(error)})") from error
    except httpx.TransportError as error:
        raise _Interrupted(f"the connection broke ({_words(error)})") from error
    except httpx.RequestError as error:
        raise SourceFailed(_words(error)) from error


def _words(error: Exception) -> str:
    words = " ".join(str(error).split()) or type(error).__name__
    if "CERTIFICATE_VERIFY_FAILED" in words:
        return (
            "its certificate is not trusted; SSL_CERT_FILE may name a file with your network's own"
        )
    return words


def _certificates() -> ssl.SSLContext:
    # httpx alone trusts only the list that certifi ships; a company that reads TLS traffic puts its
    # own certificate into the system's store. Some systems have no store, so both are used.
    context = httpx.create_ssl_context(trust_env=False)
    context.load_default_certs()
    for variable in CERTIFICATE_VARIABLES:
        if path := os.environ.get(variable):
            try:
                if Path(path).is_dir():
                    context.load_verify_locations(capath=path)
                else:
                    context.load_verify_locations(cafile=path)
            except OSError as error:
                raise UserError(
                    f"{variable} names {path}, which holds no certificates that can be read:"
                    " correct the variable or unset it"
                ) from error
    # Python 3.13 began to refuse certificates without a key identifier, as many companies' are.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    return context
