"""Why a try to send a dictation came to nothing; each message is one line for the user."""

from __future__ import annotations

from capswriter.errors import UserError


class NotNow(UserError):
    """The dictation has no text yet, and may have one later.

    Args:
        message: why.
        retry_after: seconds after which to come again, where the server tells.
    """

    def __init__(self, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class Unreachable(NotNow):
    """No server took the dictation."""


class Nobody(Unreachable):
    """No server answers at all."""


class Broken(NotNow):
    """A server took the dictation, and hung up or fell silent."""
