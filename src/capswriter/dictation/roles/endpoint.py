"""Where a language model answers, and the key to it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from capswriter.dictation.roles.errors import NoAnswer

if TYPE_CHECKING:
    from collections.abc import Mapping

PAGE = "/chat/completions"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An OpenAI-compatible endpoint; roles may share one.

    Args:
        base_url: up to what stands before ``/chat/completions``.
        model: as the endpoint calls it.
        key_env: the environment variable that holds the key.
        key_file: a file that holds the key and nothing else; ``~`` is the user's home.
    """

    base_url: str | None = None
    model: str | None = None
    key_env: str | None = None
    key_file: str | None = None

    def or_shared(self, shared: Endpoint) -> Endpoint:
        """Fill in from the shared one; its key goes to its own URL alone."""
        has_key = self.key_env is not None or self.key_file is not None
        keeps = has_key or (self.base_url is not None and self.base_url != shared.base_url)
        return Endpoint(
            self.base_url or shared.base_url,
            self.model or shared.model,
            self.key_env if keeps else shared.key_env,
            self.key_file if keeps else shared.key_file,
        )

    def trouble(self) -> str:
        """Say why nothing can be asked there; empty where something can."""
        if not self.base_url:
            return "no base_url is given, neither here nor for all roles"
        if not self.model:
            return "no model is given, neither here nor for all roles"
        try:
            parts = urlsplit(self.base_url)
            _ = parts.port
        except ValueError:
            return "base_url is no URL"
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            return "base_url begins with http:// or https:// and a host"
        if "@" in parts.netloc or parts.query or parts.fragment:
            return "base_url holds no password and no key: name where the key is in key_file"
        return ""

    @property
    def url(self) -> str:
        """Where to ask."""
        url = (self.base_url or "").rstrip("/")
        return url if url.endswith(PAGE) else url + PAGE

    @property
    def is_local(self) -> bool:
        """Whether it is on this computer, where no proxy is in between."""
        host = urlsplit(self.url).hostname or ""
        try:
            return ip_address(host).is_loopback
        except ValueError:
            return host == "localhost"

    def key(self, environment: Mapping[str, str] = os.environ) -> str | None:
        """Read the key; None where the endpoint wants none.

        Raises:
            NoAnswer: it is not where it should be. The message never holds it.
        """
        if self.key_env is not None and (key := environment.get(self.key_env, "").strip()):
            return _checked(key, f"the environment variable {self.key_env}")
        if self.key_file is not None:
            try:
                text = Path(self.key_file).expanduser().read_text(encoding="utf-8-sig")
            except (OSError, RuntimeError, ValueError) as error:
                why = (error.strerror if isinstance(error, OSError) else "") or "it is no text"
                text = f"the key in {self.key_file} cannot be read: {why}"
                raise NoAnswer(text) from None
            if not text.strip():
                raise NoAnswer(f"{self.key_file} is empty: put the key there")
            return _checked(text.strip(), self.key_file)
        if self.key_env is not None:
            raise NoAnswer(f"the environment variable {self.key_env} is not set: put the key there")
        return None


def _checked(key: str, place: str) -> str:
    if not (key.isascii() and key.isprintable() and " " not in key):
        raise NoAnswer(f"{place} holds more than a key: put the key there and nothing else")
    return key
