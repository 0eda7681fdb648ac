"""Settings by flag, environment variable, ``.env``, ``config.py``, default."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Generic, TypeVar

from pydantic import ValidationError

from capswriter.settings.config_file import find, from_config_file
from capswriter.settings.given import Given, shown
from capswriter.settings.refusal import refusal
from capswriter.settings.schema import Config
from capswriter.settings.variables import from_dotenv, from_environment

if TYPE_CHECKING:
    from collections.abc import Mapping

ConfigT = TypeVar("ConfigT", bound=Config)
_NO_FLAGS: Mapping[str, object] = MappingProxyType({})


@dataclass(frozen=True)
class Effective(Generic[ConfigT]):
    """The settings in force, and where each came from.

    Attributes:
        value: the settings.
        origin: for each key where its value came from: ``--port``, ``environment CAPSWRITER_PORT``,
            ``.env:3 PORT``, ``config.py:12`` or ``default``.
        config_file: the ``config.py`` that was read.
        env_file: the ``.env`` that was read.
    """

    value: ConfigT
    origin: Mapping[str, str]
    config_file: Path | None
    env_file: Path | None


def load(
    config: type[ConfigT],
    flags: Mapping[str, object] = _NO_FLAGS,
    *,
    config_file: Path | None = None,
    environment: Mapping[str, str] = os.environ,
    directory: Path | None = None,
) -> Effective[ConfigT]:
    """Read the settings of a section.

    Args:
        config: ``ServerConfig``, ``ClientConfig`` or ``DictationConfig``.
        flags: what the command line gave, by key; ``None``, and the ``()`` that click makes of a
            repeatable flag, mean that it was not given. A refusal calls ``log_level``
            ``--log-level``.
        config_file: what ``--config`` names; without it the file is looked for.
        environment: the environment variables.
        directory: the working directory; the process's own by default.

    Raises:
        UsageError: a key or value is wrong, or a file cannot be read; one line that names it and
            what is allowed.
    """
    directory = Path.cwd() if directory is None else directory
    config_path = find(config_file, environment, directory)
    env_path = _dotenv_beside(config_path, directory)
    given: dict[str, Given] = {}
    if config_path:
        given |= from_config_file(config, config_path, shown(config_path, directory))
    if env_path:
        given |= from_dotenv(config, env_path, shown(env_path, directory))
    given |= from_environment(config, environment)
    given |= _from_flags(flags)
    try:
        value = config(**{key: one.value for key, one in given.items()})
    except ValidationError as error:
        raise refusal(config, error, lambda key: given[key].label) from error
    origin = {key: given[key].origin if key in given else "default" for key in config.model_fields}
    return Effective(value, MappingProxyType(origin), config_path, env_path)


def _dotenv_beside(config_path: Path | None, directory: Path) -> Path | None:
    folders = ([config_path.parent] if config_path else []) + [directory]
    return next((path for folder in folders if (path := folder / ".env").is_file()), None)


def _from_flags(flags: Mapping[str, object]) -> dict[str, Given]:
    given = {}
    for key, value in flags.items():
        if value is not None and value != ():
            flag = f"--{key.replace('_', '-')}"
            given[key] = Given(value, flag, flag)
    return given
