"""``capswriter transcribe``: files to text and subtitles."""

from __future__ import annotations

import glob
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
import click

from capswriter.client.local import Local, LocalServerFailed, own_server
from capswriter.client.progress import Display
from capswriter.client.run import Run
from capswriter.client.server import find_server
from capswriter.errors import UsageError
from capswriter.settings import ClientConfig, load

if TYPE_CHECKING:
    from collections.abc import Sequence


@click.command("transcribe")
@click.argument("files", metavar="FILE...", nargs=-1, required=True)
@click.option("--server", metavar="URL", help="The server: ws://host:port or wss://host:port.")
@click.option("--token", help="The server's token; better in CAPSWRITER_CLIENT_TOKEN.")
@click.option("--local", "is_local", is_flag=True, help="Do without a server: start one for this.")
@click.option("--workers", metavar="N", help="With --local: worker processes.")
@click.option("--model", metavar="NAME", help="With --local: the model.")
@click.option(
    "--format",
    "--formats",
    "formats",
    metavar="LIST",
    help="Any of txt, srt, vtt, lrc, json, separated by commas.",
)
@click.option("--output-dir", metavar="DIR", help="Where results go; else beside each file.")
@click.option("--stdout", "to_stdout", is_flag=True, help="Print the first format; write no files.")
@click.option("--language", metavar="CODE", help="Language of the speech: auto, zh, en, yue...")
@click.option("--context", metavar="TEXT", help="Words likely to occur: names, terms, the topic.")
@click.option("--jobs", metavar="N", help="Files at once.")
@click.option("--timeout", metavar="SECONDS", help="Silence of the server that fails a file.")
@click.option("--config", "config_file", type=click.Path(path_type=Path), help="The config.py.")
@click.option("--log-level", metavar="LEVEL", help="debug, info, warning or error.")
def command(
    *,
    files: tuple[str, ...],
    is_local: bool,
    workers: str | None,
    model: str | None,
    to_stdout: bool,
    config_file: Path | None,
    **flags: str | None,
) -> int:
    """Transcribe audio and video files.

    For talk.mp3 it writes talk.txt, talk.srt and talk.json beside it. Where two files would write
    the same name, the whole name is kept: talk.mp3.txt, talk.wav.txt. Results that are there
    already are replaced.

    Ends with 0, or with 1 where a file failed (the others are done), or with 2 for wrong usage.
    """
    settings = load(ClientConfig, flags, config_file=config_file).value
    _check_usage(flags, is_local=is_local, only_local=(workers, model), to_stdout=to_stdout)
    sources = expanded(files, patterns=sys.platform == "win32")
    local = Local(workers, model, config_file) if is_local else None
    with Display(settings.log_level) as display:
        run = Run(sources, settings, display, printer=_print if to_stdout else None)
        if not run.check():
            return 1
        try:
            anyio.run(_transcribe, run, settings, local)
        except LocalServerFailed as error:
            return _explained(error, display)
    if run.cut_off:
        # Python flushes its standard output once more at the end, and would complain.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 1 if run.failed or run.cut_off else 0


def expanded(files: Sequence[str], *, patterns: bool) -> list[Path]:
    """Turn arguments into paths.

    Args:
        files: as they were typed.
        patterns: whether to expand ``*`` and ``?``, as shells do, and the Windows command
            line does not. A pattern that matches nothing stays, and fails as a missing file.
    """
    paths: list[Path] = []
    for file in files:
        matches: list[str] = []
        if patterns and ("*" in file or "?" in file):
            matches = sorted(glob.glob(file.replace("[", "[[]")))  # noqa: PTH207  may be absolute
        paths += map(Path, matches or [file])
    return paths


def _check_usage(
    flags: dict[str, str | None],
    *,
    is_local: bool,
    only_local: tuple[str | None, ...],
    to_stdout: bool,
) -> None:
    if is_local and flags["server"] is not None:
        raise UsageError("--local starts a server of its own; leave out --server")
    if not is_local and any(each is not None for each in only_local):
        raise UsageError("--workers and --model are for the server that --local starts")
    if to_stdout and flags["output_dir"] is not None:
        raise UsageError("--stdout writes no files; leave out --output-dir")


async def _transcribe(run: Run, settings: ClientConfig, local: Local | None) -> None:
    if local is None:
        await run.transcribe(await find_server(settings.server, token=settings.token))
        return
    async with own_server(local) as server:
        await run.transcribe(server)


def _print(content: bytes) -> None:
    sys.stdout.buffer.write(content)  # UTF-8, whatever the terminal's code page
    sys.stdout.buffer.flush()


def _explained(error: LocalServerFailed, display: Display) -> int:
    if error.status <= 0:
        display.line("error", f"capswriter: {error}")
    usage = UsageError.exit_status
    return usage if error.status == usage else 1
