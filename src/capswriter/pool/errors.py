"""What can become of a task other than a result."""

from __future__ import annotations

from capswriter.errors import UserError


class RecogniserError(UserError):
    """A task that ends without a result.

    ``retryable`` says whether the same task may succeed later.
    """

    retryable = False


class InferenceFailed(RecogniserError):
    """The engine refused or failed on this audio; the worker lives on."""


class WorkerCrashed(RecogniserError):
    """The workers that had this task died of it, or with it."""

    retryable = True


class Overloaded(RecogniserError):
    """More audio waits than may wait.

    Args:
        message: says so.
        retry_after: seconds after which there should be room.
    """

    retryable = True

    def __init__(self, message: str, *, retry_after: float) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class DeadlineExceeded(RecogniserError):
    """The task waited longer than its patience, or a newer one took its place."""

    retryable = True


class RecogniserClosed(RecogniserError):
    """The server is stopping."""

    retryable = True


class NoWorkers(RecogniserError):
    """Not one worker could load the model; the message says why."""

    retryable = True
