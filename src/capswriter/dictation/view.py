"""How dictation stands, for the eye: a line that changes on a terminal, plain lines elsewhere.

All of it goes to standard error: standard output is for the texts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Console
from rich.live import Live
from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from rich.console import RenderableType

BAR_CELLS = 40
QUIET_DB, LOUD_DB = -60.0, -3.0
"""Where the bar begins, and where it turns red: a microphone so loud distorts."""


def level_bar(level: float) -> Text:
    """Draw how loud it is.

    Args:
        level: in decibels of full scale.
    """
    cells = round(BAR_CELLS * min(1.0, max(0.0, 1 - level / QUIET_DB)))
    colour = "red" if level > LOUD_DB else "green"
    return Text.assemble(
        ("━" * cells, colour), ("━" * (BAR_CELLS - cells), "dim"), f" {level:6.1f} dB"
    )


class View:
    """Shows state, level and last text; a context.

    Args:
        console: where; standard error by default.
    """

    def __init__(self, console: Console | None = None) -> None:
        self._console = Console(stderr=True, highlight=False) if console is None else console
        self._live: Live | None = None
        self._state = ""
        self._partial = ""
        self._level: Callable[[], float] | None = None

    def __enter__(self) -> View:
        if self._console.is_terminal:
            self._live = Live(
                console=self._console,
                auto_refresh=False,
                transient=True,
                get_renderable=self._render,
            )
            self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None

    @property
    def is_live(self) -> bool:
        """Whether there is a level that ``refresh`` shows anew."""
        return self._live is not None and self._level is not None

    def line(self, text: str, style: str = "") -> None:
        """Show a line that stays."""
        self._console.print(Text(text, style=style), soft_wrap=True)

    def state(self, state: str, level: Callable[[], float] | None = None) -> None:
        """Show how it stands.

        Args:
            state: in a word or two.
            level: tells how loud it is, while somebody speaks.
        """
        is_news = state != self._state
        self._state, self._level, self._partial = state, level, ""
        if self._live is not None:
            self.refresh()
        elif is_news:
            self.line(state)

    def partial(self, text: str) -> None:
        """Show what is known of a text so far; on a terminal alone."""
        self._partial = text
        self.refresh()

    def refresh(self) -> None:
        """Show what has changed since."""
        if self._live is not None:
            self._live.refresh()

    def _render(self) -> RenderableType:
        shown = Text(f"{self._state}  ", style="bold", no_wrap=True, overflow="ellipsis")
        if self._level is not None:
            shown.append_text(level_bar(self._level()))
        shown.append(f"  {self._partial}", style="dim")
        return shown
