"""Subtitles: the text cut into cues of one or two lines, each with the time it is shown.

Where to cut is a shortest path. Every cue that fits on the screen and lasts at most
``LONGEST_S`` is an edge, and costs

- ``_CUE`` for being one more cue;
- for the place where it ends: nothing at the end of a sentence, most inside a word (``_ENDS``);
- for every sentence end and pause that it runs across (``_CROSSES``; a pause costs more the
  longer it is), so that cues break there;
- ``_CROWDED`` times the square of the share of the screen it fills: two half-full cues are
  better than a full one and a short rest;
- much, where the next cue would follow in less than ``SHORTEST_S`` (``_HASTY``), so that text
  too short for a cue of its own joins its neighbours.

The time is linear in the text: three hours of speech take about half a second.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate, pairwise
from math import inf
from typing import TYPE_CHECKING

from capswriter.text.breaking import PAUSE_S, Run, Seam, runs_of, shown
from capswriter.text.characters import LATIN_WIDTH

if TYPE_CHECKING:
    from collections.abc import Sequence

    from capswriter.transcript import Token

LINE_WIDTH = 42 * LATIN_WIDTH
"""42 Latin or 20 CJK characters."""
SHORTEST_S = 1.0
LONGEST_S = 7.0

_CUE = 2.0
_CROWDED = 3.0
_HASTY, _HASTY_PER_S = 10.0, 50.0
_ENDS = {
    Seam.SENTENCE: 0.0,
    Seam.PAUSE: 1.0,
    Seam.CLAUSE: 2.5,
    Seam.PHRASE: 5.0,
    Seam.WORD: 8.0,
    Seam.INSIDE: 20.0,
}
_CROSSES_SENTENCE = 2.5
_CROSSES_PAUSE, _CROSSES_PAUSE_PER_S = 2.0, 4.0
# For the border between two lines of a cue, against the difference of their widths.
_LINE_ENDS = {
    Seam.SENTENCE: 0,
    Seam.PAUSE: 60,
    Seam.CLAUSE: 60,
    Seam.PHRASE: 130,
    Seam.WORD: 260,
    Seam.INSIDE: 1000,
}
_LEAST_ROOM_S = 0.1  # for each cue, in audio that has no second to give to each


@dataclass(frozen=True, slots=True)
class Cue:
    """One subtitle.

    Args:
        start: when it appears, in seconds from the start of the audio.
        end: when it vanishes, in seconds; after ``start``, and not after the next one's start.
        lines: one or two, at most 42 Latin or 20 CJK characters each.
        text: its share of the transcript, with the white space before it: joined, the cues'
            texts are the transcript's.
    """

    start: float
    end: float
    lines: tuple[str, ...]
    text: str


def make_cues(tokens: Sequence[Token], *, duration: float | None = None) -> tuple[Cue, ...]:
    """Cut tokens into subtitles.

    A cue is shown from its first word to the end of its last one, and between 1 and 7 seconds:

    - a shorter one stays on into the silence that follows;
    - where the next one follows too soon, the text is cut elsewhere, so that both have their
      second; where the lines have no room for that (more than 84 characters in a second, the
      mark of a recogniser that lost the time), the next cue waits until the second is over;
    - towards the end of the audio, where waiting would lead past ``duration``, cues come
      earlier than their words instead. Only where the whole audio has less than a second for
      each cue are they shorter: an equal share, and never under 0.1 s.

    A single word longer than 7 seconds vanishes after 7.

    Args:
        tokens: in order; times in seconds.
        duration: of the audio, in seconds; without it, the last cue may stay on after the
            last word until its second is over.
    """
    runs = runs_of(tokens, widest=LINE_WIDTH)
    if not runs:
        return ()
    audio_end = inf if duration is None else max(duration, runs[-1].end)
    borders = _cut(runs, audio_end)
    parts = [runs[first:stop] for first, stop in pairwise(borders)]
    times = _times(parts, audio_end)
    return tuple(
        Cue(start, end, _lines(part), "".join(run.text for run in part))
        for part, (start, end) in zip(parts, times, strict=True)
    )


def _cut(runs: Sequence[Run], audio_end: float) -> list[int]:
    """Find the cheapest borders of cues: indices into ``runs``, with 0 and its length."""
    count = len(runs)
    starts = [run.start for run in runs] + [audio_end]
    ends = [run.end for run in runs]
    spaces = [run.space for run in runs] + [0]
    passed = list(accumulate((run.space + run.width for run in runs), initial=0))
    crossed = list(accumulate(map(_crossing, runs, [*runs[1:], runs[-1]]), initial=0.0))
    final = [_ENDS[run.seam] for run in runs[:-1]] + [0.0]
    line_stops = _line_stops(passed, spaces)
    best = [inf] * count + [0.0]
    choice = [count] * count
    for first in range(count - 1, -1, -1):
        start = starts[first]
        cheapest, chosen = inf, first + 1
        for stop in range(first + 1, line_stops[line_stops[first]] + 1):
            if ends[stop - 1] - start > LONGEST_S and stop > first + 1:
                break
            share = (passed[stop] - passed[first] - spaces[first]) / (2 * LINE_WIDTH)
            cost = best[stop] + _CUE + final[stop - 1] + _CROWDED * share * share
            cost += crossed[stop - 1] - crossed[first]
            room = starts[stop] - start
            if room < SHORTEST_S:
                cost += _HASTY + _HASTY_PER_S * (SHORTEST_S - room)
            if cost < cheapest:
                cheapest, chosen = cost, stop
        best[first], choice[first] = cheapest, chosen
    borders = [0]
    while borders[-1] < count:
        borders.append(choice[borders[-1]])
    return borders


def _crossing(run: Run, following: Run) -> float:
    cost = _CROSSES_SENTENCE if run.seam is Seam.SENTENCE else 0.0
    gap = following.start - run.end
    return cost + (_CROSSES_PAUSE + _CROSSES_PAUSE_PER_S * gap if gap >= PAUSE_S else 0.0)


def _line_stops(passed: Sequence[int], spaces: Sequence[int]) -> list[int]:
    """For each run, and for the end, the run after the last that fits on a line with it."""
    count = len(passed) - 1
    stops = []
    stop = 0
    for first in range(count):
        stop = max(stop, first + 1)
        while stop < count and passed[stop + 1] - passed[first] - spaces[first] <= LINE_WIDTH:
            stop += 1
        stops.append(stop)
    return [*stops, count]


def _lines(part: Sequence[Run]) -> tuple[str, ...]:
    passed = list(accumulate((run.space + run.width for run in part), initial=0))
    whole = passed[-1] - part[0].space
    if whole <= LINE_WIDTH:
        return (shown("".join(run.text for run in part)),)
    cheapest, border = inf, 1
    for stop in range(1, len(part)):
        upper = passed[stop] - part[0].space
        lower = passed[-1] - passed[stop] - part[stop].space
        cost = abs(upper - lower) + _LINE_ENDS[part[stop - 1].seam]
        if max(upper, lower) <= LINE_WIDTH and cost < cheapest:
            cheapest, border = cost, stop
    halves = (part[:border], part[border:])
    return tuple(shown("".join(run.text for run in half)) for half in halves)


def _times(parts: Sequence[Sequence[Run]], audio_end: float) -> list[tuple[float, float]]:
    room = max(audio_end, len(parts) * _LEAST_ROOM_S)
    shortest = min(SHORTEST_S, room / len(parts))
    starts: list[float] = []
    earliest = 0.0
    for part in parts:
        starts.append(max(part[0].start, earliest))
        earliest = starts[-1] + shortest
    latest = room
    for index in reversed(range(len(starts))):
        starts[index] = max(0.0, min(starts[index], latest - shortest))
        latest = starts[index]
    following = [*starts[1:], room]
    return [
        (start, min(max(part[-1].end, start + shortest), start + LONGEST_S, limit))
        for part, start, limit in zip(parts, starts, following, strict=True)
    ]
