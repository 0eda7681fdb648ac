"""What text is written through on this system."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from capswriter.dictation.output.base import OutputUnavailable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from capswriter.dictation.output.base import Desktop


def make_desktop(
    *, platform: str = sys.platform, environment: Mapping[str, str] = os.environ
) -> Desktop:
    """Make what windows, keyboard and clipboard are reached through.

    Args:
        platform: as ``sys.platform`` has it.
        environment: of the session.

    Raises:
        OutputUnavailable: there is no desktop, or what is needed for it is not installed.
    """
    # Each is imported when it is used: the others' libraries may not be there.
    if platform == "win32":
        from capswriter.dictation.output.windows import WindowsDesktop  # noqa: PLC0415

        return WindowsDesktop()
    if platform == "darwin":
        from capswriter.dictation.output.mac import MacDesktop  # noqa: PLC0415

        return MacDesktop()
    kind = environment.get("XDG_SESSION_TYPE", "")
    if environment.get("WAYLAND_DISPLAY") and kind != "x11":
        from capswriter.dictation.output.wayland import WaylandDesktop  # noqa: PLC0415

        return WaylandDesktop(environment)
    if environment.get("DISPLAY"):
        from capswriter.dictation.output.x11.desktop import X11Desktop  # noqa: PLC0415

        return X11Desktop(environment["DISPLAY"])
    raise OutputUnavailable(
        "there is no desktop here (neither WAYLAND_DISPLAY nor DISPLAY is set): start it in the "
        "desktop's session, or use output stdout"
    )
