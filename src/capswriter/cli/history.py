"""``capswriter history``: what was dictated, to be found, copied, typed or recognised again."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click
import platformdirs
from rich.console import Console
from rich.table import Table
from rich.text import Text

from capswriter.client.once import transcribe
from capswriter.dictation.history import Item, choose, find, read_history, remove
from capswriter.dictation.journal import Journal, NoSuchDictation, State
from capswriter.errors import UsageError
from capswriter.settings import ClientConfig, DictationConfig, load

if TYPE_CHECKING:
    from collections.abc import Sequence

    from capswriter.dictation.journal import Entry
    from capswriter.dictation.output import Outcome

LIMIT = 20


@click.command(short_help="List what was dictated; copy, type or recognise it again.")
@click.argument("which", metavar="[N]", required=False)
@click.option("--limit", type=click.IntRange(min=1), default=LIMIT, help="How many to list.")
@click.option("--search", "words", metavar="WORDS", default="", help="Only those with all of them.")
@click.option("--unsent", is_flag=True, help="Only those whose text did not get where it should.")
@click.option("--copy", metavar="N", help="Put its text on the clipboard.")
@click.option("--retype", metavar="N", help="Type its text where the focus is, after --after.")
@click.option(
    "--after",
    type=click.FloatRange(min=0),
    default=3.0,
    help="Seconds in which to choose the window; 3.",
)
@click.option("--transcribe", metavar="N", help="Have the server recognise its recording again.")
@click.option("--delete", metavar="N", help="Remove it, with its recordings.")
@click.option("--archive", "archive_folder", metavar="DIR", help="The folder of the archive.")
@click.option("--server", metavar="URL", help="The server: ws://host:port or wss://host:port.")
@click.option("--token", help="The server's token; better in CAPSWRITER_CLIENT_TOKEN.")
@click.option("--config", "config_file", type=click.Path(path_type=Path), help="The config.py.")
def command(
    *,
    which: str | None,
    limit: int,
    words: str,
    unsent: bool,
    after: float,
    archive_folder: str | None,
    server: str | None,
    token: str | None,
    config_file: Path | None,
    **actions: str | None,
) -> None:
    """List what was dictated, the newest first, or show the one with a number.

    Numbers count from the newest, and change with each dictation; the names that are shown with a
    single one stay, and may be given instead.
    """
    asked = {action: target for action, target in actions.items() if target is not None}
    if len(asked) + (which is not None) > 1:
        raise UsageError("one thing at a time: a number alone, or one of the options with a number")
    flags = {"archive_folder": archive_folder}
    settings = load(DictationConfig, flags, config_file=config_file).value
    items = read_history(archive=settings.archive_folder or default_archive())
    if which is not None:
        _show(find(items, which))
        return
    for action, target in asked.items():
        item = find(items, target)
        if action == "copy":
            asyncio.run(_copy(_text(item)))
        elif action == "retype":
            asyncio.run(_retype(item, _text(item), settings, after))
        elif action == "delete":
            remove(item)
            click.echo(f"removed {item.name}")
        else:
            client = load(
                ClientConfig, {"server": server, "token": token}, config_file=config_file
            ).value
            asyncio.run(_keep(item, _transcribed(item, client)))
        return
    _list(choose(items, words=words, unsent=unsent, limit=limit))


def default_archive() -> Path:
    """Where the archive is unless the settings say otherwise: in the user's documents."""
    return Path(platformdirs.user_documents_path()) / "CapsWriter"


def _list(items: Sequence[Item]) -> None:
    if not items:
        click.echo("there is nothing of that kind in the history", err=True)
        return
    if not sys.stdout.isatty():
        for item in items:
            facts = (str(item.number), f"{item.begun:%Y-%m-%d %H:%M:%S}", item.state)
            click.echo("\t".join((*facts, " ".join(item.text.split()))))
        return
    table = Table(box=None, pad_edge=False)
    table.add_column("number", justify="right")
    table.add_column("when", no_wrap=True)
    table.add_column("state")
    table.add_column("text", ratio=1, no_wrap=True, overflow="ellipsis")
    for item in items:
        text = Text(" ".join(item.text.split()) or "–")
        style = "bold" if item.is_unsent else None
        table.add_row(str(item.number), f"{item.begun:%m-%d %H:%M}", item.state, text, style=style)
    Console().print(table)


def _show(item: Item) -> None:
    facts = {
        "name": item.name,
        "when": f"{item.begun:%Y-%m-%d %H:%M:%S}",
        "state": item.state,
        "because": item.record.reason if item.record else None,
        "recognised": item.record.text if item.record and item.record.typed else None,
        "recording": item.sound,
        "diary": item.archived.page if item.archived else None,
    }
    for fact, said in facts.items():
        if said is not None:
            click.echo(f"{fact}: {said}")
    click.echo(f"\n{item.text}" if item.text else "\nit has no text")


async def _copy(text: str) -> None:
    from capswriter.dictation.output import Output, OutputSettings, Way  # noqa: PLC0415

    output = Output.choose(OutputSettings(way=Way.CLIPBOARD))
    try:
        outcome = await output.write(text)
        click.echo(outcome.why or "the text is on the clipboard")
        if not _clipboard_lasts():
            click.echo("paste it, then press Enter here: this desktop keeps no clipboard")
            await asyncio.to_thread(sys.stdin.readline)
    finally:
        await output.close()


def _clipboard_lasts() -> bool:
    """Tell whether what is copied is there when we are not; on X a manager has to keep it."""
    if sys.platform != "linux":
        return True
    try:
        from Xlib.display import Display  # noqa: PLC0415

        display = Display()
    except Exception:  # noqa: BLE001  no X at all, where other programs do the copying
        return True
    try:
        return bool(display.get_selection_owner(display.intern_atom("CLIPBOARD_MANAGER")))
    finally:
        display.close()


async def _retype(item: Item, text: str, settings: DictationConfig, after: float) -> None:
    from capswriter.dictation.output import (  # noqa: PLC0415
        Newlines,
        Output,
        OutputSettings,
        Way,
    )

    way = Way.PASTE if settings.output == "paste" else Way.TYPE
    newlines = Newlines(settings.newlines)
    output = Output.choose(OutputSettings(way=way, follow_focus=True, newlines=newlines))
    try:
        async with Journal(retention=None) as journal:
            # A dictation that a client has is typed by that, not by two.
            entry = await journal.take(item.name) if item.record else None
            if after:
                click.echo(f"go to the window where it belongs: it is typed in {after:g} s")
                await asyncio.sleep(after)
            if entry is not None:
                await entry.delivering(text)
            outcome = await output.write(text)
            if entry is not None:
                await _note(entry, outcome)
            click.echo(outcome.why or f"the text was {outcome.how.value}")
    finally:
        await output.close()


async def _note(entry: Entry, outcome: Outcome) -> None:
    from capswriter.dictation.output import How  # noqa: PLC0415

    if outcome.how in {How.TYPED, How.PASTED}:
        await entry.delivered()
    else:
        await entry.uncertain(outcome.why or "it was not typed")


def _transcribed(item: Item, client: ClientConfig) -> str:
    if item.sound is None:
        raise NoSuchDictation(f"the recording of dictation {item.name} is not there any more")
    context = (client.context,) if client.context else ()
    told = transcribe(
        item.sound,
        url=client.server,
        token=client.token,
        language=client.language,
        hotwords=context,
    )
    click.echo(told.transcript.text)
    return told.transcript.text


async def _keep(item: Item, text: str) -> None:
    """Keep a text in the journal; whether it was delivered stays as it was."""
    if item.record is None or not text:
        return
    async with Journal(retention=None) as journal:
        entry = await journal.take(item.name)
        was_delivered = entry.record.state is State.DELIVERED
        await entry.recognised(text)
        await (entry.delivered() if was_delivered else entry.keep("it was recognised again"))


def _text(item: Item) -> str:
    if not item.text:
        raise NoSuchDictation(
            f"dictation {item.name} has no text: 'capswriter history --transcribe {item.name}' "
            "has its recording recognised"
        )
    return item.text
