"""What a microphone needs of the system's sound."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray

    from capswriter.dictation.microphone.devices import Device


class Listener(Protocol):
    """What hears a stream, in a thread that must never wait."""

    def heard(self, block: NDArray[np.float32], at: float, *, overflowed: bool) -> None:
        """Take the next block.

        Args:
            block: float32[frames, channels], the listener's own.
            at: when its first sample was heard, in seconds of ``time.monotonic``.
            overflowed: whether samples are missing before it.
        """

    def ended(self) -> None:
        """Hear that nothing more will come."""


class Stream(Protocol):
    """A device that is being listened to."""

    @property
    def rate(self) -> int:
        """Samples per second."""

    @property
    def channels(self) -> int:
        """How many channels a block has."""

    def close(self) -> None:
        """Stop listening."""


class Sound(Protocol):
    """The system's sound. Its methods may take long, and are called one at a time."""

    def devices(self) -> list[Device]:
        """List what can be recorded from, as it was known at the last refresh at the latest.

        Raises:
            NoSound: the system's sound cannot be used.
        """

    def refresh(self) -> None:
        """Find out anew which devices there are; no stream may be open.

        Raises:
            NoSound: the system's sound cannot be used.
        """

    def open(self, device: Device, make: Callable[[int, int], Listener], *, follow: bool) -> Stream:
        """Listen to a device.

        Args:
            device: which.
            make: gives who listens, by the rate and the number of channels.
            follow: whether it is meant as the default, and another one that becomes the default
                may take its place where the system knows how.

        Raises:
            NoMicrophone: it cannot be opened.
        """

    def changes(self) -> object:
        """Return something that differs when devices came, went or became the default."""

    def close(self) -> None:
        """Let go of everything but open streams."""
