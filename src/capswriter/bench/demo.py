"""``scripts/demo``: two workers, both samples at once, the texts and the figures."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
import click

from capswriter.bench.errors_in_text import word_error_rate
from capswriter.cli import guarded
from capswriter.client.local import Local, LocalServerFailed, own_server
from capswriter.client.transcribe import Transcription, transcribe
from capswriter.errors import UserError
from capswriter.text.formats import to_txt

if TYPE_CHECKING:
    from capswriter.client.server import Server

WORKERS = 2
HIGHEST_ERROR_RATE = 0.08


@dataclass(slots=True)
class Quiet:
    """Watches a transcription without a word."""

    def covered(self, seconds: float, total: float | None, /) -> None:
        """Nothing is shown while it runs."""

    def again(self, reason: str, pause: float, /) -> None:
        """Say why a file starts over."""
        click.echo(f"{reason}; again in {pause:g} s", err=True)


async def demonstrate(files: list[Path]) -> bool:
    """Transcribe the files at once and print what came of it; tell whether all went well."""
    done: dict[Path, Transcription] = {}

    async def one(file: Path, server: Server) -> None:
        try:
            done[file] = await transcribe(file, server, Quiet())
        except UserError as error:
            click.echo(f"{file.name}: {error}", err=True)

    click.echo(f"starting a server with {WORKERS} workers ...")
    async with own_server(Local(workers=str(WORKERS))) as server:
        began = time.perf_counter()
        async with anyio.create_task_group() as tasks:
            for file in files:
                tasks.start_soon(one, file, server)
        wall = time.perf_counter() - began
    good = len(done) == len(files)
    for file, transcription in sorted(done.items()):
        text = transcription.transcript.text
        rate = word_error_rate(file.with_suffix(".txt").read_text(encoding="utf-8"), text)
        good = good and rate <= HIGHEST_ERROR_RATE and transcription.problem is None
        click.echo(f"\n{file.name}\n\n{to_txt(transcription.transcript.tokens)}")
        click.echo(f"word error rate {rate:.2%}, {transcription.seconds:.1f} s of audio")
    audio = sum(each.seconds for each in done.values())
    if not audio:
        return False
    click.echo(
        f"\n{audio:.1f} s of audio in {wall:.1f} s: real-time factor {wall / audio:.3f}, "
        f"{audio / wall:.1f} times as fast as speech, {WORKERS} workers"
    )
    return good


def main() -> int:
    """Find the samples, show them; 0 if every error rate is what it should be."""
    samples = Path("ref_codes", "samples")
    files = sorted(samples.glob("*.mp3"))
    if not files:
        click.echo(f"no recordings in {samples}; run this in the project's folder", err=True)
        return 1
    try:
        return 0 if anyio.run(demonstrate, files) else 1
    except LocalServerFailed:
        return 1  # it has said why


if __name__ == "__main__":
    sys.exit(guarded(main))
