"""What was seen of each process from the beginning to the end, in one table."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from capswriter.monitor.sampling import Reading

MIB = 2**20


@dataclass(slots=True)
class Seen:
    """What was seen of all processes that had one name, or of all processes together.

    Args:
        pids: of them, in the order in which they came.
        began: when there was the first of them.
        ended: when there was the last.
        cpu: seconds of the processor that they have taken.
        cpu_peak: percent of one core, between two rounds.
        rss_peak: bytes.
        pss_peak: bytes; None where it is not told.
    """

    pids: list[int] = field(default_factory=list)
    began: float = 0.0
    ended: float = 0.0
    cpu: float = 0.0
    cpu_peak: float = 0.0
    rss_peak: int = 0
    pss_peak: int | None = None

    @property
    def cpu_mean(self) -> float:
        """Percent of one core; 0 where there was but one look."""
        span = self.ended - self.began
        return 100 * self.cpu / span if span > 0 else 0.0

    def add(self, readings: Sequence[Reading], *, began: float, cpu: float) -> None:
        """Take note of a round.

        Args:
            readings: of it that count.
            began: when the round before was.
            cpu: seconds taken since then.
        """
        ended = max(reading.at for reading in readings)
        if not self.pids:
            self.began = began
        self.pids += [each.pid for each in readings if each.pid not in self.pids]
        self.ended = ended
        self.cpu += cpu
        if ended > began:
            self.cpu_peak = max(self.cpu_peak, 100 * cpu / (ended - began))
        self.rss_peak = max(self.rss_peak, sum(each.use.rss for each in readings))
        pss = total_pss(readings)
        if pss is not None:
            self.pss_peak = max(self.pss_peak or 0, pss)


class Summary:
    """Gathers what there is to tell in the end."""

    def __init__(self) -> None:
        self.seen: dict[str, Seen] = {}
        self.all = Seen()
        self._cpu: dict[tuple[str, int], float] = {}
        self._before: float | None = None

    @property
    def seconds(self) -> float:
        """How long was looked at the processes."""
        return self.all.ended - self.all.began

    def add(self, readings: Sequence[Reading]) -> None:
        """Take note of a round."""
        now = max(reading.at for reading in readings)
        before = now if self._before is None else self._before
        self._before = now
        taken = {(r.process, r.pid): r.cpu for r in readings}
        new = {key: max(0.0, cpu - self._cpu.get(key, 0.0)) for key, cpu in taken.items()}
        self._cpu = taken
        for reading in readings:
            seen = self.seen.setdefault(reading.process, Seen())
            seen.add([reading], began=before, cpu=new[reading.process, reading.pid])
        self.all.add(readings, began=before, cpu=sum(new.values()))

    def table(self) -> Table:
        """Lay it out."""
        table = Table(title=f"{self.seconds:.1f} s", title_justify="left")
        table.add_column("process")
        for heading in ("processes", "cpu %", "peak cpu %", "peak RSS MiB", "peak PSS MiB"):
            table.add_column(heading, justify="right")
        for name in sorted(self.seen, key=_place):
            table.add_row(*_row(name, self.seen[name]))
        table.add_section()
        table.add_row(*_row("all", self.all))
        return table


def total_pss(readings: Iterable[Reading]) -> int | None:
    """Add up PSS; None where it is not told of each."""
    total = 0
    for reading in readings:
        if reading.use.pss is None:
            return None
        total += reading.use.pss
    return total


def mib(size: int | None) -> str:
    """Write bytes as MiB."""
    return "-" if size is None else f"{size / MIB:.1f}"


def _place(name: str) -> tuple[bool, bool, int, str]:
    """Sort the front before all, and ``worker 10`` behind ``worker 9``."""
    word, _, number = name.partition(" ")
    return word != "front", word == "worker", int(number or 0), name


def _row(name: str, seen: Seen) -> tuple[str, ...]:
    return (
        name,
        str(len(seen.pids)),
        f"{seen.cpu_mean:.1f}",
        f"{seen.cpu_peak:.1f}",
        mib(seen.rss_peak),
        mib(seen.pss_peak),
    )
