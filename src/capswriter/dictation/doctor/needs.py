"""What is examined, as the settings have it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import platformdirs

from capswriter.dictation.keys.choose import Backend
from capswriter.dictation.roles import Endpoint, roles_folder


def _configured(name: str) -> Path:
    return Path(platformdirs.user_config_path("capswriter", appauthor=False)) / name


@dataclass(frozen=True, slots=True)
class Needs:
    """What dictation is to work with.

    Args:
        keys: of the shortcuts.
        backend: how keys are listened to.
        microphone: a name or a part of it, or an index; None for the system's default.
        server: its URL.
        token: that it wants.
        starts_server: whether dictation starts one by itself where none answers.
        model: that a server on this computer loads.
        model_dir: where its models are; None for the default.
        way: how text leaves, one of ``output.Way``.
        hotwords, rules: the files of corrections; None for none.
        roles: the folder of roles; None for none.
        shared: the endpoint of roles that name none.
        folder: where dictations are kept; None for the journal's own.
    """

    keys: tuple[str, ...] = ("caps_lock",)
    backend: Backend = Backend.AUTO
    microphone: str | int | None = None
    server: str = "ws://127.0.0.1:6016"
    token: str | None = field(default=None, repr=False)
    starts_server: bool = False
    model: str = "auto"
    model_dir: Path | None = None
    way: str = "type"
    hotwords: Path | None = field(default_factory=lambda: _configured("hot.txt"))
    rules: Path | None = field(default_factory=lambda: _configured("hot-rule.txt"))
    roles: Path | None = field(default_factory=roles_folder)
    shared: Endpoint = field(default_factory=Endpoint)
    folder: Path | None = None

    @property
    def serves_itself(self) -> bool:
        """Whether the server is, or would be, on this computer."""
        host = urlsplit(self.server).hostname
        return self.starts_server or host in {"localhost", "127.0.0.1", "::1"}
