"""The system's sound: by PulseAudio where there is one, else by PortAudio."""

from __future__ import annotations

import sys
import time
from contextlib import suppress
from threading import Lock
from typing import TYPE_CHECKING, Any

from capswriter.dictation.microphone.devices import Device
from capswriter.dictation.microphone.errors import NoMicrophone, NoSound
from capswriter.dictation.microphone.pulse import Pulse
from capswriter.dictation.microphone.pulse_stream import PulseStreams
from capswriter.dictation.microphone.watch import watch_for

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray

    from capswriter.dictation.microphone.pulse import Source
    from capswriter.dictation.microphone.sound import Listener, Stream

BLOCKS_PER_SECOND = 50
LATENCY_S = 0.04
"""Seconds of sound that the system may hold back: less costs wake-ups, more makes the user wait."""

MOST_DELAY_S = 0.25
"""Seconds beyond which a host's word on how old a block is are not believed."""

RATES = (48_000, 44_100, 16_000, 32_000, 96_000)
"""Tried in this order where a device does not take the rate that it names."""

MOST_CHANNELS = 8
"""More than these are no device's, but a program's in between, which takes any number."""

INVALID_RATE, INVALID_CHANNELS = -9997, -9998
"""PortAudio's errors for these."""

in_use = Lock()
"""Held by whoever plays through PortAudio, under whom it must not be started anew."""

PLAYING_S = 3.0
"""Seconds after which a loudspeaker hangs that still plays a short sound."""

MISSING = (
    "PortAudio is missing; install it: 'apt install libportaudio2' (Debian, Ubuntu), "
    "'dnf install portaudio' (Fedora), 'pacman -S portaudio' (Arch)"
)
NOT_INSTALLED = "dictation needs more packages: pip install 'capswriter-server[dictate]'"


class PortAudio:
    """PulseAudio's sources where there are any, and the devices that PortAudio knows.

    Raises:
        NoSound: PortAudio is missing, or cannot start.
    """

    def __init__(self) -> None:
        is_known = "sounddevice" in sys.modules
        self._library = library()
        if is_known:  # and so is what was connected then
            self.refresh()
        self._pulse = Pulse()
        self._streams = PulseStreams()
        self._watch = watch_for(pulse=self._pulse)

    def devices(self) -> list[Device]:
        """List what can be recorded from: PortAudio's word is as old as the last refresh."""
        try:
            own = list(self._library.query_devices())
            hosts = [host["name"] for host in self._library.query_hostapis()]
            default = self._library.default.device[0]
        except self._library.PortAudioError as error:
            raise NoSound(f"the system's sound cannot be used: {_words(error)}") from error
        inputs = [
            Device(
                index=each["index"],
                name=each["name"],
                host=hosts[each["hostapi"]],
                channels=each["max_input_channels"],
                rate=round(each["default_samplerate"]),
                is_default=each["index"] == default,
                portaudio=each["index"],
            )
            for each in own
            if each["max_input_channels"] > 0
        ]
        sources = self._pulse.sources()
        return inputs if sources is None else joined(inputs, sources, first_index=len(own))

    def refresh(self) -> None:
        """Let PortAudio look for devices anew; no stream may be open."""
        if not in_use.acquire(timeout=PLAYING_S):
            return  # what is known has to do
        try:
            self._library._terminate()  # noqa: SLF001  # there is no public way
            self._library._initialize()  # noqa: SLF001
        except self._library.PortAudioError as error:
            raise NoSound(f"the system's sound cannot be used: {_words(error)}") from error
        finally:
            in_use.release()

    def open(self, device: Device, make: Callable[[int, int], Listener], *, follow: bool) -> Stream:
        """Listen to a device, at a rate and with channels that it takes."""
        if device.source is not None:
            listener = make(device.rate, device.channels)
            return self._streams.open(device, listener, follow=follow)
        plenty = device.channels > MOST_CHANNELS
        channels = dict.fromkeys((2 if plenty else device.channels, 2, 1))
        failure: Exception | None = None
        for rate in dict.fromkeys((device.rate, *RATES)):
            for count in channels:
                try:
                    return PortAudioStream(
                        self._library, device.portaudio, rate, count, make(rate, count)
                    )
                except self._library.PortAudioError as error:
                    failure = failure or error
                    code = error.args[1] if len(error.args) > 1 else None
                    if code == INVALID_RATE:
                        break
                    if code != INVALID_CHANNELS:
                        raise _cannot_open(device, error) from error
        raise _cannot_open(device, failure)

    def changes(self) -> object:
        """Return something that differs when devices came, went or became the default."""
        return self._watch()

    def close(self) -> None:
        """Let go of PulseAudio."""
        self._pulse.close()


class PortAudioStream:
    """A device that PortAudio listens to.

    Args:
        library: sounddevice.
        index: of the device.
        rate: samples per second.
        channels: how many.
        listener: hears it.
    """

    def __init__(
        self, library: Any, index: int, rate: int, channels: int, listener: Listener
    ) -> None:
        self.rate = rate
        self.channels = channels

        def callback(block: NDArray[np.float32], frames: int, times: Any, status: Any) -> None:
            # A host's word on how old a block is may be nothing, or nonsense.
            long = frames / rate
            told = times.currentTime - times.inputBufferAdcTime
            age = min(max(told, long), long + MOST_DELAY_S)
            listener.heard(
                block.copy(), time.monotonic() - age, overflowed=bool(status.input_overflow)
            )

        self._stream = library.InputStream(
            device=index,
            samplerate=rate,
            channels=channels,
            dtype="float32",
            blocksize=rate // BLOCKS_PER_SECOND,
            latency=LATENCY_S,
            callback=callback,
            finished_callback=listener.ended,
        )
        try:
            self._stream.start()
        except BaseException:
            self.close()
            raise
        self._library = library

    def close(self) -> None:
        """Stop listening; a stream that was lost is closed as well."""
        with suppress(Exception):  # one that was lost
            self._stream.abort()
        with suppress(Exception):
            self._stream.close()


def library() -> Any:
    """Return sounddevice, which has started PortAudio.

    Raises:
        NoSound: it is missing, or cannot start.
    """
    try:
        import sounddevice  # noqa: PLC0415  # is there only where somebody dictates
    except ImportError as error:
        raise NoSound(NOT_INSTALLED) from error
    except OSError as error:
        raise NoSound(MISSING) from error
    except Exception as error:  # PortAudio cannot start; the class of it is in what failed
        raise NoSound(f"the system's sound cannot be used: {_words(error)}") from error
    return sounddevice


def joined(inputs: list[Device], sources: tuple[Source, ...], *, first_index: int) -> list[Device]:
    """Put PulseAudio's sources in the place of PortAudio's devices that lead to PulseAudio.

    Args:
        inputs: that PortAudio knows.
        sources: that PulseAudio knows.
        first_index: of the first source.
    """
    listed = [
        Device(
            index=first_index + place,
            name=each.description,
            host="PulseAudio",
            channels=each.channels,
            rate=each.rate,
            is_default=each.is_default,
            is_monitor=each.is_monitor,
            source=each.name,
            source_index=each.index,
        )
        for place, each in enumerate(sources)
    ]
    cards = [
        Device(each.index, each.name, each.host, each.channels, each.rate, portaudio=each.portaudio)
        for each in inputs
        if "(hw:" in each.name or each.host == "JACK Audio Connection Kit"
    ]
    return [*sorted(listed, key=lambda each: each.is_monitor), *cards]


def _cannot_open(device: Device, error: Exception | None) -> NoMicrophone:
    return NoMicrophone(
        f"the microphone {device.name!r} cannot be opened: {_words(error)}; "
        "see whether it is connected, and whether another program or the system keeps it"
    )


def _words(error: Exception | None) -> str:
    return " ".join(str(error.args[0] if error and error.args else error).split())
