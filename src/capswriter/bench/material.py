"""The recordings that are measured with: read once, and cut as a server cuts them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from capswriter.audio import SAMPLE_RATE
from capswriter.audio.decode import AudioFile, DecodeFailed
from capswriter.audio.segment import Segment, Segmenter, SegmentPolicy
from capswriter.bench.result import Recording
from capswriter.errors import UserError
from capswriter.sessions.merge import Merger

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from capswriter.audio import Samples
    from capswriter.transcript import Transcript


class NothingToHear(UserError):
    """No recording can be used."""


@dataclass(frozen=True, slots=True, eq=False)
class Material:
    """A recording.

    Args:
        name: of it, unlike all others'.
        samples: float32[n], mono, 16 kHz, in the steps of 16 bits in which clients send them.
        reference: what was really said, where that is known.
    """

    name: str
    samples: Samples
    reference: str | None = None

    @property
    def seconds(self) -> float:
        """Seconds of audio."""
        return len(self.samples) / SAMPLE_RATE

    def recording(self, expected: str | None = None) -> Recording:
        """Describe it for a result."""
        return Recording(
            name=self.name, seconds=self.seconds, expected=expected, reference=self.reference
        )


def read(files: Sequence[Path]) -> tuple[list[Material], list[str]]:
    """Read recordings, each with what was said, if there is a text file of its name beside it.

    Returns:
        Those that can be used, and a line for each that cannot.

    Raises:
        NothingToHear: there is none that can be used.
    """
    found, missing = [], []
    often = Counter(file.name for file in files)
    for file in dict.fromkeys(files):
        try:
            with AudioFile(file) as audio:
                samples = np.concatenate(list(audio.blocks()))
        except DecodeFailed as error:
            missing.append(str(error))
            continue
        except OSError as error:
            missing.append(f"{file} cannot be read: {(error.strerror or str(error)).lower()}")
            continue
        name = file.name if often[file.name] == 1 else str(file)
        found.append(Material(name, _sent(samples), _reference(file)))
    if not found:
        raise NothingToHear("; ".join(missing) or "name recordings to measure with")
    return found, missing


@lru_cache(maxsize=1024)
def cut(material: Material, maximum: float) -> tuple[Segment, ...]:
    """Cut a recording as a session of the server does, for an engine that takes so many seconds."""
    segmenter = Segmenter(SegmentPolicy().within(maximum))
    segments = [*segmenter.push(material.samples, last=True), *segmenter.finish()]
    return tuple(segment for segment in segments if segment.samples is not None)


def merged(segments: Sequence[Segment], transcripts: Mapping[int, Transcript]) -> str:
    """Make one text of those of all segments, by their places."""
    merger = Merger()
    tokens = [
        token
        for place, segment in enumerate(segments)
        for token in merger.add(segment, transcripts[place])
    ]
    return "".join(token.text for token in [*tokens, *merger.finish()])


def _sent(samples: Samples) -> Samples:
    """Round as clients do."""
    steps = np.clip(np.round(samples * 32_768), -32_768, 32_767)
    return (steps / 32_768).astype(np.float32)


def _reference(file: Path) -> str | None:
    try:
        return file.with_suffix(".txt").read_text(encoding="utf-8").strip() or None
    except (OSError, UnicodeDecodeError):
        return None
