"""A real Chromium whose microphone is a recording; what it complains of and asks for is kept."""

from __future__ import annotations

import shutil
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page, Playwright, WebSocket

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FAKE_UI = "--use-fake-ui-for-media-stream"


@dataclass
class Visit:
    """A page, and what came of it."""

    page: Page
    complaints: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    """Text messages to the server."""

    def __getattr__(self, name: str):
        return getattr(self.page, name)

    def follow(self, socket: WebSocket) -> None:
        self.asked.append(socket.url)
        socket.on("framesent", lambda sent: isinstance(sent, str) and self.said.append(sent))

    def text(self, selector: str) -> str:
        return self.page.locator(selector).inner_text()

    def wait(self, selector: str, text: str = "", seconds: float = 30) -> None:
        found = self.page.locator(selector, has_text=text) if text else self.page.locator(selector)
        found.first.wait_for(timeout=1000 * seconds)

    def has(self, selector: str) -> bool:
        return self.page.locator(selector).count() > 0


def find_chromium() -> str:
    """Find the browser, or skip the test."""
    found = next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        pytest.skip(f"no browser: none of {', '.join(NAMES)} is installed (apt has chromium)")
    return found


@contextmanager
def chromium(playwright: Playwright, *, microphone: Path | None = None, allow: bool = True):
    """Run the browser.

    Args:
        playwright: which runs it.
        microphone: a WAV that is heard again and again; None where there is no microphone.
        allow: what the user says when asked for the microphone.
    """
    arguments = [FAKE_UI if allow else f"{FAKE_UI}=deny"]
    if microphone:
        arguments.append("--use-fake-device-for-media-stream")
        arguments.append(f"--use-file-for-fake-audio-capture={microphone}")
    browser = playwright.chromium.launch(executable_path=find_chromium(), args=arguments)
    try:
        yield browser
    finally:
        browser.close()


@contextmanager
def visiting(browser: Browser, url: str, *, context: BrowserContext | None = None, **options):
    """Open a page in a fresh profile, with ``options`` for it."""
    context = context or browser.new_context(**{"locale": "en-GB", **options})
    try:
        visit = Visit(context.new_page())
        visit.page.on(
            "console",
            lambda line: line.type in {"error", "warning"} and visit.complaints.append(line.text),
        )
        visit.page.on("pageerror", lambda error: visit.complaints.append(str(error)))
        visit.page.on("request", lambda request: visit.asked.append(request.url))
        visit.page.on("websocket", visit.follow)
        visit.page.goto(url)
        yield visit
    finally:
        context.close()
