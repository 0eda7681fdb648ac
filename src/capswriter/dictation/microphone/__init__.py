"""The microphone: what is said from a little before the key goes down is there.

``python -m capswriter devices --level`` shows it at work.
"""

from capswriter.dictation.microphone.devices import Device, choose
from capswriter.dictation.microphone.errors import (
    AlreadyRecording,
    AmbiguousMicrophone,
    NoMicrophone,
    NoSound,
)
from capswriter.dictation.microphone.events import Changed, Event, Found, Lost, Overflowed
from capswriter.dictation.microphone.microphone import Microphone, Mode
from capswriter.dictation.microphone.recording import Recording

__all__ = [
    "AlreadyRecording",
    "AmbiguousMicrophone",
    "Changed",
    "Device",
    "Event",
    "Found",
    "Lost",
    "Microphone",
    "Mode",
    "NoMicrophone",
    "NoSound",
    "Overflowed",
    "Recording",
    "choose",
]
