"""``capswriter monitor``: the processor and memory of a server and its workers, from outside."""

from __future__ import annotations

import os
import signal
import sys
from contextlib import ExitStack
from pathlib import Path

import click
from rich.console import Console

from capswriter.monitor.display import Display, Lines, Screen
from capswriter.monitor.family import lives
from capswriter.monitor.finding import Front, find_front
from capswriter.monitor.log import Log
from capswriter.monitor.summary import Summary
from capswriter.monitor.watch import rounds


@click.command("monitor")
@click.option("--port", type=click.IntRange(1, 65535), help="Port on which the server listens.")
@click.option("--pid", type=click.IntRange(min=1), help="Process of the server.")
@click.option(
    "--interval",
    type=click.FloatRange(min=0.1),
    default=0.5,
    show_default=True,
    help="Seconds between rounds.",
)
@click.option("--duration", type=click.FloatRange(min=0.1), help="Seconds after which to end.")
@click.option("--log", "log_file", type=click.Path(path_type=Path), help="CSV file to write.")
def command(
    *,
    port: int | None,
    pid: int | None,
    interval: float,
    duration: float | None,
    log_file: Path | None,
) -> int:
    """Watch the processor and memory of a server and its workers.

    It reads what the system tells of the processes; the server notices nothing of it. Without
    --port and --pid it watches the one server that runs on this machine. It ends with the server,
    or after --duration, or on Ctrl-C, and sums up what it has seen.
    """
    front = find_front(port=port, pid=pid)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # it ends this as Ctrl-C does
    try:
        _watch(front, interval, duration, log_file)
        sys.stdout.flush()
    except BrokenPipeError:
        # Python flushes its standard output once more at the end, and would complain.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return 0


def _watch(front: Front, interval: float, duration: float | None, log_file: Path | None) -> None:
    console, summary = Console(), Summary()
    with ExitStack() as stack:
        log = None if log_file is None else stack.enter_context(Log(log_file))
        display: Display = Screen(console, str(front)) if console.is_terminal else Lines(console)
        try:
            with display:
                for readings in rounds(front.process.pid, interval=interval, duration=duration):
                    if log is not None:
                        log.write(readings)
                    summary.add(readings)
                    display.show(readings)
        except KeyboardInterrupt:  # the way to end it
            pass
        finally:
            if not lives(front.process):
                console.print("the server has ended", highlight=False)
            if summary.seen:
                console.print(summary.table())
