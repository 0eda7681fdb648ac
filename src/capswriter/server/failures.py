"""The one table that says what each error is called on the wire."""

from __future__ import annotations

import logging

from capswriter.audio.decode import DecodeFailed
from capswriter.errors import UserError
from capswriter.pool import (
    DeadlineExceeded,
    InferenceFailed,
    Overloaded,
    RecogniserClosed,
    RecogniserError,
    WorkerCrashed,
)
from capswriter.protocols.capswriter import Code, Failure
from capswriter.sessions import AudioTooLong, BadAudio

logger = logging.getLogger(__name__)

CODES: dict[type[UserError], Code] = {
    BadAudio: Code.BAD_REQUEST,
    AudioTooLong: Code.AUDIO_TOO_LONG,
    DecodeFailed: Code.DECODE_FAILED,
    InferenceFailed: Code.INFERENCE_FAILED,
    WorkerCrashed: Code.INFERENCE_FAILED,
    DeadlineExceeded: Code.INFERENCE_TIMEOUT,
    Overloaded: Code.OVERLOADED,
    RecogniserClosed: Code.OVERLOADED,
}


def failure(task_id: str, error: Exception) -> Failure:
    """Turn an error into what the client is told; a bug is logged and told as ``internal``."""
    if isinstance(error, UserError):
        code = next((CODES[kind] for kind in type(error).__mro__ if kind in CODES), Code.INTERNAL)
        retryable = isinstance(error, RecogniserError) and error.retryable
        retry_after = error.retry_after if isinstance(error, Overloaded) else None
        return Failure(
            task_id, code.value, str(error), retryable=retryable, retry_after=retry_after
        )
    logger.error("task %s failed; please report it", task_id, exc_info=error)
    message = "the server has a fault; its log says more"
    return Failure(task_id, Code.INTERNAL.value, message, retryable=True)
