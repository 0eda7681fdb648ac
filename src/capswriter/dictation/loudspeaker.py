"""A short sound through the system's loudspeaker."""

from __future__ import annotations

import ctypes
import sys
from threading import Event
from typing import TYPE_CHECKING, Any

import numpy as np

from capswriter.dictation.microphone.errors import NoSound
from capswriter.dictation.microphone.portaudio import PLAYING_S, in_use, library
from capswriter.dictation.microphone.pulse_stream import (
    FLOAT32_LITTLE_ENDIAN,
    SampleSpec,
    load_library,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

RATE = 48_000
PLAYBACK = 1


def play(samples: NDArray[np.float32]) -> None:
    """Play a sound to its end.

    It goes to PulseAudio itself where that runs, not through PortAudio, for the same reason as a
    microphone's: see ``microphone/pulse_stream.py``.

    Args:
        samples: float32[samples], 48 kHz.

    Raises:
        NoSound: there is no loudspeaker, or it takes no sound.
    """
    samples = np.ascontiguousarray(samples, np.float32)
    if not (sys.platform == "linux" and _play_by_pulse(samples)):
        _play_by_portaudio(samples)


def _play_by_pulse(samples: NDArray[np.float32]) -> bool:
    """Tell whether PulseAudio played it."""
    try:
        pulse = load_library()
    except (OSError, AttributeError):
        return False
    spec, error = SampleSpec(FLOAT32_LITTLE_ENDIAN, RATE, 1), ctypes.c_int()
    pointers = (ctypes.byref(spec), None, None, ctypes.byref(error))
    handle = pulse.pa_simple_new(None, b"CapsWriter", PLAYBACK, None, b"signal", *pointers)
    if not handle:
        return False
    buffer = samples.ctypes.data_as(ctypes.c_void_p)
    try:
        played = pulse.pa_simple_write(handle, buffer, samples.nbytes, error) == 0
        return bool(played and pulse.pa_simple_drain(handle, error) == 0)
    finally:
        pulse.pa_simple_free(handle)


def _play_by_portaudio(samples: NDArray[np.float32]) -> None:
    sounddevice = library()
    played, ended = 0, Event()

    def callback(block: NDArray[np.float32], frames: int, times: Any, status: Any) -> None:  # noqa: ARG001
        nonlocal played
        piece = samples[played : played + frames]
        block[: len(piece), 0] = piece
        block[len(piece) :, 0] = 0
        played += frames
        if played >= len(samples):
            raise sounddevice.CallbackStop

    with in_use:
        stream = None
        try:
            stream = sounddevice.OutputStream(
                samplerate=RATE,
                channels=1,
                dtype="float32",
                callback=callback,
                finished_callback=ended.set,
            )
            stream.start()
            if not ended.wait(PLAYING_S):
                raise NoSound("the loudspeaker takes no sound")
        except (sounddevice.PortAudioError, ValueError) as error:
            raise NoSound(f"there is no loudspeaker: {error}") from error
        finally:
            if stream is not None:
                stream.close()
