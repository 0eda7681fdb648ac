"""What goes wrong with the journal; each message is one line for the user."""

from __future__ import annotations

from capswriter.errors import UserError


class NoSuchDictation(UserError):
    """The journal has no dictation of this name."""


class InUse(UserError):
    """Another process has the dictation."""
