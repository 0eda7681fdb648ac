"""The two lines that the log has of each task."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from capswriter.pool import Recogniser
    from capswriter.sessions import Utterance

logger = logging.getLogger(__name__)


@contextmanager
def logged(source: str, utterance: Utterance, recogniser: Recogniser) -> Iterator[None]:
    """Log the start and the end of a task, and never a word of its text.

    Args:
        source: ``mic``, ``file`` or another word for what kind of task it is.
        utterance: of the task.
        recogniser: that works on it.
    """
    logger.info("start %s %s", source, recogniser.load)
    outcome = "stopped"
    try:
        yield
        outcome = "done"
    except Exception:
        outcome = "failed"
        raise
    finally:
        logger.info("end %s %s %s %s", source, outcome, recogniser.load, utterance.work)
