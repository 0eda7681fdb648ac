"""The trace of a server: which worker did what when, and where an utterance's time went.

Start the server with ``capswriter serve --trace FILE``; it writes the lines as things happen, and
the last of them when it has ended. Both need the server to be on the same machine, whose clock is
the one that ``time.monotonic`` reads here and there.
"""

from __future__ import annotations

import itertools
import json
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from capswriter.bench.result import Span, Stages

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import Any


@dataclass(frozen=True, slots=True)
class Times:
    """When the last segment of an utterance, and its text, came to where; monotonic seconds.

    Args:
        arrived: its last bytes had been read from the socket.
        queued: the segment waited for a worker.
        taken: a worker was given it.
        began: the engine began.
        ended: the engine ended.
        answered: the front had the answer.
        written: the text was complete.
        sent: the socket had taken it.
    """

    arrived: float
    queued: float
    taken: float
    began: float
    ended: float
    answered: float
    written: float
    sent: float

    def stages(self, spoken: float, heard: float) -> Stages:
        """Divide the time that a client waited; what was done before it waited counts for nothing.

        Args:
            spoken: monotonic time at which the client's last byte left.
            heard: likewise, at which it had the text.
        """
        points = (self.queued, self.taken, self.began, self.ended, self.answered, self.written)
        passed = [spoken]
        for point in (*points, heard):
            passed.append(min(max(passed[-1], point), heard))
        receive, queue, to_worker, engine, to_front, merge, send = (
            after - before for before, after in itertools.pairwise(passed)
        )
        return Stages(
            receive=receive,
            queue=queue,
            pipe=to_worker + to_front,
            engine=engine,
            merge=merge,
            send=send,
            total=heard - spoken,
        )


def read_trace(path: Path, began: float) -> tuple[Span, ...]:
    """Read what each worker did when, guesses included.

    Args:
        path: of the trace.
        began: monotonic time of this process, from which the spans' times count.

    Raises:
        OSError: it cannot be read.
    """
    return tuple(
        Span(
            worker=line["worker"],
            began=line["began"] - began,
            ended=line["ended"] - began,
            audio=line["audio"],
        )
        for line in _lines(path)
        if line["event"] == "segment"
    )


def read_utterances(path: Path) -> tuple[Times, ...]:
    """Read the times of each utterance that had a text, in the order in which they were sent.

    Raises:
        OSError: it cannot be read.
    """
    found: list[Times] = []
    open_ones: defaultdict[tuple[str, str], _Open] = defaultdict(_Open)
    for line in _lines(path):
        whose = (line["connection"], line["task"])
        if line["event"] == "segment":
            open_ones[whose].segment = line
        elif line["event"] == "written":
            open_ones[whose].written = line
        elif line["event"] == "sent":
            known = open_ones.pop(whose, _Open())
            if known.segment and known.written:
                points = {**known.segment, **known.written, **line}
                found.append(Times(**{name: points[name] for name in Times.__slots__}))
    return tuple(found)


@dataclass(slots=True)
class _Open:
    """What is known of an utterance that has not been sent: the newest of its lines."""

    segment: dict[str, Any] = field(default_factory=dict)
    written: dict[str, Any] = field(default_factory=dict)


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    """Read the lines that are complete: the server may still be writing."""
    with path.open(encoding="utf-8") as file:
        for line in file:
            if line.endswith("\n"):
                yield json.loads(line)
