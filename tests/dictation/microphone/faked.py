"""A system's sound whose devices and blocks are a test's."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from capswriter.dictation.microphone import Device, NoMicrophone

if TYPE_CHECKING:
    from capswriter.dictation.microphone.sound import Listener

DESK = Device(0, "Desk", "Fake", channels=1, rate=16_000, is_default=True)
HEADSET = Device(1, "Headset", "Fake", channels=2, rate=48_000)


@dataclass
class Stream:
    device: Device
    rate: int
    channels: int
    follow: bool
    listener: Listener
    is_closed: bool = False
    given: int = 0

    def give(self, samples: np.ndarray, *, at: float | None = None, overflowed: bool = False):
        """Let a block be heard that has just ended, or that began at ``at``."""
        block = np.asarray(samples, np.float32)
        if block.ndim == 1:
            block = np.repeat(block[:, None], self.channels, axis=1)
        began = time.monotonic() - len(block) / self.rate if at is None else at
        self.listener.heard(block, began, overflowed=overflowed)
        self.given += len(block)

    def close(self) -> None:
        self.is_closed = True


@dataclass
class Sound:
    listed: list[Device] = field(default_factory=lambda: [DESK, HEADSET])
    """What PortAudio knows: as it was at the last refresh."""
    there: list[Device] | None = None
    """What is there, once that is another thing."""
    streams: list[Stream] = field(default_factory=list)
    refused: str | None = None
    is_closed: bool = False

    def devices(self):
        return list(self.listed)

    def refresh(self):
        assert all(stream.is_closed for stream in self.streams)
        if self.there is not None:
            self.listed = self.there

    def open(self, device, make, *, follow):
        if self.refused:
            raise NoMicrophone(self.refused)
        assert all(stream.is_closed for stream in self.streams)
        listener = make(device.rate, device.channels)
        stream = Stream(device, device.rate, device.channels, follow, listener)
        self.streams.append(stream)
        return stream

    def changes(self):
        return tuple(self.there or self.listed)

    def close(self):
        assert all(stream.is_closed for stream in self.streams)
        self.is_closed = True

    @property
    def stream(self) -> Stream:
        """The stream that is open."""
        [stream] = [each for each in self.streams if not each.is_closed]
        return stream
