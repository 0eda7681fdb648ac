"""What goes wrong with microphones; each message is one line for the user."""

from __future__ import annotations

from capswriter.errors import UsageError, UserError


class NoSound(UserError):
    """The system's sound cannot be used at all."""


class NoMicrophone(UserError):
    """There is no such microphone, or it cannot be opened; it may be there later."""


class AmbiguousMicrophone(UsageError):
    """A name that several microphones have."""


class AlreadyRecording(RuntimeError):
    """A recording was opened while another one had not been stopped."""
