"""The local store: models on this machine's disk, each file the published one."""

from __future__ import annotations

import errno
import json
import os
import shutil
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import filelock
import platformdirs

from capswriter.errors import UserError
from capswriter.models import catalogue
from capswriter.models.checked import sha256_of
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


@dataclass(frozen=True, slots=True)
class _Findings:
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
        self.directory = _default_directory() if directory is None else directory
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

                        sources.fetch(spec, bad, directory, progress)
                        _write_stamp(directory, _looks(spec, directory))
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
        # Before hashing: should a file change meanwhile, its new time will not match the stamp.
        looks = _looks(spec, directory)
        missing, wrong, sound = [], [], {}
        for file in spec.files:
            look = looks.get(file.path)
            if look is None:
                missing.append(file)
            elif (trust_stamp and look == stamp.get(file.path)) or (
                look.size == file.size and sha256_of(directory / file.path) == file.sha256
            ):
                sound[file.path] = look
            else:
                wrong.append(file)
        if sound != stamp and looks:
            with suppress(OSError):  # a store that is shared read-only is hashed every time
                _write_stamp(directory, sound)
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


def _default_directory() -> Path:
    if chosen := os.environ.get("CAPSWRITER_MODEL_DIR"):
        return Path(chosen).expanduser().absolute()
    return platformdirs.user_data_path("capswriter", appauthor=False) / "models"


def _looks(spec: ModelSpec, directory: Path) -> dict[str, _Seen]:
    """Tell how each file that is there looks now; its hash is what it should be, not what it is."""
    looks = {}
    for file in spec.files:
        with suppress(FileNotFoundError):
            found = (directory / file.path).stat()
            looks[file.path] = _Seen(found.st_size, found.st_mtime_ns, file.sha256)
    return looks


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
    draft = directory / f"{STAMP}.{os.getpid()}"
    draft.write_text(json.dumps(entries), encoding="utf-8")
    draft.replace(directory / STAMP)
