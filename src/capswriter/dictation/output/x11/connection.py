"""A connection to an X server."""

from __future__ import annotations

import select
import time
from typing import TYPE_CHECKING, Any

from capswriter.dictation.output.base import MENDED_BY_INSTALLING, OutputUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable

    from Xlib.display import Display


def connect(name: str | None) -> Display:
    """Connect, and be silent about windows that are gone.

    Args:
        name: of the server; None for ``$DISPLAY``.

    Raises:
        OutputUnavailable: there is no server, or no python-xlib.
    """
    try:
        from Xlib.display import Display  # noqa: PLC0415
        from Xlib.error import DisplayError  # noqa: PLC0415
    except ImportError as missing:
        raise OutputUnavailable(
            f"python-xlib cannot be used ({missing}): {MENDED_BY_INSTALLING}"
        ) from missing
    try:
        display = Display(name)
    except (DisplayError, OSError) as error:
        raise OutputUnavailable(
            f"no X server answers ({error}): start it in the desktop's session, or use stdout"
        ) from error
    display.set_error_handler(lambda *_: None)
    return display


def next_event(display: Display, end: float) -> Any:
    """The next event before a time of ``time.monotonic``, or None."""
    while not display.pending_events():
        left = end - time.monotonic()
        if left <= 0:
            return None
        select.select([display.fileno()], [], [], left)
    return display.next_event()


def wait_for(display: Display, matches: Callable[[Any], bool], limit_s: float) -> Any:
    """The first event that matches, those before it being dropped; None after the time limit."""
    end = time.monotonic() + limit_s
    while (event := next_event(display, end)) is not None:
        if matches(event):
            return event
    return None
