"""``capswriter dictate``: hold a key, speak, and the text is there."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

import click

from capswriter.dictation.keys.control import tell
from capswriter.dictation.shortcuts import Command
from capswriter.errors import UsageError
from capswriter.settings import ClientConfig, DictationConfig, load

if TYPE_CHECKING:
    from capswriter.dictation.assembling import Parts

COMMANDS = {command.value: f"Tell the running instance: {command.value}." for command in Command}
OF_CLIENT = ("server", "token", "language")
"""Flags that are settings of the client."""


def _tells(function: click.decorators.FC) -> click.decorators.FC:
    for word, help_text in reversed(COMMANDS.items()):
        function = click.option(f"--{word}", "told", flag_value=word, help=help_text)(function)
    return function


@click.command(short_help="Hold a key, speak, and the text is there.")
@_tells
@click.option("--install", "autostart", flag_value="install", help="Dictate from every login on.")
@click.option("--remove", "autostart", flag_value="remove", help="Undo --install.")
@click.option(
    "--shortcut", "shortcuts", multiple=True, metavar="KEY[:MODE]", help="caps_lock, f9:toggle …"
)
@click.option("--keys", metavar="WAY", help="auto, x11, evdev, pynput or none.")
@click.option("--device", metavar="NAME", help="The microphone: a part of its name, or its number.")
@click.option("--microphone", metavar="MODE", help="warm, or on-demand for privacy.")
@click.option("--output", metavar="WAY", help="type, paste, clipboard or stdout.")
@click.option("--server", metavar="URL", help="The server: ws://host:port or wss://host:port.")
@click.option("--token", help="The server's token; better in CAPSWRITER_CLIENT_TOKEN.")
@click.option("--language", metavar="CODE", help="Language of the speech: auto, zh, en, yue ...")
@click.option(
    "--local/--no-local", default=None, help="Start a server in the background if none answers."
)
@click.option("--archive/--no-archive", default=None, help="Keep dictations in your documents.")
@click.option("--sounds/--no-sounds", default=None, help="A quiet sound at start and stop.")
@click.option("--tray/--no-tray", default=None, help="An icon in the tray.")
@click.option("--config", "config_file", type=click.Path(path_type=Path), help="The config.py.")
@click.option("--log-level", metavar="LEVEL", help="debug, info, warning or error.")
@click.option("--log-file", metavar="FILE", help="A file for the log besides.")
def command(
    *,
    told: str | None,
    autostart: str | None,
    config_file: Path | None,
    **flags: str | bool | tuple[str, ...] | None,
) -> None:
    """Hold Caps Lock, speak, let go: the text appears at the cursor.

    It runs until Ctrl-C. --toggle and its like control an instance that runs, for shortcuts of a
    desktop that lets nobody listen to keys. Every other setting is in config.py.
    """
    if told is not None:
        click.echo(tell(Command(told)))
        return
    if autostart is not None:
        _arrange(autostart, config_file)
        return
    of_client = {key: flags.pop(key) for key in OF_CLIENT}
    client = load(ClientConfig, of_client, config_file=config_file)
    dictation = load(DictationConfig, flags, config_file=config_file)
    _dictate(dictation.value, client.value, dictation.config_file)


def _dictate(config: DictationConfig, client: ClientConfig, config_file: Path | None) -> None:
    from capswriter.dictation.assembling import Parts  # noqa: PLC0415  slow to import
    from capswriter.logs import logging_to  # noqa: PLC0415

    with logging_to(level=config.log_level, file=config.log_file):
        asyncio.run(_run(Parts(config, client, config_file)))


async def _run(parts: Parts) -> None:
    from capswriter.dictation.app import App, ending_by_signals  # noqa: PLC0415
    from capswriter.dictation.view import View  # noqa: PLC0415

    with View() as view:
        app = App(parts, view)
        with ending_by_signals(app.end):
            await app.run()


def _arrange(what: str, config_file: Path | None) -> None:
    from capswriter.dictation import autostart  # noqa: PLC0415
    from capswriter.dictation.autostart.choose import DICTATE  # noqa: PLC0415

    if what == "remove":
        click.echo("removed" if autostart.remove() else "there was nothing to remove")
        return
    arguments: tuple[str, ...] = ()
    if config_file is not None:
        if not config_file.is_file():
            raise UsageError(f"--config: {config_file} is not allowed: the path of a config.py")
        arguments = ("--config", str(config_file.absolute()))
    entry = autostart.install((*DICTATE, *arguments))
    click.echo(f"dictation starts at every login: {entry}")
