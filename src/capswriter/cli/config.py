"""``capswriter config``: every setting in force, and where it came from."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from capswriter.settings import ClientConfig, DictationConfig, Effective, ServerConfig, load
from capswriter.settings.application import Application

if TYPE_CHECKING:
    from collections.abc import Iterator

HEADINGS = ("key", "value", "where from")


@click.command("config")
@click.option("--config", "config_file", type=click.Path(path_type=Path), help="The config.py.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(*, config_file: Path | None, as_json: bool) -> None:
    """Show every setting and where it came from.

    A flag counts before an environment variable, that before .env, that before config.py, that
    before the default. The server's variables are CAPSWRITER_<KEY>, the client's
    CAPSWRITER_CLIENT_<KEY>, those of dictation CAPSWRITER_DICTATION_<KEY>.
    """
    sections = (
        load(ServerConfig, config_file=config_file),
        load(ClientConfig, config_file=config_file),
        load(DictationConfig, config_file=config_file),
    )
    if as_json:
        click.echo(json.dumps(_document(*sections), ensure_ascii=False, indent=2))
    elif sys.stdout.isatty():
        _print_tables(*sections)
    else:
        _print_columns(*sections)


def _document(*sections: Effective[Any]) -> dict[str, Any]:
    first = sections[0]
    document: dict[str, Any] = {
        "config_file": str(first.config_file) if first.config_file else None,
        "env_file": str(first.env_file) if first.env_file else None,
    }
    for effective in sections:
        plain = effective.value.model_dump(mode="json")
        document[effective.value.section] = {
            key: {"value": _hidden(effective, key) or plain[key], "origin": origin}
            for key, origin in effective.origin.items()
        }
    return document


def _rows(effective: Effective[Any]) -> Iterator[tuple[str, str, str]]:
    for key, origin in effective.origin.items():
        yield key, _hidden(effective, key) or _written(getattr(effective.value, key)), origin


def _hidden(effective: Effective[Any], key: str) -> str | None:
    """What to show for a secret that is set."""
    is_set = effective.value.is_secret(key) and getattr(effective.value, key) is not None
    return "set" if is_set else None


def _written(value: object) -> str:
    if value is None:
        return "none"
    if isinstance(value, tuple):
        return ",".join(map(_item, value)) or "none"
    return str(value) or '""'


def _item(value: object) -> str:
    return (
        value.model_dump_json(exclude_defaults=True)
        if isinstance(value, Application)
        else str(value)
    )


def _files(effective: Effective[Any]) -> str:
    return f"config.py: {effective.config_file or 'none'}\n.env: {effective.env_file or 'none'}"


def _print_columns(*sections: Effective[Any]) -> None:
    click.echo(_files(sections[0]))
    rows = [list(_rows(effective)) for effective in sections]
    everything = [HEADINGS, *(row for section in rows for row in section)]
    widths = [max(len(row[column]) for row in everything) for column in range(2)]
    for effective, section in zip(sections, rows, strict=True):
        click.echo(f"\n{effective.value.section}")
        for key, value, origin in (HEADINGS, *section):
            click.echo(f"  {key:<{widths[0]}}  {value:<{widths[1]}}  {origin}")


def _print_tables(*sections: Effective[Any]) -> None:
    from rich.console import Console  # noqa: PLC0415  a terminal alone needs it
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    console = Console()
    console.print(Text(_files(sections[0])))
    for effective in sections:
        table = Table(*HEADINGS, title=effective.value.section, title_justify="left")
        for row in _rows(effective):
            # Text, not str: a value may hold what rich takes for markup.
            table.add_row(*(Text(cell, overflow="fold") for cell in row))
        console.print(table)
