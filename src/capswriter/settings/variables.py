"""Settings from environment variables and from ``.env``; an empty value counts as not given."""

from __future__ import annotations

from io import StringIO
from typing import TYPE_CHECKING

from dotenv import dotenv_values
from dotenv.parser import parse_stream

from capswriter.errors import UsageError
from capswriter.settings.given import Given
from capswriter.settings.names import (
    CONFIG_VARIABLE,
    PREFIX,
    TEST_PREFIX,
    UNPREFIXED,
    every_variable,
    variables,
)
from capswriter.settings.refusal import unknown
from capswriter.settings.schema import ServerConfig

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from capswriter.settings.schema import Config


def from_environment(config: type[Config], environment: Mapping[str, str]) -> dict[str, Given]:
    """Read the keys of ``config`` from the environment.

    Raises:
        UsageError: a ``CAPSWRITER_*`` name is no setting.
    """
    for name in environment:
        if name != CONFIG_VARIABLE:
            _check_name(name, f"environment {name}")
    return {
        key: Given(environment[name], f"environment {name}", f"environment {name}")
        for name, key in variables(config).items()
        if environment.get(name)
    }


def from_dotenv(config: type[Config], path: Path, name: str) -> dict[str, Given]:
    """Read the keys of ``config`` from a ``.env``, where the server's may go without prefix.

    Args:
        config: whose keys.
        path: the file.
        name: what to call it.

    Raises:
        UsageError: the file is unreadable, or a ``CAPSWRITER_*`` name in it is no setting.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")  # Windows' Notepad may begin it with a BOM
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{name}: not readable as UTF-8 text: {error}") from error
    lines, sound = _lines(text, name)
    for variable, line in lines.items():
        if variable == CONFIG_VARIABLE:
            raise UsageError(
                f"{name}:{line} {variable} is allowed in the environment only: "
                ".env is looked for beside the config.py that it names"
            )
        _check_name(variable, f"{name}:{line} {variable}")
    written = dotenv_values(stream=StringIO(sound))
    keys = variables(config)
    if config is ServerConfig:  # the later entry wins below: last of all the prefixed names
        keys = {**{name: UNPREFIXED[name] for name in reversed(UNPREFIXED)}, **keys}
    given = {}
    for variable, key in keys.items():
        if value := written.get(variable):
            origin = f"{name}:{lines[variable]} {variable}"
            given[key] = Given(value, origin, origin)
    return given


def _lines(text: str, name: str) -> tuple[dict[str, int], str]:
    """Tell the line of each name, and leave out of the text what makes no sense.

    Of a name that occurs twice, it is the last line, the one in force. A line without sense is
    another program's affair unless it speaks of a setting of ours; python-dotenv would warn of it.
    """
    lines = {}
    sound = []
    for binding in parse_stream(StringIO(text)):
        source = binding.original.string
        blank = source[: len(source) - len(source.lstrip())].count("\n")
        line = binding.original.line + blank
        if binding.error:
            if PREFIX in source:
                raise UsageError(f"{name}:{line}: {source.strip()!r} is not allowed: NAME=value")
            continue
        sound.append(source)
        if binding.key is not None:
            lines[binding.key] = line
    return lines, "".join(sound)


def _check_name(name: str, label: str) -> None:
    if not name.startswith(PREFIX) or name.startswith(TEST_PREFIX):
        return
    known = every_variable()
    if name not in known:
        raise unknown(label, name, known)
