"""Groups of commands whose modules are imported when they are used."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Mapping


class LazyGroup(click.Group):
    """A group that imports a subcommand's module only when it is asked for.

    Args:
        package: whose modules hold the subcommands, each as ``command``.
        commands: the help of each, by its name.
        options: of ``click.Group``.
    """

    def __init__(self, *, package: str, commands: Mapping[str, str], **options: Any) -> None:
        super().__init__(**options)
        self._package = package
        self._commands = commands

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """Name every subcommand."""
        return list(self._commands)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Import the subcommand's module and return its ``command``."""
        if cmd_name not in self._commands:
            return None
        command = import_module(f"{self._package}.{cmd_name}").command
        assert isinstance(command, click.Command)  # noqa: S101
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """Write the help of the group without importing any subcommand."""
        with formatter.section("Commands"):
            formatter.write_dl(list(self._commands.items()))
