"""What PulseAudio, or PipeWire in its place, tells of microphones."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True)
class Source:
    """Something that PulseAudio can record from."""

    index: int
    name: str
    description: str
    channels: int
    rate: int
    is_default: bool
    is_monitor: bool


class Pulse:
    """A connection to the sound server, made when it is needed, and made again when it was lost."""

    def __init__(self, connect: Callable[[], Any] | None = None) -> None:
        self._connect = connect or _connection
        self._connection: Any = None

    def sources(self) -> tuple[Source, ...] | None:
        """List what can be recorded from, or None where no PulseAudio answers."""
        try:
            if self._connection is None:
                self._connection = self._connect()
            default = os.environ.get("PULSE_SOURCE") or (
                self._connection.server_info().default_source_name
            )
            return tuple(
                Source(
                    index=each.index,
                    name=each.name,
                    description=each.description,
                    channels=each.sample_spec.channels,
                    rate=each.sample_spec.rate,
                    is_default=each.name == default,
                    is_monitor=each.proplist.get("device.class") == "monitor",
                )
                for each in self._connection.source_list()
            )
        except Exception:  # noqa: BLE001  # pulsectl's, ctypes's and the loader's
            self.close()
            return None

    def close(self) -> None:
        """End the connection."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(Exception):
                connection.close()


def _connection() -> Any:
    import pulsectl  # noqa: PLC0415  # needs PulseAudio's library

    connection = pulsectl.Pulse("capswriter", connect=False)
    try:
        connection.connect()  # with a time limit it would always take all of that time
    except Exception:
        connection.close()
        raise
    return connection
