"""What goes wrong between the client and a server; each message is one line for the user."""

from __future__ import annotations

from capswriter.errors import UserError


class NoServer(UserError):
    """Nobody answers at the server's URL."""


class Lost(UserError):
    """The connection broke; the same file may work when it is sent again."""


class Busy(UserError):
    """The server cannot take the file now, and says that it may later.

    Args:
        message: why.
        retry_after: seconds after which to come again, where the server tells.
    """

    def __init__(self, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class Refused(UserError):
    """The server will not take the file, now or later."""


class Silent(UserError):
    """The server took the file and says nothing."""
