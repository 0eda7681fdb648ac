"""The files that are written: how they are called, what is in them, and that they are whole."""

from __future__ import annotations

import os
import unicodedata
import uuid
from collections import Counter
from dataclasses import dataclass, replace
from itertools import count
from typing import TYPE_CHECKING

from capswriter.errors import UserError
from capswriter.text.formats import to_json, to_lrc, to_srt, to_txt, to_vtt
from capswriter.text.subtitles import make_cues

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from capswriter.settings.values import Format
    from capswriter.transcript import Transcript


@dataclass(frozen=True, slots=True)
class Target:
    """A file to transcribe, and where its results go.

    Args:
        source: the file.
        directory: of the results.
        stem: the results' names without ``.txt`` and the like.
    """

    source: Path
    directory: Path
    stem: str

    def path(self, extension: Format) -> Path:
        """Where the result of this format goes."""
        return self.directory / f"{self.stem}.{extension}"


def plan(
    sources: Sequence[Path], formats: Sequence[Format], output_dir: Path | None
) -> tuple[Target, ...]:
    """Find a name for every result; a file that is given twice is taken once.

    ``talk.mp3`` gives ``talk.txt``. Where two files would write the same name (``talk.mp3`` and
    ``talk.wav``), or a result would replace one of the files given, the whole name is kept:
    ``talk.mp3.txt``, ``talk.wav.txt``. Where that is the same too (two directories, one
    ``output_dir``), the second is called ``talk.mp3-2.txt``.

    Args:
        sources: the files.
        formats: the extensions of the results.
        output_dir: where all results go; None for beside each file.
    """
    sources = list({source.resolve(): source for source in reversed(sources)}.values())[::-1]
    inputs = {_folded(source.resolve()) for source in sources}
    short = [Target(each, output_dir or each.parent, each.stem) for each in sources]
    shared = Counter(map(_key, short))
    taken: set[str] = set()

    def is_free(target: Target) -> bool:
        paths = [target.path(each).resolve() for each in formats]
        return _key(target) not in taken and inputs.isdisjoint(map(_folded, paths))

    planned: dict[Path, Target] = {}
    for target in short:
        if shared[_key(target)] == 1 and is_free(target):
            planned[target.source] = target
            taken.add(_key(target))
    for target in short:
        if target.source not in planned:
            planned[target.source] = chosen = next(filter(is_free, _longer(target)))
            taken.add(_key(chosen))
    return tuple(planned[each] for each in sources)


def _longer(target: Target) -> Iterator[Target]:
    name = target.source.name
    yield replace(target, stem=name)
    for number in count(2):
        yield replace(target, stem=f"{name}-{number}")


def _key(target: Target) -> str:
    return _folded(target.directory.resolve() / target.stem)


def _folded(path: Path) -> str:
    """Fold what some file systems do not tell apart: case, and composed characters."""
    return unicodedata.normalize("NFC", str(path)).casefold()


def rendered(transcript: Transcript, formats: Sequence[Format], *, duration: float) -> list[bytes]:
    """Write a transcript in each of the formats, UTF-8.

    Args:
        transcript: times in seconds.
        formats: in the order of the results.
        duration: of the audio, in seconds.
    """
    cues = make_cues(transcript.tokens, duration=duration)
    writers = {
        "txt": lambda: to_txt(transcript.tokens),
        "srt": lambda: to_srt(cues),
        "vtt": lambda: to_vtt(cues),
        "lrc": lambda: to_lrc(cues),
        "json": lambda: to_json(transcript, cues, duration=duration),
    }
    return [writers[each]().encode() for each in formats]


def prepare(directory: Path) -> None:
    """Make a directory for results, and make sure that files can be written there.

    Raises:
        UserError: they cannot.
    """
    try:
        directory.mkdir(parents=True, exist_ok=True)
        _write(directory / _temporary(), b"").unlink()
    except OSError as error:
        raise _unwritable(directory, error) from error


def write(path: Path, content: bytes) -> None:
    """Write a file whole or not at all; one that is there already is replaced.

    Raises:
        UserError: it cannot be written.
    """
    temporary = path.with_name(_temporary())
    try:
        try:
            _write(temporary, content).replace(path)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise _unwritable(path, error) from error


def _write(path: Path, content: bytes) -> Path:
    with path.open("xb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    return path


def _temporary() -> str:
    return f".capswriter-{uuid.uuid4().hex[:12]}"


def _unwritable(path: Path, error: OSError) -> UserError:
    reason = (error.strerror or str(error)).lower()
    return UserError(f"cannot write {path}: {reason}; name another place with --output-dir")
