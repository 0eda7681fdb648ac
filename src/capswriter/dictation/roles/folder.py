"""The user's roles: a folder of files, and which of them a text is for."""

from __future__ import annotations

import logging
import re
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import platformdirs

from capswriter.dictation.roles.endpoint import Endpoint
from capswriter.dictation.roles.errors import RoleBroken
from capswriter.dictation.roles.role import parse_role
from capswriter.dictation.text.watched import Unreadable, WatchedFile

if TYPE_CHECKING:
    from capswriter.dictation.roles.role import Role

BETWEEN = r"[\s,.:;!?~…—–\-、，。．：；！？·]*"  # noqa: RUF001
"""What may stand before a prefix, and between it and the text."""

NOWHERE = Endpoint()

_log = logging.getLogger(__name__)


def roles_folder() -> Path:
    """Where roles are unless somebody says otherwise: beside the user's own ``config.py``."""
    return Path(platformdirs.user_config_path("capswriter", appauthor=False)) / "roles"


@dataclass(frozen=True, slots=True)
class Match:
    """A text that is for a role.

    Attributes:
        role: which.
        endpoint: where to ask.
        text: what was said, without the prefix.
        plain: what was said.
    """

    role: Role
    endpoint: Endpoint
    text: str
    plain: str


@dataclass(slots=True)
class _File:
    watched: WatchedFile
    role: Role | None = None
    trouble: str = ""


@dataclass(frozen=True, slots=True)
class _Table:
    """What is looked up: the prefixes, the longest first, and the role of texts without one."""

    prefixes: tuple[tuple[re.Pattern[str], Role], ...] = ()
    default: Role | None = None
    warnings: tuple[str, ...] = ()


@dataclass
class Roles:
    """Finds the role of a text, and takes up the folder's files again when they change.

    ``match`` never fails for what the files hold: what cannot be used is named in ``warnings``,
    each once in the log, and the rest works. It may be called from any thread.

    Args:
        folder: of the roles, ``*.toml``; it need not be there yet. None for ``roles_folder()``.
        shared: the endpoint of roles that name none.
    """

    folder: Path | None = None
    shared: Endpoint = NOWHERE
    _files: dict[Path, _File] = field(default_factory=dict, init=False, repr=False)
    _table: _Table = field(default_factory=_Table, init=False, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False, repr=False)

    def __post_init__(self) -> None:
        """Read the files."""
        self.folder = roles_folder() if self.folder is None else self.folder
        with self._lock:
            self._refresh()

    @property
    def warnings(self) -> tuple[str, ...]:
        """What in the folder cannot be used, one line each, with the file's name."""
        return self._table.warnings

    @property
    def names(self) -> tuple[str, ...]:
        """The roles that can be used."""
        return tuple(file.role.name for file in self._files.values() if file.role)

    def match(self, text: str) -> Match | None:
        """Find the role of a text by what it begins with.

        Case does not count, nor does punctuation around the prefix; the longest prefix wins. A
        prefix in letters is a whole word. One that nothing follows is an ordinary text.

        Returns:
            None for a text that is for no role.
        """
        with self._lock:
            self._refresh()
            table = self._table
        for pattern, role in table.prefixes:
            found = pattern.match(text)
            if found and (rest := text[found.end() :].strip()):
                return self._matched(role, rest, text)
        if table.default is not None and text.strip():
            return self._matched(table.default, text.strip(), text)
        return None

    def _matched(self, role: Role, text: str, plain: str) -> Match:
        return Match(role, role.endpoint.or_shared(self.shared), text, plain)

    def _refresh(self) -> None:
        assert self.folder is not None  # noqa: S101
        try:
            paths = sorted(path for path in self.folder.iterdir() if path.suffix == ".toml")
        except OSError:
            paths = []
        changed = list(self._files) != paths
        self._files = {path: self._files.get(path) or _File(WatchedFile(path)) for path in paths}
        for path, file in self._files.items():
            if file.watched.changed():
                changed = True
                self._read(path, file)
        if changed:
            known = self._table.warnings
            self._table = self._looked_up()
            for warning in self._table.warnings:
                if warning not in known:
                    _log.warning("%s", warning)

    def _read(self, path: Path, file: _File) -> None:
        file.role, file.trouble = None, ""
        try:
            role = parse_role(file.watched.lines(), path.stem)
        except (Unreadable, RoleBroken) as error:
            file.trouble = str(error)
            return
        file.trouble = role.endpoint.or_shared(self.shared).trouble()
        file.role = None if file.trouble else role

    def _looked_up(self) -> _Table:
        warnings = [
            f"{path}: {file.trouble}; the role is left out"
            for path, file in self._files.items()
            if file.trouble
        ]
        owners: dict[str, tuple[str, Path, Role]] = {}
        default: tuple[Path, Role] | None = None
        for path, file in self._files.items():
            if file.role is None:
                continue
            for prefix in file.role.prefixes:
                owner = owners.setdefault(prefix.casefold(), (prefix, path, file.role))
                if owner[1] != path:
                    text = f"{path}: the prefix {prefix!r} is that of {owner[1]} already"
                    warnings.append(f"{text}; choose another")
            if file.role.default and default is not None:
                warnings.append(f"{path}: {default[0]} is the default already; only one can be")
            elif file.role.default:
                default = path, file.role
        longest_first = sorted(owners.values(), key=lambda owner: -len(owner[0]))
        return _Table(
            tuple((_pattern(prefix), role) for prefix, _, role in longest_first),
            default[1] if default else None,
            tuple(warnings),
        )


def _pattern(prefix: str) -> re.Pattern[str]:
    words = r"\s+".join(re.escape(word) for word in prefix.split())
    # "polish" is not for "polished", but for "polish这一段".
    border = r"(?![^\W\u2e80-\U0003ffff])" if prefix[-1].isascii() and prefix[-1].isalnum() else ""
    return re.compile(f"{BETWEEN}{words}{border}{BETWEEN}", re.IGNORECASE)
