"""Files of a model from ModelScope.

The addresses are those that ModelScope's own library builds. Large files are redirected to another
host, which can resume; small ones come directly, and cannot.
"""

from __future__ import annotations

import os
import re
from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from capswriter.models.catalogue import ModelFile
from capswriter.models.download import SourceFailed, download, get_page

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    import httpx

    from capswriter.models.catalogue import ModelScopeSource
    from capswriter.models.progress import Progress


def endpoints(source: ModelScopeSource) -> tuple[str, ...]:
    """List the sites to ask: the one that the environment names alone, else the catalogue's.

    ``MODELSCOPE_ENDPOINT`` is an address, ``MODELSCOPE_DOMAIN`` (older) a host name.
    """
    chosen = os.environ.get("MODELSCOPE_ENDPOINT") or os.environ.get("MODELSCOPE_DOMAIN")
    if not chosen:
        return source.endpoints
    address = chosen if "://" in chosen else f"https://{chosen}"
    return (address.rstrip("/"),)


def page(source: ModelScopeSource) -> str:
    """Name the page where a person finds the files."""
    return f"{endpoints(source)[0]}/models/{source.repo}/files"


def file_url(endpoint: str, source: ModelScopeSource, path: str) -> str:
    """Build the address of one file."""
    query = urlencode({"Revision": source.revision, "FilePath": path})
    return f"{endpoint}/api/v1/models/{source.repo}/repo?{query}"


def listing_url(endpoint: str, source: ModelScopeSource) -> str:
    """Build the address of the list of all files, with their sizes and hashes."""
    query = urlencode({"Revision": source.revision, "Recursive": "true"})
    return f"{endpoint}/api/v1/models/{source.repo}/repo/files?{query}"


def fetch(
    client: httpx.Client,
    endpoint: str,
    source: ModelScopeSource,
    files: Sequence[ModelFile],
    directory: Path,
    *,
    progress: Progress,
) -> Iterator[ModelFile]:
    """Download files into ``directory``, yielding each when it is there and its hash is right.

    What the catalogue does not say of a file is taken from the site's listing; the file that is
    yielded says all.

    Raises:
        SourceFailed: the endpoint does not give one of them, or does not tell its hash.
        OSError: the disk refused.
    """
    listed: Mapping[str, ModelFile] = {}
    if not all(file.pinned for file in files):
        listed = _list(client, listing_url(endpoint, source))
    for file in files:
        told = file if file.pinned else _completed(file, listed)
        url = file_url(endpoint, source, file.path)
        target = directory / file.path
        download(client, url, target, size=told.size, sha256=told.sha256, progress=progress)
        yield told


def _list(client: httpx.Client, url: str) -> dict[str, ModelFile]:
    response = get_page(client, url, accept="application/json")
    try:
        entries = response.json()["Data"]["Files"]
        return {
            entry["Path"]: ModelFile(entry["Path"], entry["Size"], entry.get("Sha256"))
            for entry in entries
            if entry["Type"] == "blob"
        }
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        raise SourceFailed("its list of files cannot be understood") from error


def _completed(file: ModelFile, listed: Mapping[str, ModelFile]) -> ModelFile:
    try:
        told = listed[file.path]
    except KeyError:
        raise SourceFailed(f"does not list {file.path}") from None
    if not isinstance(told.size, int) or not re.fullmatch("[0-9a-f]{64}", str(told.sha256)):
        raise SourceFailed(f"does not tell the hash of {file.path}")
    return replace(
        file,
        size=told.size if file.size is None else file.size,
        sha256=told.sha256 if file.sha256 is None else file.sha256,
    )
