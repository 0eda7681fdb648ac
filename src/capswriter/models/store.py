"""The local store: models on this machine's disk, each file the published one."""

from __future__ import annotations

import errno
import json
import os
import shutil
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import filelock
import platformdirs

from capswriter.errors import UsageError, UserError
from capswriter.models import catalogue
from capswriter.models.checked import sha256_of, write_atomically
from capswriter.models.errors import ModelCorrupt, ModelMissing, StoreUnusable
from capswriter.models.progress import Progress, silent

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from capswriter.models.catalogue import ModelFile, ModelSpec

STAMP = ".verified.json"
"""The file in a model's directory that says which files were hashed, and how they looked then."""

WAITING = "waiting for another process"

Status = Literal["absent", "incomplete", "corrupt", "installed"]


@dataclass(frozen=True, slots=True)
class _Seen:
    """How a file looked when its hash was found right."""

    size: int
    mtime_ns: int
    sha256: str


NEVER = 0
"""Stands for the time of a file that is to be hashed, whatever it looks like."""


@dataclass(frozen=True, slots=True)
class _Findings:
    """What is the matter with a model; each file with all that is known of its bytes."""

    missing: tuple[ModelFile, ...]
    wrong: tuple[ModelFile, ...]


class ModelStore:
    """The models on this machine.

    Several processes may use one store; each file is replaced atomically, and only one process at a
    time downloads or removes a model.

    Args:
        directory: where models lie; by default ``CAPSWRITER_MODEL_DIR``, else ``capswriter/models``
            in the user's data directory.
        models: the catalogue; the shipped one by default.
    """

    def __init__(
        self, directory: Path | None = None, *, models: Mapping[str, ModelSpec] | None = None
    ) -> None:
        self.directory = default_directory() if directory is None else directory
        self.models = catalogue.load() if models is None else models

    def path(self, name: str) -> Path:
        """Return the directory of a model that is ready to load.

        Files that look as they did when they were last hashed are trusted, so this takes no time
        after the first call; any others are hashed again.

        Raises:
            UsageError: the catalogue has no such model.
            ModelMissing: it, or a part of it, is not here.
            ModelCorrupt: a file is not the published one.
            StoreUnusable: it cannot be read.
        """
        return self._ready(name, trust_stamp=True)

    def resolve(self, name_or_directory: str) -> Path:
        """Return the directory of a model that is given by its name or by its directory.

        A name of the catalogue is taken for that, even where a directory is called the same:
        ``./name`` is the directory. A directory of the user's own is not checked.

        Args:
            name_or_directory: a name of the catalogue, or a directory; ``~`` is the user's home.

        Raises:
            UsageError: it is neither.
            ModelMissing, ModelCorrupt, StoreUnusable: as ``path`` raises them.
        """
        if name_or_directory in self.models:
            return self.path(name_or_directory)
        with suppress(OSError, RuntimeError):  # not ours to look at; the home of nobody
            directory = Path(name_or_directory).expanduser()
            if name_or_directory and directory.is_dir():
                return directory.resolve()
        if any(separator in name_or_directory for separator in (os.sep, "/")):
            raise UsageError(f"there is no directory {name_or_directory}")
        known = ", ".join(sorted(self.models))
        raise UsageError(
            f"there is no model and no directory {name_or_directory!r}; the models are: {known}"
        )

    def verify(self, name: str) -> Path:
        """Hash every file of a model and return its directory; raises what ``path`` raises."""
        return self._ready(name, trust_stamp=False)

    def status(self, name: str) -> Status:
        """Tell whether a model is here, hashing only what changed since it was last hashed.

        Raises:
            UsageError: the catalogue has no such model.
            StoreUnusable: it cannot be read.
        """
        spec = catalogue.find(name, self.models)
        with self._usable("read"):
            findings = self._examine(spec)
        if findings.wrong:
            return "corrupt"
        if len(findings.missing) == len(spec.files):
            return "absent"
        return "incomplete" if findings.missing else "installed"

    def installed(self) -> list[str]:
        """Name the models of which every file is here, sound or not, in the catalogue's order."""
        with self._usable("read"):
            return [name for name, spec in self.models.items() if self._complete(spec)]

    def pull(self, name: str, progress: Progress = silent) -> Path:
        """Make a model ready, downloading what is missing or corrupt, and return its directory.

        Does nothing where it is ready already. A download that was cut short goes on where it
        stopped. Processes that pull the same model wait for the first. Blocks for as long as that
        takes: call it in a thread where an event loop runs.

        Args:
            name: as in the catalogue.
            progress: told how far each file is.

        Raises:
            UsageError: the catalogue has no such model.
            DownloadFailed: no source gave it.
            StoreUnusable: the disk is full, or the directory may not be written.
            UserError: a proxy or certificate variable cannot be used.
        """
        spec = catalogue.find(name, self.models)
        directory = self.directory / name
        with self._usable("write"):
            if self._bad_files(spec):
                with self._locked(name, progress):
                    # Another process may have mended it while this one waited.
                    if bad := self._bad_files(spec):
                        # Only downloads need httpx, and worker processes need not load it.
                        from capswriter.models import sources  # noqa: PLC0415

                        for file in sources.fetch(spec, bad, directory, progress):
                            _record(directory, file)
        return directory

    def remove(self, name: str) -> None:
        """Delete a model, half a download and whatever was prepared from it.

        Raises:
            UsageError: the catalogue has no such model.
            UserError: nothing of it is here.
            StoreUnusable: it may not be deleted.
        """
        catalogue.find(name, self.models)
        directory = self.directory / name
        with self._usable("write"):
            if not directory.exists():
                raise UserError(f"{name} is not in {self.directory}: there is nothing to remove")
            with self._locked(name, silent):
                shutil.rmtree(directory)

    def _ready(self, name: str, *, trust_stamp: bool) -> Path:
        spec = catalogue.find(name, self.models)
        with self._usable("read"):
            findings = self._examine(spec, trust_stamp=trust_stamp)
        mend = f"run: capswriter models pull {name}"
        if findings.wrong:
            names = ", ".join(file.path for file in findings.wrong)
            raise ModelCorrupt(f"{name} is corrupt ({names} in {self.directory / name}); {mend}")
        if len(findings.missing) == len(spec.files):
            raise ModelMissing(f"{name} is not in {self.directory}; {mend}")
        if findings.missing:
            names = ", ".join(file.path for file in findings.missing)
            raise ModelMissing(f"{name} lacks {names} in {self.directory / name}; {mend}")
        return self.directory / name

    def _bad_files(self, spec: ModelSpec) -> tuple[ModelFile, ...]:
        findings = self._examine(spec)
        return findings.wrong + findings.missing

    def _examine(self, spec: ModelSpec, *, trust_stamp: bool = True) -> _Findings:
        directory = self.directory / spec.name
        stamp = _read_stamp(directory)
        missing, wrong, seen = [], [], {}
        for published in spec.files:
            file = _known(published, stamp)
            path = directory / file.path
            before = stamp.get(file.path) if trust_stamp else None
            # Before hashing: should a file change meanwhile, its new time will not match the stamp.
            look = _look(path)
            if look is None:
                missing.append(file)
            elif sound := _sound(path, file, look, before):
                seen[file.path] = sound
            else:
                wrong.append(file)
            if file.path not in seen and file.pinned and not published.pinned:
                # Else what is corrupt now would count as right the next time.
                seen[file.path] = _Seen(file.size or 0, NEVER, file.sha256 or "")
        if seen != stamp:
            with suppress(OSError):  # a store that is shared read-only is hashed every time
                _write_stamp(directory, seen)
        return _Findings(tuple(missing), tuple(wrong))

    def _complete(self, spec: ModelSpec) -> bool:
        return all((self.directory / spec.name / file.path).is_file() for file in spec.files)

    @contextmanager
    def _locked(self, name: str, progress: Progress) -> Iterator[None]:
        self.directory.mkdir(parents=True, exist_ok=True)
        lock = filelock.FileLock(self.directory / f".{name}.lock")
        while True:
            try:
                lock.acquire(timeout=0.5, poll_interval=0.05)
                break
            except filelock.Timeout:
                progress(WAITING, 0, None)
        try:
            yield
        finally:
            lock.release()

    @contextmanager
    def _usable(self, purpose: Literal["read", "write"]) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            place = error.filename or self.directory
            what = f"cannot {purpose} {place}: {error.strerror or error}"
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise StoreUnusable(
                    f"{what}; free some space or set CAPSWRITER_MODEL_DIR to a larger disk"
                ) from error
            raise StoreUnusable(
                f"{what}; mend its permissions or set CAPSWRITER_MODEL_DIR to another directory"
            ) from error


def default_directory() -> Path:
    """Tell where models lie: ``CAPSWRITER_MODEL_DIR``, else in the user's data directory."""
    if chosen := os.environ.get("CAPSWRITER_MODEL_DIR"):
        return Path(chosen).expanduser().absolute()
    return platformdirs.user_data_path("capswriter", appauthor=False) / "models"


def _known(file: ModelFile, stamp: Mapping[str, _Seen]) -> ModelFile:
    """Add what was recorded of a file to what the catalogue says of it."""
    seen = stamp.get(file.path)
    if file.pinned or seen is None:
        return file
    return replace(
        file,
        size=seen.size if file.size is None else file.size,
        sha256=seen.sha256 if file.sha256 is None else file.sha256,
    )


def _look(path: Path) -> tuple[int, int] | None:
    """Tell the size of a file and the time of its last change; ``None`` where there is none."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_size, found.st_mtime_ns


def _sound(
    path: Path, file: ModelFile, look: tuple[int, int], before: _Seen | None
) -> _Seen | None:
    """Tell how a file looks; ``None`` where it is not the published one.

    Where nothing tells what its bytes should be, those that lie there count.
    """
    if before is not None and before == _Seen(*look, file.sha256 or ""):
        return before
    if file.size not in (None, look[0]):
        return None
    found = sha256_of(path)
    return _Seen(*look, found) if file.sha256 in (None, found) else None


def _record(directory: Path, file: ModelFile) -> None:
    """Note that a file was just found to be what ``file`` says."""
    look = _look(directory / file.path)
    if look is not None and file.sha256 is not None:
        stamp = _read_stamp(directory)
        _write_stamp(directory, {**stamp, file.path: _Seen(*look, file.sha256)})


def _read_stamp(directory: Path) -> dict[str, _Seen]:
    try:
        entries = json.loads((directory / STAMP).read_bytes())
        return {path: _Seen(**entry) for path, entry in entries.items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}  # absent, cut short or from another version: the files are hashed again


def _write_stamp(directory: Path, seen: Mapping[str, _Seen]) -> None:
    entries = {
        path: {"size": look.size, "mtime_ns": look.mtime_ns, "sha256": look.sha256}
        for path, look in seen.items()
    }
    write_atomically(directory / STAMP, json.dumps(entries))
