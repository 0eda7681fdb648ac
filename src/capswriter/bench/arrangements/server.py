"""A server of our own with N workers, and clients that send it recordings over sockets."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import anyio
from websockets.exceptions import InvalidHandshake

from capswriter.audio import SAMPLE_RATE
from capswriter.bench.arrangements.base import Load, Notes, Trouble
from capswriter.bench.load import CLOSED, SILENT, Outcome, Work, deal
from capswriter.bench.result import Sample
from capswriter.bench.serving import NotServing, last_words, started
from capswriter.bench.trace import read_trace
from capswriter.client.upload import SEGMENT_S

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from capswriter.bench.result import Arrangement as Kind
    from capswriter.bench.serving import Served
    from capswriter.bench.subject import Subject

WARM_UP_S = 10.0
"""Seconds of audio with which a worker warms up; one segment."""


@dataclass(frozen=True, slots=True)
class OwnServer:
    """A server that is started for the run.

    Args:
        subject: what it serves.
        workers: how many it has.
        directory: for its log and its trace.
    """

    subject: Subject
    workers: int
    directory: Path
    kind: ClassVar[Kind] = "server"

    def work(self, load: Load, notes: Notes) -> None:
        """See ``Arrangement``."""
        trace = self.directory / "trace.jsonl"
        trace.unlink(missing_ok=True)
        try:
            anyio.run(self._work, load, notes, trace)
        except NotServing as error:
            raise Trouble(str(error)) from error
        finally:
            add_spans(trace, notes)

    async def _work(self, load: Load, notes: Notes, trace: Path) -> None:
        token = secrets.token_urlsafe()
        arguments = self.subject.serve(workers=self.workers, trace=trace)
        log = self.directory / "server.log"
        async with started(arguments, log=log, token=token) as served:
            await warm_up(served.url, load, workers=self.workers, token=token)
            await served.idle()
            with notes.measuring(front=served.pid):
                await send_all(served.url, load, notes, token=token, served=served)


async def warm_up(url: str, load: Load, *, workers: int, token: str) -> None:
    """Have every worker recognise something that does not count.

    Raises:
        Trouble: that fails.
    """
    samples = load.materials[0].samples[: round(WARM_UP_S * SAMPLE_RATE)]
    tasks = iter([Work("file", samples, "warm-up")] * (load.warm_up * workers))
    seen: list[Outcome] = []
    await dealt(url, tasks, load, seen.append, clients=workers, token=token)
    check(seen)


async def send_all(
    url: str, load: Load, notes: Notes, *, token: str = "", served: Served | None = None
) -> None:
    """Let clients send the recordings of a load, each once for each of its turns.

    Raises:
        Trouble: the server has gone, or hangs.
    """
    seen: list[Outcome] = []

    def note(outcome: Outcome) -> None:
        seen.append(outcome)
        notes.samples.append(sample(outcome, notes.began))

    await dealt(url, _works(load), load, note, clients=load.clients, token=token)
    check(seen, served)


def sample(outcome: Outcome, began: float) -> Sample:
    """Describe an outcome for a result; times count from ``began``."""
    return Sample(
        recording=outcome.name,
        client=outcome.client,
        sent=outcome.sent_at - began,
        spoken=outcome.spoken_at - began,
        ended=outcome.final_at - began,
        audio=outcome.seconds,
        text=outcome.text,
        error=outcome.error,
    )


def add_spans(trace: Path, notes: Notes) -> None:
    """Note what a server's trace tells of the time from the run's beginning on, if it is there."""
    try:
        spans = read_trace(trace, notes.began)
    except OSError:
        return
    notes.spans += [span for span in spans if span.began >= 0]


def _works(load: Load) -> Iterator[Work]:
    for material in load.turns():
        yield Work("file", material.samples, material.name, segment=SEGMENT_S)


async def dealt(
    url: str,
    works: Iterator[Work],
    load: Load,
    on_outcome: Callable[[Outcome], None],
    *,
    clients: int,
    token: str,
) -> None:
    """Let clients send tasks from one heap; see ``capswriter.bench.load.deal``.

    Raises:
        Trouble: there is no connection to be had.
    """
    try:
        await deal(
            url,
            works,
            clients=clients,
            on_outcome=on_outcome,
            token=token,
            patience=load.patience,
        )
    except (OSError, InvalidHandshake) as error:
        raise Trouble(f"no connection to the server: {error}") from error


def check(seen: list[Outcome], served: Served | None = None) -> None:
    """Look whether a server has gone.

    Raises:
        Trouble: a connection has ended, or a task got no answer.
    """
    errors = {outcome.error for outcome in seen}
    if CLOSED in errors:
        why = f"; its log ends with: {last_words(served.log)}" if served is not None else ""
        raise Trouble(f"the server has ended, or closed a connection{why}")
    if SILENT in errors:
        raise Trouble("the server gave no answer; it may hang")
