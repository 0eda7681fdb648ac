"""Notices that microphones come and go, or that another one is the default.

PortAudio lists the devices once. Listing them again needs every stream closed, so the system is
asked instead, in words that mean nothing but that they change.
"""

from __future__ import annotations

import ctypes
import struct
import sys
from collections.abc import Callable, Hashable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from capswriter.dictation.microphone.pulse import Pulse

Watch: TypeAlias = Callable[[], Hashable]
"""Returns something that differs when the devices do."""

ALSA_CARDS = (Path("/proc/asound/cards"), Path("/proc/asound/pcm"))

SYSTEM_OBJECT = 1
"""Core Audio's object that knows all devices."""

WAVE_MAPPER = 0xFFFFFFFF
PREFERRED_GET = 0x2015
"""Message of winmm that asks for the default device (DRVM_MAPPER_PREFERRED_GET)."""


def watch_for(platform: str = sys.platform, *, pulse: Pulse) -> Watch:
    """Return how devices are watched on a platform, one of ``sys.platform``."""
    if platform == "darwin":
        return CoreAudio(_core_audio)
    if platform == "win32":
        return WindowsMultimedia(_winmm)
    return lambda: (pulse.sources(), _alsa_cards())


def _alsa_cards() -> Hashable:
    return tuple(path.read_bytes() for path in ALSA_CARDS if path.exists())


class CoreAudio:
    """Asks macOS for the default input and the list of devices.

    Args:
        load: gives the Core Audio framework.
    """

    def __init__(self, load: Callable[[], Any]) -> None:
        self._load = load
        self._library: Any = None

    def __call__(self) -> Hashable:
        """Return the numbers of the default input and of all devices."""
        if self._library is None:
            self._library = self._load()
        return self._property(b"dIn "), self._property(b"dev#")

    def _property(self, selector: bytes) -> bytes:
        address = (ctypes.c_uint32 * 3)(*struct.unpack(">3I", selector + b"glob" + bytes(4)))
        size = ctypes.c_uint32(0)
        if self._library.AudioObjectGetPropertyDataSize(
            SYSTEM_OBJECT, ctypes.byref(address), 0, None, ctypes.byref(size)
        ):
            return b""
        answer = ctypes.create_string_buffer(size.value)
        if self._library.AudioObjectGetPropertyData(
            SYSTEM_OBJECT, ctypes.byref(address), 0, None, ctypes.byref(size), answer
        ):
            return b""
        return answer.raw[: size.value]


class WindowsMultimedia:
    """Asks Windows for the default input and how many inputs there are.

    Args:
        load: gives winmm.
    """

    def __init__(self, load: Callable[[], Any]) -> None:
        self._load = load
        self._library: Any = None

    def __call__(self) -> Hashable:
        """Return the number of the default input, and of inputs and outputs."""
        if self._library is None:
            self._library = self._load()
        preferred, flags = ctypes.c_uint32(WAVE_MAPPER), ctypes.c_uint32(0)
        self._library.waveInMessage(
            ctypes.c_void_p(WAVE_MAPPER),
            PREFERRED_GET,
            ctypes.byref(preferred),
            ctypes.byref(flags),
        )
        counts = self._library.waveInGetNumDevs(), self._library.waveOutGetNumDevs()
        return preferred.value, *counts


def _core_audio() -> Any:
    return ctypes.CDLL("/System/Library/Frameworks/CoreAudio.framework/CoreAudio")


def _winmm() -> Any:
    return ctypes.WinDLL("winmm")  # type: ignore[attr-defined, unused-ignore]
