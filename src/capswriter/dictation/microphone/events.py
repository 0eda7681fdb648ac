"""What happens to a microphone; as text, each is one line for the user."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from capswriter.dictation.microphone.devices import Device


@dataclass(frozen=True)
class Lost:
    """There is no microphone, or no longer; it is looked for."""

    reason: str

    def __str__(self) -> str:
        return self.reason


@dataclass(frozen=True)
class Found:
    """A microphone that was lost is there, or another one that will do."""

    device: Device

    def __str__(self) -> str:
        return f"the microphone is there: {self.device.name}"


@dataclass(frozen=True)
class Changed:
    """Another microphone is used, because it has become the default."""

    device: Device

    def __str__(self) -> str:
        return f"the microphone is now {self.device.name}"


@dataclass(frozen=True)
class Overflowed:
    """Samples were lost."""

    times: int
    """So far, with this microphone."""

    def __str__(self) -> str:
        return (
            "the computer was too busy to listen: a little of what was said is missing "
            f"({self.times} times so far)"
        )


Event: TypeAlias = Lost | Found | Changed | Overflowed
