"""What goes wrong with roles; each message is one line for the user."""

from __future__ import annotations

from capswriter.errors import UserError


class RoleBroken(UserError):
    """The file of a role cannot be used."""


class NoAnswer(UserError):
    """The language model gave no answer, or not all of it."""
