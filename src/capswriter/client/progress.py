"""What the user sees on the standard error: bars on a terminal, else a line for each file."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TaskID, TextColumn
from rich.text import Text

if TYPE_CHECKING:
    from types import TracebackType

    from capswriter.settings.values import LogLevel

_LEVELS = ("debug", "info", "warning", "error")


class Display:
    """The lines and the bars of a run; a context manager.

    Args:
        level: the least that is said.
        console: where; the standard error by default.
    """

    def __init__(self, level: LogLevel = "info", *, console: Console | None = None) -> None:
        self._console = console or Console(stderr=True)
        self._least = _LEVELS.index(level)
        self._bars: Progress | None = None

    def __enter__(self) -> Display:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._bars is not None:
            self._bars.stop()
            self._bars = None

    def line(self, level: LogLevel, text: str) -> None:
        """Print one line, if it is as urgent as the user wants."""
        if _LEVELS.index(level) >= self._least:
            self._console.print(Text(text), soft_wrap=True, highlight=False)

    def file(self, name: str) -> FileProgress:
        """Begin to show how a file gets on."""
        # Not before: a server that starts first may have bars of its own to show.
        if self._bars is None and self._console.is_terminal:
            self._bars = Progress(
                TextColumn("{task.description}", markup=False),
                BarColumn(),
                _AudioColumn(),
                _SpeedColumn(),
                _LeftColumn(),
                console=self._console,
                transient=True,
            )
            self._bars.start()
        return FileProgress(self, name, self._bars)


class FileProgress:
    """How one file gets on; a ``capswriter.client.transcribe.Watcher``."""

    def __init__(self, display: Display, name: str, bars: Progress | None) -> None:
        self._display = display
        self._name = name
        self._bars = bars
        self._bar: TaskID | None = bars.add_task(name, total=None) if bars else None
        self._began = time.monotonic()

    @property
    def elapsed(self) -> float:
        """Seconds since the file was begun."""
        return time.monotonic() - self._began

    def covered(self, seconds: float, total: float | None) -> None:
        """Move the bar to ``seconds`` of audio, of ``total`` as far as that is known."""
        if self._bars is not None and self._bar is not None:
            self._bars.update(self._bar, completed=seconds, total=total)

    def again(self, reason: str, pause: float) -> None:
        """Say that the file starts over in ``pause`` seconds."""
        if self._bars is not None and self._bar is not None:
            self._bars.reset(self._bar)
        self._display.line("warning", f"{self._name}: {reason}; trying again in {pause:g} s")

    def close(self) -> None:
        """Take the bar away."""
        if self._bars is not None and self._bar is not None:
            self._bars.remove_task(self._bar)
            self._bar = None


class _AudioColumn(ProgressColumn):
    """Audio recognised, of all there is."""

    def render(self, task: Task) -> Text:
        total = "?" if task.total is None else _clock(task.total)
        return Text(f"{_clock(task.completed)}/{total}", style="progress.download")


class _SpeedColumn(ProgressColumn):
    """Seconds of audio in a second."""

    def render(self, task: Task) -> Text:
        speed = _speed(task)
        return Text(f"{speed:.1f}x" if speed else "", style="progress.data.speed")


class _LeftColumn(ProgressColumn):
    """Time left at the speed so far."""

    def render(self, task: Task) -> Text:
        speed = _speed(task)
        if not speed or task.total is None:
            return Text("")
        left = max(0.0, task.total - task.completed) / speed
        return Text(f"{_clock(left)} left", style="progress.remaining")


def _speed(task: Task) -> float:
    return task.completed / task.elapsed if task.elapsed else 0.0


def _clock(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
