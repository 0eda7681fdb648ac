"""Microphones of this computer, and which of them is meant."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from capswriter.dictation.microphone.errors import AmbiguousMicrophone, NoMicrophone

if TYPE_CHECKING:
    from collections.abc import Sequence

HINT = "'capswriter devices' lists the microphones"


@dataclass(frozen=True)
class Device:
    """A microphone, or whatever else can be recorded from."""

    index: int
    """By which the user may name it."""

    name: str
    host: str
    """What connects to it: PulseAudio, ALSA, Core Audio, MME ..."""

    channels: int
    rate: int
    """Samples per second that suit it."""

    is_default: bool = False
    """Whether the system uses it where nobody says otherwise."""

    is_monitor: bool = False
    """Whether it is not a microphone, but what a loudspeaker plays."""

    portaudio: int = 0
    """PortAudio's index of it, where PulseAudio does not know it."""

    source: str | None = None
    """PulseAudio's name of it."""

    source_index: int | None = None
    """PulseAudio's number of it, another one after it was plugged in again."""

    def __str__(self) -> str:
        return self.name


def choose(devices: Sequence[Device], wanted: str | int | None = None) -> Device:
    """Find the device that is meant.

    Args:
        devices: all there are.
        wanted: an index, or a name or a part of it in whatever case; the system's default if None.
            A whole name goes before a part of one, and a microphone before a monitor.

    Raises:
        NoMicrophone: there is none such.
        AmbiguousMicrophone: several have the name.
    """
    if wanted is None:
        return _default(devices)
    if isinstance(wanted, int) or wanted.strip().isdecimal():
        for device in devices:
            if device.index == int(wanted):
                return device
        raise NoMicrophone(f"there is no microphone with the number {wanted}; {HINT}")
    name = wanted.strip().casefold()
    for found in (
        [each for each in devices if name in {each.name.casefold(), each.source}],
        [each for each in devices if name in each.name.casefold() and not each.is_monitor],
        [each for each in devices if name in each.name.casefold()],
    ):
        # One microphone is there by several ways: the system's own goes first.
        hosts = {each.host for each in found}
        best = [each for each in found if each.host == found[0].host] if len(hosts) > 1 else found
        if len(best) == 1:
            return best[0]
        if best:
            names = ", ".join(f"{each.name!r} ({each.index})" for each in best)
            raise AmbiguousMicrophone(
                f"{wanted!r} may be any of the microphones {names}; "
                "give more of the name, or the number"
            )
    raise NoMicrophone(f"there is no microphone called {wanted!r}; {HINT}")


def _default(devices: Sequence[Device]) -> Device:
    for device in devices:
        if device.is_default:
            return device
    if not devices:
        raise NoMicrophone(
            "there is no microphone; connect one, or see the system's sound settings"
        )
    return devices[0]
