"""Utterances: bytes in, segments out, results merged, updates emitted."""

from capswriter.sessions.intake import AudioFormat, AudioTooLong, BadAudio
from capswriter.sessions.utterance import Ears, Update, Utterance

__all__ = ["AudioFormat", "AudioTooLong", "BadAudio", "Ears", "Update", "Utterance"]
