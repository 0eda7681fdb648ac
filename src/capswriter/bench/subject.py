"""What is measured: a model, the server that serves it, and the engine that loads it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from capswriter.bench.bare import LOADER, Loading
from capswriter.models.store import ModelStore

if TYPE_CHECKING:
    from pathlib import Path

AS_RECOGNISED = ("--no-itn", "--no-spacing", "--script", "keep", "--punctuation", "off")
"""The text stays what the engine says, so that it can be compared with that."""

PRIVATE = ("--host", "127.0.0.1", "--port", "0", "--tls-cert", "", "--tls-key", "")


@dataclass(frozen=True, slots=True)
class Subject:
    """A model that is installed.

    Args:
        name: what to call it.
        model: directory, or what else its loader takes.
        loader: see ``bare.Loading``.
    """

    name: str
    model: str
    loader: str = LOADER

    @property
    def loading(self) -> Loading:
        """What a process without a server loads."""
        return Loading(self.model, self.loader)

    def serve(self, *, workers: int, trace: Path) -> list[str]:
        """Give the arguments of Python that start a server for it."""
        asked = ("--model", self.model, "--workers", str(workers), "--trace", str(trace))
        return ["-m", "capswriter", "serve", *PRIVATE, *asked, *AS_RECOGNISED]


def installed(name: str) -> Subject:
    """Find a model by its name in the catalogue, or by its directory.

    Raises:
        UserError: there is none; the message says what to do.
    """
    if name.startswith("funasr:"):
        return Subject(name, name)
    return Subject(name, str(ModelStore().resolve(name)))
