"""``capswriter models``: list, download, check, prepare and remove models."""

from __future__ import annotations

import json
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from capswriter.errors import UserError
from capswriter.logs import logging_to
from capswriter.models.errors import ModelCorrupt, ModelMissing
from capswriter.models.store import ModelStore, Status

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from capswriter.models.catalogue import ModelSpec

LANGUAGES_LISTED = 6
"""A model that knows more languages than these is listed with their number."""

IN_WORDS: dict[Status, str] = {
    "absent": "no",
    "incomplete": "incomplete",
    "corrupt": "corrupt",
    "installed": "yes",
}


@click.group()
@click.pass_context
def command(context: click.Context) -> None:
    """List, download, check, prepare and remove models.

    They lie in CAPSWRITER_MODEL_DIR, or else in your user data directory.
    """
    context.obj = context.obj or ModelStore()


@command.command("list")
@click.pass_obj
def list_models(store: ModelStore) -> None:
    """List every model, whether it is installed, and what it is good for.

    Those that are recommended say so. Where a model lies is told by "path". A model that is not
    prepared will be when it is first loaded, or by "prepare".
    """
    rows = [("name", "engine", "size", "languages", "installed", "description")]
    for name, spec in store.models.items():
        status = _status(store, name)
        rows.append((name, spec.engine, _size(spec), _languages(spec), status, spec.description))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        line = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        click.echo(line.rstrip())


@command.command()
@click.argument("name")
@click.pass_obj
def pull(store: ModelStore, name: str) -> None:
    """Download a model, or mend what is missing or corrupt in it."""
    pull_visibly(store, name)


@command.command()
@click.argument("name", required=False)
@click.pass_context
def verify(context: click.Context, name: str | None) -> None:
    """Check every file of a model, or of all, and of its prepared copy.

    Exits with 1 where a file is missing or is not the published one.
    """
    store: ModelStore = context.obj
    names = [name] if name else [each for each in store.models if store.status(each) != "absent"]
    if not names:
        click.echo(f"there is no model in {store.directory}")
    bad = False
    for each in names:
        try:
            store.verify(each)
            _verify_copy(store, each)
        except (ModelMissing, ModelCorrupt) as error:
            bad = True
            click.echo(f"capswriter: {error}", err=True)
        else:
            click.echo(f"{each} is sound")
    context.exit(1 if bad else 0)


@command.command()
@click.argument("name")
@click.pass_obj
def path(store: ModelStore, name: str) -> None:
    """Print the directory of an installed model."""
    click.echo(store.path(name))


@command.command()
@click.argument("model")
@click.pass_obj
def prepare(store: ModelStore, model: str) -> None:
    """Make the faster copy of a model for this computer now, not when it is first loaded.

    MODEL is a name or a directory. Exits with 1 where it cannot be made; the model can be used all
    the same, more slowly.
    """
    from capswriter.engines import load  # noqa: PLC0415  # slow to import
    from capswriter.engines.graph import prepared  # noqa: PLC0415
    from capswriter.engines.graph.prepare import RECIPE_FILE, Recipe  # noqa: PLC0415

    directory = store.resolve(model)
    network = _network(store, model, directory)
    if network is None:
        click.echo(f"{model}: there is nothing to prepare")
        return
    with _copies_usable(model):
        before = prepared.state(network, thorough=True)
        if before == "prepared":
            click.echo(f"{model} is prepared already")
            return
        if before != "not prepared":
            prepared.forget(network)
        began = time.monotonic()
        with logging_to(level="info"):
            load(directory)
        seconds = time.monotonic() - began
        if prepared.state(network) != "prepared":
            raise UserError(f"{model} is not prepared; it can be used as it is, more slowly")
        place = prepared.place_of(network)
        recipe = Recipe(**json.loads((place / RECIPE_FILE).read_bytes()))
        size = sum(file.stat().st_size for file in place.iterdir())
    click.echo(
        f"{model} was prepared in {seconds:.0f} s ({recipe}): {size / 1e6:.0f} MB in {place}"
    )


@command.command()
@click.argument("name")
@click.pass_obj
def remove(store: ModelStore, name: str) -> None:
    """Delete a model, and what was prepared from it, from this machine."""
    network = _network(store, name, store.directory / name) if name in store.models else None
    if network is not None:
        from capswriter.engines.graph import prepared  # noqa: PLC0415

        with _copies_usable(name):
            prepared.forget(network)
    store.remove(name)
    click.echo(f"removed {store.directory / name}")


def pull_visibly(store: ModelStore, name: str) -> Path:
    """Pull a model, saying so on the standard error: a progress bar on a terminal, else two lines.

    Args:
        store: where to.
        name: as in the catalogue.

    Raises:
        UserError: what ``ModelStore.pull`` raises.
    """
    if store.status(name) == "installed":
        click.echo(f"{name} is in {store.directory / name}", err=True)
        return store.path(name)
    megabytes = _size(store.models[name])
    click.echo(f"downloading {name} ({megabytes}) to {store.directory}", err=True)
    console = Console(stderr=True)
    if console.is_terminal:
        with _Bars(console) as bars:
            directory = store.pull(name, bars.show)
    else:
        directory = store.pull(name)
    click.echo(f"{name} is ready", err=True)
    return directory


def _status(store: ModelStore, name: str) -> str:
    status = store.status(name)
    network = _network(store, name, store.directory / name) if status == "installed" else None
    if network is None:
        return IN_WORDS[status]
    from capswriter.engines.graph import prepared  # noqa: PLC0415

    with _copies_usable(name):
        found = prepared.state(network)
    return f"{IN_WORDS[status]}, {'copy corrupt' if found == 'corrupt' else found}"


def _verify_copy(store: ModelStore, name: str) -> None:
    """Hash what was prepared from a model, if anything was.

    Raises:
        ModelCorrupt: it is not what it was when it was made.
    """
    network = _network(store, name, store.directory / name)
    if network is None:
        return
    from capswriter.engines.graph import prepared  # noqa: PLC0415

    with _copies_usable(name):
        found = prepared.state(network, thorough=True)
    if found == "corrupt":
        mend = f"run: capswriter models prepare {name}"
        raise ModelCorrupt(f"the prepared copy of {name} is corrupt; {mend}")


@contextmanager
def _copies_usable(model: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise UserError(f"cannot use what was prepared from {model}: {error}") from error


def _network(store: ModelStore, model: str, directory: Path) -> Path | None:
    """Find the file of a model that is prepared for this computer; None where there is none."""
    from capswriter.engines.directory import NETWORKS, first_of  # noqa: PLC0415  # slow to import
    from capswriter.engines.registry import PREPARED, engine_of  # noqa: PLC0415

    known = store.models.get(model)
    if (known.engine if known else engine_of(directory)) not in PREPARED:
        return None
    with suppress(FileNotFoundError):
        return first_of(directory, NETWORKS)
    return None


class _Bars(Progress):
    """One bar for each file on its way."""

    def __init__(self, console: Console) -> None:
        super().__init__(
            TextColumn("{task.description}"),
            BarColumn(),
            DownloadColumn(),
            TransferSpeedColumn(),
            TimeRemainingColumn(),
            console=console,
            transient=True,
        )
        self._of_file: dict[str, TaskID] = {}

    def show(self, name: str, done: int, total: int | None, /) -> None:
        if name not in self._of_file:
            self._of_file[name] = self.add_task(name, total=total)
        self.update(self._of_file[name], completed=done, total=total)


def _size(spec: ModelSpec) -> str:
    about = "" if spec.about_mb is None else "~"
    return f"{about}{spec.size_mb} MB"


def _languages(spec: ModelSpec) -> str:
    if len(spec.languages) > LANGUAGES_LISTED:
        return str(len(spec.languages))
    return ", ".join(spec.languages)
