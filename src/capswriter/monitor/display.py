"""Rounds of readings for a person: a table that changes, or a line for each round."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Protocol

from rich.live import Live
from rich.text import Text

from capswriter.monitor.summary import mib, total_pss

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType

    from rich.console import Console

    from capswriter.monitor.sampling import Reading

BLOCKS = " ▁▂▃▄▅▆▇█"
HISTORY = 30
"""Rounds that a sparkline shows where there is room."""

HEADINGS = ("process", "pid", "cpu %", "RSS MiB", "PSS MiB", "threads", "files")
_ROW = "{:<11}{:>8}{:>7}{:>9}{:>9}{:>8}{:>7}"

SHORTEST = 4
"""Rounds below which a sparkline tells nothing."""


class Display(Protocol):
    """Shows one round after another."""

    def __enter__(self) -> Display: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None: ...

    def show(self, readings: Sequence[Reading]) -> None:
        """Show a round."""


class Lines:
    """A line for each round, and one for each process that comes or goes; nothing but text.

    Args:
        console: that shows them.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._before: dict[int, str] | None = None

    def __enter__(self) -> Lines:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        pass

    def show(self, readings: Sequence[Reading]) -> None:
        """Print a round."""
        now = {reading.pid: reading.process for reading in readings}
        before = now if self._before is None else self._before
        for pid in before.keys() - now.keys():
            self._print(f"{before[pid]} (process {pid}) has gone")
        for pid in now.keys() - before.keys():
            self._print(f"{now[pid]} (process {pid}) has come")
        self._before = now
        cpu = sum(reading.use.cpu_percent for reading in readings)
        rss = sum(reading.use.rss for reading in readings)
        parts = [
            f"{reading.process} {reading.use.cpu_percent:.0f} % {mib(_size(reading))} MiB"
            for reading in readings
        ]
        self._print(
            f"{readings[0].at:8.1f} s  {cpu:.0f} %, RSS {mib(rss)} MiB, "
            f"PSS {mib(total_pss(readings))} MiB: {', '.join(parts)}"
        )

    def _print(self, line: str) -> None:
        self._console.print(line, soft_wrap=True, markup=False, highlight=False)


class Screen:
    """A table on a terminal, with the last rounds as sparklines.

    Args:
        console: the terminal.
        title: what is above it.
    """

    def __init__(self, console: Console, title: str) -> None:
        self._title = title
        self._console = console
        self._history: dict[int, deque[tuple[float, float]]] = {}
        self._live = Live(console=console, auto_refresh=False, transient=True)

    def __enter__(self) -> Screen:
        self._live.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._live.__exit__(kind, error, traceback)

    def show(self, readings: Sequence[Reading]) -> None:
        """Show a round in the place of the one before."""
        self._live.update(self.table(readings), refresh=True)

    def table(self, readings: Sequence[Reading]) -> Text:
        """Lay a round out; by hand, as rich's tables would take more than all of the readings."""
        length = self._length()
        past = self._history
        self._history = {r.pid: past.get(r.pid) or deque(maxlen=HISTORY) for r in readings}
        lines = [(_ROW.format(*HEADINGS) + ("  cpu".ljust(length + 2) + "  memory") * bool(length))]
        for reading in readings:
            use, history = reading.use, self._history[reading.pid]
            history.append((use.cpu_percent, _size(reading)))
            files = "-" if use.open_files is None else use.open_files
            cells = (reading.process, reading.pid, f"{use.cpu_percent:.1f}", mib(use.rss))
            line = _ROW.format(*cells, mib(use.pss), use.threads, files)
            if length:
                busy, size = zip(*tuple(history)[-length:], strict=True)
                line += f"  {sparkline(busy, top=max(100.0, *busy)):{length}}"
                line += f"  {sparkline(size, top=max(size)):{length}}"
            lines.append(line)
        cpu = sum(reading.use.cpu_percent for reading in readings)
        rss = mib(sum(reading.use.rss for reading in readings))
        total = _ROW.format("all", "", f"{cpu:.1f}", rss, mib(total_pss(readings)), "", "")
        title = f"{self._title}, {readings[0].at:.1f} s; Ctrl-C ends\n\n"
        text = Text(title, no_wrap=True, overflow="crop")
        text.append(lines[0] + "\n", "bold")
        return text.append("\n".join([*lines[1:], total]))

    def _length(self) -> int:
        """Tell how many rounds there is room for in each sparkline."""
        room = (self._console.width - len(_ROW.format(*HEADINGS))) // 2 - 2
        return 0 if self._console.options.ascii_only or room < SHORTEST else min(room, HISTORY)


def sparkline(values: Sequence[float], *, top: float) -> str:
    """Draw values as blocks of their height, from 0 to ``top``."""
    steps = len(BLOCKS) - 1
    return "".join(BLOCKS[round(steps * min(1.0, value / top))] if top else " " for value in values)


def _size(reading: Reading) -> int:
    return reading.use.rss if reading.use.pss is None else reading.use.pss
