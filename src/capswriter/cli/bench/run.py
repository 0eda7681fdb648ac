"""``capswriter bench run``: load a server and tell how it did."""

from __future__ import annotations

import math
from pathlib import Path

import anyio
import click

from capswriter.cli.bench.ending import SAMPLES, Progress, finish, recordings
from capswriter.errors import UsageError

DEFAULT_SECONDS = 30.0
"""Of arrivals, at a rate."""


@click.command(short_help="Load a server and tell how it did.")
@click.argument("files", nargs=-1, type=click.Path(path_type=Path))
@click.option("--server", metavar="URL", help="One that runs: ws://host:port or wss://host:port.")
@click.option("--token", envvar="CAPSWRITER_CLIENT_TOKEN", help="What that wants callers to know.")
@click.option("--workers", type=click.IntRange(1), help="Of a server that is started (2).")
@click.option("--model", help="Of a server that is started (whisper-base).")
@click.option(
    "--clients", type=click.IntRange(1), default=4, show_default=True, help="At the same time."
)
@click.option(
    "--rate",
    type=click.FloatRange(0, min_open=True),
    help="Files that arrive in a second, however slow the answers are.",
)
@click.option("--paced", is_flag=True, help="Send files as slowly as they are spoken.")
@click.option("--passes", type=click.IntRange(1), help="How often each file is done (1).")
@click.option("--seconds", type=click.FloatRange(0, min_open=True), help="Begin files for so long.")
@click.option(
    "--warm-up",
    type=click.IntRange(0),
    default=1,
    show_default=True,
    help="Segments for each worker that do not count.",
)
@click.option(
    "--interval",
    type=click.FloatRange(0.1),
    default=0.5,
    show_default=True,
    help="Seconds between looks at memory and processor.",
)
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder for the result; a new one in bench-results by default.",
)
def command(
    files: tuple[Path, ...],
    *,
    server: str | None,
    token: str | None,
    workers: int | None,
    model: str | None,
    clients: int,
    rate: float | None,
    paced: bool,
    passes: int | None,
    seconds: float | None,
    warm_up: int,
    interval: float,
    out: Path | None,
) -> int:
    """Send FILES to a server, which is started unless --server names one, and tell how it did.

    FILES are recordings or folders of them; ref_codes/samples by default. Each client sends its
    next file when it has the text of the one before; with --rate, files arrive at that rate, from
    the clients in turns.

    Ends with 0, with 1 if a task failed or something is missing, with 130 after Ctrl-C. What was
    measured is kept in any case.
    """
    from capswriter.bench.arrangements import INTERRUPTED, Load, observed  # noqa: PLC0415
    from capswriter.bench.compare import outcome  # noqa: PLC0415  # slow to import
    from capswriter.bench.draft import Draft, place_for  # noqa: PLC0415
    from capswriter.bench.material import read  # noqa: PLC0415
    from capswriter.bench.run import Loaded, Running  # noqa: PLC0415
    from capswriter.bench.subject import installed  # noqa: PLC0415

    if server is not None and (workers is not None or model is not None):
        raise UsageError("--workers and --model are for a server that is started; leave out one")
    if rate is not None and passes is not None:
        raise UsageError("--rate goes on for --seconds; leave out --passes")
    running = None if server is None else Running(server, token or "")
    subject = installed(model or "whisper-base") if running is None else None
    told = anyio.run(running.stats) if running is not None else {}
    count = len(told["workers"]) if told else workers or 2
    if rate is not None and seconds is None:
        seconds = DEFAULT_SECONDS
    materials, missing = read(recordings(files, Path(*SAMPLES)))
    load = Load(
        materials,
        passes=passes if seconds is not None or passes is not None else 1,
        seconds=math.inf if seconds is None else seconds,
        clients=clients,
        warm_up=warm_up,
        interval=interval,
    )
    name = subject.name if subject else str(told.get("model", "unknown"))
    draft = Draft(
        "run",
        place_for("run", out),
        name,
        {
            "server": running.name if running else "its own",
            "workers": count,
            "clients": clients,
            "rate": rate,
            "paced": paced,
            "passes": load.passes,
            "seconds": seconds,
            "warm-up": warm_up,
            "interval": interval,
        },
        [each.recording() for each in materials],
        missing,
    )
    for line in missing:
        click.echo(f"capswriter: {line}", err=True)
    arrangement = Loaded(count, running, subject, draft.directory, rate, paced, draft.settings)
    progress = Progress()
    with progress.doing(f"{clients} clients at work"):
        run = observed(arrangement, load, number=0)
    draft.runs.append(run)
    progress.done(outcome(run))
    errors = any(sample.error for sample in run.samples)
    return finish(draft, status=int(errors), interrupted=run.error == INTERRUPTED)
