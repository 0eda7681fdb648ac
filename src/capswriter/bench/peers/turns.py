"""Our server and other programs, in turns, over the same recordings."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from capswriter.bench.arrangements import INTERRUPTED, OwnServer, observed
from capswriter.bench.compare import outcome
from capswriter.bench.figures import common, error_rates, groups, plural, throughput, waits
from capswriter.bench.peers.loop import Loop
from capswriter.bench.tables import Table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from capswriter.bench.arrangements import Load
    from capswriter.bench.arrangements.base import Arrangement
    from capswriter.bench.compare import Teller
    from capswriter.bench.draft import Draft
    from capswriter.bench.figures import Group, Ratio
    from capswriter.bench.peers.programs import Program
    from capswriter.bench.result import Result, Run
    from capswriter.bench.subject import Subject

AT_ONCE, ONE = "server", "server, one file at a time"
"""Names of our runs: with all clients, and with a single one."""

NONE = "–"


@dataclass(frozen=True, slots=True)
class Contest:
    """What is compared.

    Args:
        subject: what our server serves.
        programs: the others.
        workers: of our server.
        load: the work of each run.
        rounds: how many.
        left_out: programs that cannot be compared, and why; a line each.
    """

    subject: Subject
    programs: Sequence[Program]
    workers: int
    load: Load
    rounds: int = 3
    left_out: Sequence[str] = ()

    @property
    def settings(self) -> dict[str, str | int | float | bool | None]:
        """Everything that decides the figures, for a result."""
        return {
            "workers": self.workers,
            "rounds": self.rounds,
            "passes": self.load.passes,
            "clients": self.load.clients,
            "warm-up": self.load.warm_up,
            "interval": self.load.interval,
            "programs": "; ".join(program.name for program in self.programs),
            "left out": "; ".join(self.left_out) or None,
        }


def contest(wanted: Contest, draft: Draft, teller: Teller) -> bool:
    """Measure; what comes of each run is in ``draft`` and on the disk at once.

    Every other round runs backwards, so that a machine that gets slower favours nobody.

    Returns:
        False where it was interrupted.
    """
    draft.recordings = [each.recording() for each in wanted.load.materials]
    ours = OwnServer(wanted.subject, wanted.workers, draft.directory)
    turns: list[tuple[str, Arrangement, Load]] = [
        (AT_ONCE, ours, wanted.load),
        (ONE, ours, replace(wanted.load, clients=1)),
    ]
    turns += [(each.name, Loop(each), wanted.load) for each in wanted.programs]
    total = len(turns) * wanted.rounds
    for number in range(wanted.rounds):
        for name, arrangement, load in turns if number % 2 == 0 else turns[::-1]:
            with teller.doing(f"round {number + 1} of {wanted.rounds}: {name}"):
                run = observed(arrangement, load, number=number)
            draft.runs.append(run.model_copy(update={"name": name}))
            made = len(draft.runs)
            if run.error == INTERRUPTED:
                left = f"; {plural(total - made, 'run')} were not begun" if made < total else ""
                draft.missing.append(f"interrupted in run {made} of {total}{left}")
                draft.save()
                return False
            draft.save()
            teller.done(f"{made:{len(str(total))}}/{total}  {name}: {outcome(run)}")
    return True


def peers_table(result: Result) -> Table:
    """Lay out each program beside ours; ratios are medians of those of each round."""
    found = groups(result)
    ours = {each.name: each for each in found if each.arrangement == "server"}
    at_once, one = ours.get(AT_ONCE), ours.get(ONE)
    header = ["", "audio s/s", "ours, all at once, by theirs", "s for a file"]
    header += ["theirs by ours, one at a time", "errors"]
    rows = []
    for each in found:
        faster = common(at_once, each, throughput)
        sooner = common(each, one, _middle_wait)
        is_peer = each.arrangement == "peer"
        rows.append(
            [
                each.label,
                _figure(each.median(throughput)),
                _ratio(faster) if is_peer else NONE,
                _figure(each.median(_middle_wait)),
                _ratio(sooner) if is_peer else NONE,
                _errors(result, each),
            ]
        )
    return Table(header, rows)


def _middle_wait(run: Run) -> float | None:
    found = waits(run.samples)
    return found.p50 if found else None


def _figure(value: float | None) -> str:
    return NONE if value is None else f"{value:.2f}"


def _ratio(found: Ratio | None) -> str:
    return NONE if found is None else f"{found.median:.2f} ×"


def _errors(result: Result, of: Group) -> str:
    """Errors in all recordings with a known text, weighted by their length."""
    rates = error_rates(result.recordings, of.samples)
    seconds = {each.name: each.seconds for each in result.recordings if each.name in rates}
    if not rates:
        return NONE
    whole = sum(rates[name] * seconds[name] for name in rates)
    return f"{whole / sum(seconds.values()):.1%}"
