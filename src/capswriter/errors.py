"""The errors whose message is written for the user, in one line."""

from __future__ import annotations


class UserError(Exception):
    """Something the user can mend; its message says what happened and what to do.

    The command line prints it as one line and ends with ``exit_status``.
    """

    exit_status = 1


class UsageError(UserError):
    """A wrong flag, key or value."""

    exit_status = 2
