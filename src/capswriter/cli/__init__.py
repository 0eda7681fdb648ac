"""The ``capswriter`` command; each subcommand is a module, imported when it is used."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

import capswriter
from capswriter.cli.lazy import LazyGroup
from capswriter.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Callable

COMMANDS = {
    "serve": "Start the recognition server.",
    "transcribe": "Transcribe audio and video files.",
    "status": "Show what a running server is doing.",
    "monitor": "Watch the processor and memory of a server and its workers.",
    "history": "List what was dictated; copy, type or recognise it again.",
    "dictate": "Hold a key, speak, and the text is there.",
    "devices": "List the microphones, and show how loud one is.",
    "doctor": "Say whether dictation can work here, and what to mend.",
    "models": "List, download, check, prepare and remove models.",
    "bench": "Measure one worker against several, and against other programs.",
    "config": "Show every setting and where it came from.",
}


@click.group(
    cls=LazyGroup,
    package=__name__,
    commands=COMMANDS,
    context_settings={"help_option_names": ["-h", "--help"]},
)
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
