"""``scripts/accuracy FOLDER``: is what the server says what the engine says, and how right is it.

Each recording of ``FOLDER/manifest.json`` (a list of ``file``, ``language``, ``text``) goes through
a real server and a real client. The same file is cut by our segmenter and every segment given to
faster-whisper by its public interface; the two texts must be equal.
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
import click

from capswriter.audio import SAMPLE_RATE
from capswriter.audio.decode import AudioFile
from capswriter.audio.segment import Segmenter
from capswriter.bench.demo import Quiet
from capswriter.bench.errors_in_text import SPACELESS, error_rate, plain
from capswriter.cli import guarded
from capswriter.client.local import Local, own_server
from capswriter.client.transcribe import transcribe
from capswriter.models.store import ModelStore

if TYPE_CHECKING:
    from faster_whisper import BatchedInferencePipeline

MODEL = "whisper-base"


@dataclass(frozen=True, slots=True)
class Row:
    """One recording's line in the table."""

    name: str
    language: str
    seconds: float
    rate: float
    equal: bool


async def through_server(files: list[Path]) -> list[str]:
    """Give the text of each file as client and server make it."""
    texts = []
    async with own_server(Local(model=MODEL)) as server:
        for file in files:
            done = await transcribe(file, server, Quiet())
            texts.append(done.transcript.text)
    return texts


def directly(file: Path, pipeline: BatchedInferencePipeline) -> tuple[str, float]:
    """Give the text of faster-whisper on the same segments, and the seconds of audio."""
    segmenter = Segmenter()
    with AudioFile(file) as audio:
        segments = [segment for block in audio.blocks() for segment in segmenter.push(block)]
    segments += segmenter.finish()
    texts = []
    for segment in segments:
        if segment.samples is None:
            continue
        clip = {"start": 0.0, "end": len(segment.samples) / SAMPLE_RATE}
        heard, _ = pipeline.transcribe(
            segment.samples, vad_filter=False, clip_timestamps=[clip], batch_size=1
        )
        texts.append("".join(each.text for each in heard).strip())
    return " ".join(texts), segments[-1].end / SAMPLE_RATE


def measure(folder: Path) -> list[Row]:
    """Make the table's rows."""
    from faster_whisper import BatchedInferencePipeline, WhisperModel  # noqa: PLC0415

    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    files = [folder / entry["file"] for entry in manifest]
    texts = anyio.run(through_server, files)
    directory = str(ModelStore().path(MODEL))
    model = WhisperModel(directory, device="cpu", compute_type="int8", cpu_threads=1)
    pipeline = BatchedInferencePipeline(model)
    rows = []
    for entry, file, text in zip(manifest, files, texts, strict=True):
        direct, seconds = directly(file, pipeline)
        language = entry["language"]
        rate = error_rate(entry["text"], text, language=language)
        rows.append(Row(file.name, language, seconds, rate, plain(direct) == plain(text)))
        click.echo(f"{file.name}\n  server: {text}\n  direct: {direct}", err=True)
    return rows


def table(rows: list[Row]) -> str:
    """Write the rows in Markdown."""
    lines = [
        "| recording | language | seconds | WER / CER | equals faster-whisper |",
        "|---|---|--:|--:|---|",
    ]
    for row in rows:
        kind = "CER" if row.language in SPACELESS else "WER"
        equal = "yes" if row.equal else "no"
        lines.append(
            f"| {row.name} | {row.language} | {row.seconds:.1f} | {row.rate:.1%} {kind} | {equal} |"
        )
    return "\n".join(lines)


def main() -> int:
    """Print the table; 0 if every text equals faster-whisper's."""
    if len(sys.argv) != 2:  # noqa: PLR2004
        raise click.UsageError("scripts/accuracy FOLDER, which holds a manifest.json")
    rows = measure(Path(sys.argv[1]))
    click.echo(table(rows))
    return 0 if all(row.equal for row in rows) else 1


if __name__ == "__main__":
    sys.exit(guarded(main))
