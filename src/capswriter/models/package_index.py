"""Find wheels on the Python package index that this installation uses.

The simple repository API: JSON as in PEP 691, else HTML as in PEP 503.
"""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from html.parser import HTMLParser
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, unquote, urldefrag, urljoin, urlsplit

from capswriter.models.download import SourceFailed, get_page

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx

PYPI = "https://pypi.org/simple"
ACCEPT = "application/vnd.pypi.simple.v1+json, text/html;q=0.1"


@dataclass(frozen=True, slots=True)
class Wheel:
    """A wheel that an index offers; ``size`` (bytes) and ``sha256`` where the index tells them."""

    filename: str
    url: str
    size: int | None
    sha256: str | None


def indexes() -> tuple[str, ...]:
    """List the indexes to ask: the one that pip or uv is told to use, then PyPI."""
    configured = (
        os.environ.get("PIP_INDEX_URL")
        or os.environ.get("UV_DEFAULT_INDEX", "").rpartition("=")[2]
        or os.environ.get("UV_INDEX_URL")
        or _index_of_pip()
    )
    urls = (configured, PYPI) if configured else (PYPI,)
    return tuple(dict.fromkeys(url.rstrip("/") for url in urls))


def find_wheel(client: httpx.Client, index: str, project: str, version: str) -> Wheel:
    """Find the wheel of a release.

    Args:
        client: from ``download.connect``.
        index: base URL of the simple API, without a slash at its end.
        project: the project's name.
        version: the release, as in the wheel's file name.

    Raises:
        SourceFailed: the index does not answer, or has no such wheel.
    """
    response = get_page(client, f"{index}/{_normalised(project)}/", accept=ACCEPT)
    try:
        listed = _from_json if "json" in response.headers.get("Content-Type", "") else _from_html
        for wheel in listed(response):
            name, found, *tags = wheel.filename.split("-")
            if tags and (_normalised(name), found) == (_normalised(project), version):
                return wheel
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        raise SourceFailed(f"its page of {project} cannot be understood") from error
    raise SourceFailed(f"has no wheel of {project} {version}")


def _from_json(response: httpx.Response) -> Iterator[Wheel]:
    for file in response.json()["files"]:
        if file["filename"].endswith(".whl"):
            url = urljoin(str(response.url), file["url"])
            yield Wheel(file["filename"], url, file.get("size"), file["hashes"].get("sha256"))


def _from_html(response: httpx.Response) -> Iterator[Wheel]:
    links = _Links()
    links.feed(response.text)
    for link in links.found:
        url, fragment = urldefrag(urljoin(str(response.url), link))
        filename = unquote(urlsplit(url).path.rpartition("/")[2])
        if filename.endswith(".whl"):
            yield Wheel(filename, url, None, parse_qs(fragment).get("sha256", [None])[0])


class _Links(HTMLParser):
    """Collects the address of every link of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        address = dict(attrs).get("href")
        if tag == "a" and address:
            self.found.append(address)


def _normalised(project: str) -> str:
    return re.sub(r"[-_.]+", "-", project).lower()  # PEP 503


def _index_of_pip() -> str | None:
    if importlib.util.find_spec("pip") is None:
        return None
    # Not ``pip config get``: it reads the user's file only, not the system's.
    command = [sys.executable, "-m", "pip", "config", "list"]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)  # noqa: S603
    except (OSError, subprocess.TimeoutExpired):
        return None
    setting = re.search(r"^global\.index-url='(.+)'$", answer.stdout, re.MULTILINE)
    return setting[1] if setting else None
