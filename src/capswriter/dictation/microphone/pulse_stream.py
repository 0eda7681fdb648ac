"""Listening to PulseAudio, or PipeWire in its place, without PortAudio between.

PortAudio reaches PulseAudio by a plug-in of ALSA. When the sound server goes away, its thread may
turn in circles for good, and closing the stream waits for that thread. Here a read fails, no more.
"""

from __future__ import annotations

import ctypes
import time
from threading import Thread
from typing import TYPE_CHECKING, Any

import numpy as np

from capswriter.dictation.microphone.errors import NoMicrophone

if TYPE_CHECKING:
    from capswriter.dictation.microphone.devices import Device
    from capswriter.dictation.microphone.sound import Listener

RECORD = 2
FLOAT32_LITTLE_ENDIAN = 5
UNSET = 0xFFFFFFFF
UNKNOWN = 2**64 - 1
"""Latency of a stream that tells none."""

BLOCKS_PER_SECOND = 50

MOST_DELAY_S = 0.25
"""Seconds beyond which the server's word on how old a block is is not believed."""

CLOSING_S = 0.5
"""Seconds that a read has to return; one that hangs is left to itself."""

MOST_LEFT = 3
"""Reads left to themselves beyond which no other is begun."""


class SampleSpec(ctypes.Structure):
    """PulseAudio's ``pa_sample_spec``."""

    _fields_ = (
        ("format", ctypes.c_int),
        ("rate", ctypes.c_uint32),
        ("channels", ctypes.c_uint8),
    )


class _BufferAttributes(ctypes.Structure):
    _fields_ = tuple(
        (name, ctypes.c_uint32) for name in ("maxlength", "tlength", "prebuf", "minreq", "fragsize")
    )


class PulseStreams:
    """Opens streams of PulseAudio, and knows those that never ended.

    Args:
        library: libpulse-simple; loaded by default.
    """

    def __init__(self, library: Any = None) -> None:
        self._library = library
        self._left: list[PulseStream] = []

    def open(self, device: Device, listener: Listener, *, follow: bool) -> PulseStream:
        """Listen to a source, at its rate and with its channels.

        Args:
            device: which.
            listener: hears it.
            follow: whether PulseAudio shall take whatever is the default.

        Raises:
            NoMicrophone: it cannot be opened.
        """
        self._left = [each for each in self._left if each.is_reading]
        if len(self._left) >= MOST_LEFT:
            raise NoMicrophone(
                f"the microphone {device.name!r} gives no sound; "
                "see whether it is switched off or suspended"
            )
        if self._library is None:
            self._library = load_library()
        stream = PulseStream(self._library, device, listener, follow=follow)
        self._left.append(stream)
        return stream


class PulseStream:
    """A source that is being listened to, in a thread of its own."""

    def __init__(self, library: Any, device: Device, listener: Listener, *, follow: bool) -> None:
        self.rate = device.rate
        self.channels = device.channels
        self._library = library
        self._listener = listener
        self._is_closed = False
        self._frames = device.rate // BLOCKS_PER_SECOND
        size = 4 * self._frames * device.channels
        spec = SampleSpec(FLOAT32_LITTLE_ENDIAN, device.rate, device.channels)
        attributes = _BufferAttributes(UNSET, UNSET, UNSET, UNSET, size)
        error = ctypes.c_int()
        source = None if follow or device.source is None else device.source.encode()
        self._handle = library.pa_simple_new(
            None,
            b"CapsWriter",
            RECORD,
            source,
            b"dictation",
            ctypes.byref(spec),
            None,
            ctypes.byref(attributes),
            ctypes.byref(error),
        )
        if not self._handle:
            why = library.pa_strerror(error).decode(errors="replace")
            raise NoMicrophone(f"the microphone {device.name!r} cannot be opened: {why}")
        self._thread = Thread(target=self._read, name="microphone", daemon=True)
        self._thread.start()

    @property
    def is_reading(self) -> bool:
        """Whether its thread is there."""
        return self._thread.is_alive()

    def close(self) -> None:
        """Stop listening."""
        self._is_closed = True
        self._thread.join(CLOSING_S)

    def _read(self) -> None:
        error = ctypes.c_int()
        while not self._is_closed:
            block = np.empty((self._frames, self.channels), np.float32)
            buffer = block.ctypes.data_as(ctypes.c_void_p)
            if self._library.pa_simple_read(self._handle, buffer, block.nbytes, error) < 0:
                break
            late = self._library.pa_simple_get_latency(self._handle, error)
            held_back = 0.0 if late == UNKNOWN else min(late / 1e6, MOST_DELAY_S)
            age = self._frames / self.rate + held_back
            if not self._is_closed:
                self._listener.heard(block, time.monotonic() - age, overflowed=False)
        self._library.pa_simple_free(self._handle)
        if not self._is_closed:
            self._listener.ended()


def load_library() -> Any:
    """Load libpulse-simple.

    Raises:
        OSError: it is not there.
    """
    library: Any = ctypes.CDLL("libpulse-simple.so.0")
    pointer, error = ctypes.c_void_p, ctypes.POINTER(ctypes.c_int)
    library.pa_simple_new.restype = pointer
    library.pa_simple_new.argtypes = (
        ctypes.c_char_p,
        ctypes.c_char_p,
        ctypes.c_int,
        ctypes.c_char_p,
        ctypes.c_char_p,
        pointer,
        pointer,
        pointer,
        error,
    )
    library.pa_simple_read.argtypes = (pointer, pointer, ctypes.c_size_t, error)
    library.pa_simple_get_latency.restype = ctypes.c_uint64
    library.pa_simple_get_latency.argtypes = (pointer, error)
    library.pa_simple_write.argtypes = (pointer, pointer, ctypes.c_size_t, error)
    library.pa_simple_drain.argtypes = (pointer, error)
    library.pa_simple_free.argtypes = (pointer,)
    library.pa_simple_free.restype = None
    library.pa_strerror = ctypes.CDLL("libpulse.so.0").pa_strerror
    library.pa_strerror.restype = ctypes.c_char_p
    return library
