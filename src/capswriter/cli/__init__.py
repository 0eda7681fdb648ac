"""The ``capswriter`` command; each subcommand is a module, imported when it is used."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import TYPE_CHECKING

import click

import capswriter
from capswriter.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Callable

COMMANDS = {
    "serve": "Start the recognition server.",
    "transcribe": "Transcribe audio and video files.",
    "status": "Show what a running server is doing.",
    "models": "List, download, check, prepare and remove models.",
    "config": "Show every setting and where it came from.",
}


class LazyGroup(click.Group):
    """A group that imports a subcommand's module only when it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """Name every subcommand, in the order of ``COMMANDS``."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Import ``capswriter.cli.<cmd_name>`` and return its ``command``."""
        if cmd_name not in COMMANDS:
            return None
        command = import_module(f"capswriter.cli.{cmd_name}").command
        assert isinstance(command, click.Command)  # noqa: S101
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """Write the help of the group without importing any subcommand."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(capswriter.__version__, prog_name="capswriter")
def group() -> None:
    """Offline speech recognition: a server with N workers, and its clients."""


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit: 0 done, 1 failed, 2 wrong usage or settings.

    Args:
        arguments: what follows ``capswriter``; the process's own arguments by default.
    """
    sys.exit(guarded(lambda: group.main(arguments, "capswriter", standalone_mode=False)))


def guarded(work: Callable[[], object]) -> int:
    """Do ``work``; print an error that is the user's to mend as one line.

    Returns:
        The exit status: the error's, or what ``work`` returned if that is a number.
    """
    try:
        status = work()
    except (click.exceptions.Abort, KeyboardInterrupt):
        return 130
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except UserError as error:
        click.echo(f"capswriter: {error}", err=True)
        return error.exit_status
    return status if isinstance(status, int) else 0
