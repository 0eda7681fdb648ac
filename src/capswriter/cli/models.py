"""``capswriter models``: list, download, check and remove models."""

from __future__ import annotations

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

from capswriter.models.errors import ModelCorrupt, ModelMissing
from capswriter.models.store import ModelStore, Status

if TYPE_CHECKING:
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
    """List, download, check and remove models.

    They lie in CAPSWRITER_MODEL_DIR, or else in your user data directory.
    """
    context.obj = context.obj or ModelStore()


@command.command("list")
@click.pass_obj
def list_models(store: ModelStore) -> None:
    """List every model, whether it is installed, and what it is good for.

    Those that are recommended say so. Where a model lies is told by "path".
    """
    rows = [("name", "engine", "size", "languages", "installed", "description")]
    for name, spec in store.models.items():
        status = IN_WORDS[store.status(name)]
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
    """Check every file of a model, or of all.

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
@click.argument("name")
@click.pass_obj
def remove(store: ModelStore, name: str) -> None:
    """Delete a model from this machine."""
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
