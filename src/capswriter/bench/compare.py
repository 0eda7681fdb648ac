"""One worker against several, in turns, beside what their number could do at best.

In every round each arrangement does the same work once; every other round runs backwards, so that a
machine that gets slower or busier favours none.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

from capswriter.bench.arrangements import (
    INTERRUPTED,
    Bare,
    OwnServer,
    SharedQueue,
    observed,
)
from capswriter.bench.figures import plural, throughput
from capswriter.bench.figures.groups import NAMES
from capswriter.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractContextManager

    from capswriter.bench.arrangements import Load
    from capswriter.bench.arrangements.base import Arrangement
    from capswriter.bench.draft import Draft
    from capswriter.bench.result import Run
    from capswriter.bench.subject import Subject


class CannotMeasure(UserError):
    """The engine does not do what is to be measured."""


class Teller(Protocol):
    """Is told how a measurement gets on."""

    def doing(self, what: str, /) -> AbstractContextManager[None]:
        """Something takes until the end of the block."""

    def done(self, what: str, /) -> None:
        """Something is done."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """What is compared.

    Args:
        subject: model, server and engine.
        workers: numbers of them.
        load: the work of each run.
        rounds: how many.
        bare: with the limit: as many processes that do nothing else.
        queue: with as many processes that share a queue.
    """

    subject: Subject
    workers: Sequence[int]
    load: Load
    rounds: int = 2
    bare: bool = True
    queue: bool = True

    @property
    def settings(self) -> dict[str, str | int | float | bool | None]:
        """Everything that decides the figures, for a result."""
        load = self.load
        return {
            "workers": ", ".join(map(str, self.workers)),
            "rounds": self.rounds,
            "passes": load.passes,
            "seconds": load.seconds if load.passes is None else None,
            "clients": load.clients,
            "warm-up": load.warm_up,
            "interval": load.interval,
        }


def order(wanted: Comparison, number: int, draft: Draft) -> list[Arrangement]:
    """Give the arrangements of a round in their order."""
    subject = wanted.subject
    turns: list[Arrangement] = [
        OwnServer(subject, workers, draft.directory) for workers in wanted.workers
    ]
    if wanted.bare:
        turns += [Bare(subject.loading, workers) for workers in wanted.workers]
    if wanted.queue:  # one alone shares it with nobody
        turns += [SharedQueue(subject.loading, each) for each in wanted.workers if each > 1]
    return turns if number % 2 == 0 else turns[::-1]


def compare(wanted: Comparison, draft: Draft, teller: Teller) -> bool:
    """Measure; what comes of each run is in ``draft`` and on the disk at once.

    Returns:
        False where it was interrupted.

    Raises:
        CannotMeasure: the engine fails without a server already.
    """
    rounds = [order(wanted, number, draft) for number in range(wanted.rounds)]
    total, made = sum(map(len, rounds)), 0
    if not expect(wanted, draft, teller):
        draft.missing.append(f"interrupted before the first of {plural(total, 'run')}")
        draft.save()
        return False
    for number, turns in enumerate(rounds):
        for arrangement in turns:
            made += 1
            what = f"{NAMES[arrangement.kind]}, {plural(arrangement.workers, 'worker')}"
            with teller.doing(f"round {number + 1} of {wanted.rounds}: {what}"):
                run = observed(arrangement, wanted.load, number=number)
            draft.runs.append(run)
            interrupted = run.error == INTERRUPTED
            if interrupted:
                left = f"interrupted in run {made} of {total}"
                draft.missing.append(left + (f"; {total - made} were not begun" * (made < total)))
            draft.save()
            if interrupted:
                return False
            teller.done(f"{made:{len(str(total))}}/{total}  {what:22}  {outcome(run)}")
    return True


def expect(wanted: Comparison, draft: Draft, teller: Teller) -> bool:
    """Find the text that one process alone makes of each recording; every other is held to it.

    Returns:
        False where it was interrupted.

    Raises:
        CannotMeasure: the engine fails.
    """
    once = replace(wanted.load, passes=1, seconds=float("inf"), warm_up=0)
    with teller.doing("the texts of one process alone"):
        run = observed(Bare(wanted.subject.loading, 1), once, number=0)
    texts = {sample.recording: sample.text for sample in run.samples}
    draft.recordings = [each.recording(texts.get(each.name)) for each in wanted.load.materials]
    if run.error == INTERRUPTED:
        return False
    if run.error:
        raise CannotMeasure(f"{wanted.subject.name} cannot be measured: {run.error}")
    teller.done(f"the texts of one process alone: {outcome(run)}")
    return True


def outcome(run: Run) -> str:
    """Say in a few words what came of a run."""
    if run.error:
        return run.error
    rate = throughput(run)
    if rate is None:
        return "no text"
    return f"{rate:.2f} s of audio a second, {run.seconds:.1f} s"
