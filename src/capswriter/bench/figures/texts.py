"""Whether the texts are right."""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from capswriter.bench.result import Recording, Result, Sample


@dataclass(frozen=True, slots=True)
class Correctness:
    """How many texts are exactly what is expected.

    Args:
        right: tasks whose text is the expected one.
        wrong: tasks whose text is another, or that ended in an error.
        unjudged: tasks of recordings of which no text is expected.
        wrong_names: recordings with a wrong text, each once.
        untried: recordings with an expected text that nobody sent, and those without one.
    """

    right: int
    wrong: int
    unjudged: int
    wrong_names: tuple[str, ...]
    untried: tuple[str, ...]


def correctness(result: Result, samples: Iterable[Sample]) -> Correctness:
    """Compare the text of each sample with ``expected`` of its recording."""
    expected = {recording.name: recording.expected for recording in result.recordings}
    right = unjudged = 0
    wrong: list[str] = []
    tried = set[str]()
    for sample in samples:
        text = expected.get(sample.recording)
        if sample.text is not None and text is None:
            unjudged += 1
            continue
        tried.add(sample.recording)
        if sample.text is not None and sample.text == text:
            right += 1
        else:
            wrong.append(sample.recording)
    untried = tuple(name for name in expected if name not in tried)
    return Correctness(right, len(wrong), unjudged, tuple(dict.fromkeys(wrong)), untried)


def error_rates(recordings: Sequence[Recording], samples: Iterable[Sample]) -> dict[str, float]:
    """Compare texts with what was really said.

    Returns:
        The median error rate of each recording that has a ``reference`` and was recognised: by
        words, or by characters where most of the reference is written without spaces.

    Raises:
        ModuleNotFoundError: the package that counts is not installed (extra ``bench``).
    """
    from capswriter.bench.errors_in_text import error_rate  # noqa: PLC0415  # an extra

    references = {each.name: each.reference for each in recordings if each.reference}
    found: dict[str, list[float]] = {}
    known: dict[tuple[str, str], float] = {}
    for sample in samples:
        reference = references.get(sample.recording)
        if reference is None or sample.text is None:
            continue
        key = sample.recording, sample.text
        if key not in known:
            known[key] = error_rate(reference, sample.text, language=_language(reference))
        found.setdefault(sample.recording, []).append(known[key])
    return {name: statistics.median(rates) for name, rates in sorted(found.items())}


def _language(text: str) -> str:
    letters = [letter for letter in text if letter.isalpha()]
    spaceless = sum("\u3040" <= letter <= "\u9fff" for letter in letters)
    return "zh" if 2 * spaceless > len(letters) else "en"
