"""``config.py``: which one is ours, and what it says."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import TYPE_CHECKING

import platformdirs
from pydantic import ValidationError

from capswriter.errors import UsageError
from capswriter.settings.given import Given
from capswriter.settings.names import CONFIG_VARIABLE
from capswriter.settings.refusal import refusal
from capswriter.settings.schema import CONFIGS

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

    from capswriter.settings.schema import Config

_IMPORTS_CAPSWRITER = re.compile(rb"^\s*(from|import)\s+capswriter\b", re.MULTILINE)


def find(chosen: Path | None, environment: Mapping[str, str], directory: Path) -> Path | None:
    """Find the ``config.py`` in force.

    The one the user names by flag or by ``CAPSWRITER_CONFIG``, else the one in ``directory`` if it
    is ours, else the one in the user's configuration directory.

    Args:
        chosen: what ``--config`` names.
        environment: where ``CAPSWRITER_CONFIG`` is looked up.
        directory: the working directory.

    Raises:
        UsageError: the file the user names is not there.
    """
    for named, by in (
        (chosen, "--config"),
        (environment.get(CONFIG_VARIABLE), f"environment {CONFIG_VARIABLE}"),
    ):
        if named:
            path = directory / Path(named).expanduser()
            if not path.is_file():
                raise UsageError(f"{by}: {named} is not allowed: the path of a config.py")
            return path
    here = directory / "config.py"
    if is_ours(here):
        return here
    own = platformdirs.user_config_path("capswriter", appauthor=False) / "config.py"
    return own if own.is_file() else None


def is_ours(path: Path) -> bool:
    """Tell without running it whether a file imports ``capswriter``.

    Many projects have a ``config.py``; running another one's could do anything.
    """
    try:
        source = path.read_bytes()
        tree = ast.parse(source)
    except OSError:
        return False
    except (SyntaxError, ValueError):
        # A file of ours with a typing error must be complained of, not passed over.
        return _IMPORTS_CAPSWRITER.search(source) is not None
    return any(_package(name) == "capswriter" for node in ast.walk(tree) for name in _imports(node))


def from_config_file(config: type[Config], path: Path, name: str) -> dict[str, Given]:
    """Run a ``config.py`` and read its section for ``config``.

    Args:
        config: whose section.
        path: the file.
        name: what to call it.

    Raises:
        UsageError: it does not run, has no such section, or a key or value in it is wrong.
    """
    tree = _parse(path, name)
    namespace = _run(tree, path, name)
    section = namespace.get(config.section)
    is_misnamed = any(isinstance(value, config) for value in namespace.values())
    if section is None and not config.is_required and not is_misnamed:
        return {}
    line = _assignment(tree, config.section)
    at = f"{name}:{line}" if line else name
    wanted = f"{config.section} = {config.__name__}(...)"
    if section is None:
        raise UsageError(f"{at}: {config.section} is missing; allowed: {wanted}")
    if not isinstance(section, config):
        kind = section.__name__ if isinstance(section, type) else f"a {type(section).__name__}"
        raise UsageError(f"{at}: {config.section} is {kind}; allowed: {wanted}")
    given = {}
    for key in config.model_fields:
        if key in section.model_fields_set:
            origin = f"{name}:{_keyword(tree, key, line)}" if line else name
            given[key] = Given(getattr(section, key), origin, f"{origin}: {key}")
    return given


def _parse(path: Path, name: str) -> ast.Module:
    try:
        return ast.parse(path.read_bytes(), filename=str(path))
    except SyntaxError as error:
        raise UsageError(f"{name}:{error.lineno or 1}: SyntaxError: {error.msg}") from error
    except (OSError, ValueError) as error:
        raise UsageError(f"{name}:1: not readable as Python: {error}") from error


def _run(tree: ast.Module, path: Path, name: str) -> dict[str, object]:
    namespace: dict[str, object] = {"__name__": "capswriter_config", "__file__": str(path)}
    try:
        exec(compile(tree, str(path), "exec"), namespace)  # noqa: S102  that is what config.py is for
    except ValidationError as error:
        config = next((config for config in CONFIGS if config.__name__ == error.title), None)
        line = _last_line(error.__traceback__, path)
        if config is None:
            raise _failure(error, name, line) from error
        raise refusal(
            config, error, lambda key: f"{name}:{_keyword(tree, key, line)}: {key}"
        ) from error
    except SyntaxError as error:  # the few that only compiling finds
        raise UsageError(f"{name}:{error.lineno or 1}: SyntaxError: {error.msg}") from error
    except (Exception, SystemExit) as error:
        raise _failure(error, name, _last_line(error.__traceback__, path)) from error
    return namespace


def _failure(error: BaseException, name: str, line: int) -> UsageError:
    said = " ".join(str(error).split())
    return UsageError(f"{name}:{line}: {type(error).__name__}: {said}".removesuffix(": "))


def _last_line(trace: TracebackType | None, path: Path) -> int:
    line = 1
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == str(path):
            line = trace.tb_lineno
        trace = trace.tb_next
    return line


def _imports(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom) and node.module and not node.level:
        return [node.module]
    return []


def _package(module: str) -> str:
    return module.partition(".")[0]


def _assignment(tree: ast.Module, section: str) -> int | None:
    """Tell the line of the last ``section = ...`` at the top level, the one in force."""
    for node in reversed(tree.body):
        targets = (
            node.targets
            if isinstance(node, ast.Assign)
            else [node.target]
            if isinstance(node, ast.AnnAssign)
            else []
        )
        if any(isinstance(target, ast.Name) and target.id == section for target in targets):
            return node.lineno
    return None


def _keyword(tree: ast.Module, key: str, line: int) -> int:
    """Tell the line of ``key=`` in the call that ``line`` is part of, or ``line`` itself."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and node.lineno <= line <= (node.end_lineno or line):
            for keyword in node.keywords:
                if keyword.arg == key:
                    return keyword.lineno
    return line
