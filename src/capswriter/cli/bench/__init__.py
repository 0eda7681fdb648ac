"""``capswriter bench``: measure one worker against several, and against other programs."""

from __future__ import annotations

import click

from capswriter.cli.lazy import LazyGroup

COMMANDS = {
    "run": "Load a server and tell how it did.",
    "compare": "Compare one worker with several, in turns.",
    "peers": "Compare with other programs on the same recordings.",
    "overhead": "Tell what the server adds to one utterance.",
    "report": "Make a page with pictures of a measurement.",
    "plan": "Tell how many workers and machines so many users need.",
}


@click.group(cls=LazyGroup, package=__name__, commands=COMMANDS)
def command() -> None:
    """Measure one worker against several, and against other programs."""
