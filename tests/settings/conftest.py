"""A working directory of its own for each test, and a way to fill and load it."""

from __future__ import annotations

from dataclasses import dataclass
from textwrap import dedent
from typing import TYPE_CHECKING, Any

import platformdirs
import pytest

from capswriter.errors import UsageError
from capswriter.settings import ServerConfig, load

if TYPE_CHECKING:
    from pathlib import Path

IMPORT = "from capswriter.settings import ClientConfig, DictationConfig, ServerConfig\n"


@dataclass(frozen=True)
class Place:
    """A working directory and the user's configuration directory."""

    directory: Path
    user: Path

    def config(self, text: str, path: Path | None = None) -> Path:
        path = path or self.directory / "config.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(IMPORT + dedent(text), encoding="utf-8")
        return path

    def dotenv(self, text: str) -> Path:
        path = self.directory / ".env"
        path.write_text(dedent(text), encoding="utf-8")
        return path

    def load(self, config=ServerConfig, flags=None, environment=None, **options) -> Any:
        return load(
            config, flags or {}, environment=environment or {}, directory=self.directory, **options
        )

    def refusal(self, *arguments, **options) -> str:
        with pytest.raises(UsageError) as caught:
            self.load(*arguments, **options)
        said = str(caught.value)
        assert "\n" not in said
        return said


@pytest.fixture
def place(tmp_path, monkeypatch) -> Place:
    place = Place(tmp_path / "work", tmp_path / "user")
    place.directory.mkdir()
    monkeypatch.setattr(platformdirs, "user_config_path", lambda *_, **__: place.user)
    return place
