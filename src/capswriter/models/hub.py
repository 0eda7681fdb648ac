"""Files of a model from a Hugging Face hub or one of its mirrors."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING
from urllib.parse import quote

from capswriter.models.download import download

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    import httpx

    from capswriter.models.catalogue import HubSource, ModelFile
    from capswriter.models.progress import Progress


def endpoints(source: HubSource) -> tuple[str, ...]:
    """List the hubs to ask: ``HF_ENDPOINT`` alone where it is set, else those of the catalogue."""
    chosen = os.environ.get("HF_ENDPOINT")
    return (chosen.rstrip("/"),) if chosen else source.endpoints


def page(source: HubSource) -> str:
    """Name the page where a person finds the files."""
    return f"{endpoints(source)[0]}/{source.repo}/tree/{source.revision}"


def file_url(endpoint: str, source: HubSource, path: str) -> str:
    """Build the address of one file."""
    return f"{endpoint}/{source.repo}/resolve/{source.revision}/{quote(path)}"


def fetch(
    client: httpx.Client,
    endpoint: str,
    source: HubSource,
    files: Iterable[ModelFile],
    directory: Path,
    *,
    progress: Progress,
) -> Iterator[ModelFile]:
    """Download files into ``directory``, yielding each when it is there and its hash is right.

    Raises:
        SourceFailed: the endpoint does not give one of them.
        OSError: the disk refused.
    """
    for file in files:
        url = file_url(endpoint, source, file.path)
        target = directory / file.path
        download(client, url, target, size=file.size, sha256=file.sha256, progress=progress)
        yield file
