"""Connection to a server: ``connect`` for speech as it is spoken, ``transcribe`` for the rest."""

from capswriter.client.errors import Busy, Lost, NoServer, Refused, Silent
from capswriter.client.once import transcribe
from capswriter.client.rounds import Event, Final, Partial, Segment
from capswriter.client.session import Session, connect
from capswriter.client.transcribe import Transcription
from capswriter.errors import UserError

__all__ = [
    "Busy",
    "Event",
    "Final",
    "Lost",
    "NoServer",
    "Partial",
    "Refused",
    "Segment",
    "Session",
    "Silent",
    "Transcription",
    "UserError",
    "connect",
    "transcribe",
]
