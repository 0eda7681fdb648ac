"""``capswriter devices``: the microphones there are, and how loud one of them is."""

from __future__ import annotations

import asyncio
import sys
import time
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from capswriter.dictation.microphone import Microphone, NoMicrophone, choose
from capswriter.dictation.microphone.portaudio import PortAudio
from capswriter.dictation.view import level_bar

if TYPE_CHECKING:
    from collections.abc import Sequence

    from capswriter.dictation.microphone import Device, Event

FRAME_S, LINE_S = 0.1, 1.0
"""Seconds between two levels on a terminal, and elsewhere."""


@click.command(short_help="List the microphones, and show how loud one is.")
@click.option("--device", help="The microphone: a part of its name, or its number.")
@click.option("--level", is_flag=True, help="Show how loud it is, until Ctrl-C.")
@click.option("--seconds", type=click.FloatRange(min=0.1), help="End --level after so long.")
def command(*, device: str | None, level: bool, seconds: float | None) -> None:
    """List the microphones, or show how loud one is; exits with 1 when there is none."""
    if level:
        asyncio.run(_show_level(device, seconds))
        return
    sound = PortAudio()
    try:
        devices = sound.devices()
    finally:
        sound.close()
    chosen = choose(devices, device)
    Console().print(_table(devices, chosen))


def _table(devices: Sequence[Device], chosen: Device) -> Table:
    table = Table()
    table.add_column("number", justify="right")
    for column in ("name", "by", "Hz"):
        table.add_column(column, overflow="fold", justify="right" if column == "Hz" else "left")
    table.add_column("")
    for each in devices:
        notes = [
            note
            for note, holds in (
                ("used", each == chosen),
                ("default", each.is_default),
                ("what is played", each.is_monitor),
            )
            if holds
        ]
        table.add_row(
            str(each.index),
            Text(each.name),
            each.host,
            str(each.rate),
            ", ".join(notes),
            style="bold" if each == chosen else None,
        )
    return table


async def _show_level(device: str | None, seconds: float | None) -> None:
    deadline = None if seconds is None else time.monotonic() + seconds
    events: list[Event] = []
    async with Microphone(device, tell=events.append) as microphone:
        if not microphone.is_open:
            raise NoMicrophone(str(events[-1]))
        console = Console()
        events.clear()
        if not console.is_terminal:
            while deadline is None or time.monotonic() < deadline:
                await asyncio.sleep(LINE_S)
                _print_line(microphone, events)
            return
        with Live(_bar(microphone), console=console, auto_refresh=False, transient=True) as live:
            while deadline is None or time.monotonic() < deadline:
                await asyncio.sleep(FRAME_S)
                for event in events:
                    live.console.print(Text(str(event)))
                events.clear()
                live.update(_bar(microphone), refresh=True)


def _print_line(microphone: Microphone, events: list[Event]) -> None:
    for event in events:
        click.echo(str(event))
    events.clear()
    if microphone.is_open:
        click.echo(f"{microphone.level:6.1f} dB  {microphone.device}")
    sys.stdout.flush()


def _bar(microphone: Microphone) -> Text:
    return level_bar(microphone.level).append(f"  {microphone.device}")
