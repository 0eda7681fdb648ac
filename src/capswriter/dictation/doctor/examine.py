"""Doing checks so that none depends on another: each in a thread, each within its time."""

from __future__ import annotations

import logging
import queue
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from capswriter.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from capswriter.dictation.doctor.needs import Needs

LIMIT_S = 30.0
"""Seconds that a check has; a busy computer takes some for the imports alone."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check found.

    Attributes:
        check: its name.
        says: how it is; empty where only ``mend`` says something.
        mend: what is to be mended, and how: a line each. Empty where all is fine.
        hangs: whether the check has not ended, so that its thread still runs.
    """

    check: str
    says: str = ""
    mend: tuple[str, ...] = ()
    hangs: bool = False

    @property
    def is_fine(self) -> bool:
        """Whether nothing is to be mended."""
        return not self.mend


@dataclass(frozen=True, slots=True)
class Check:
    """Something that can be looked at.

    Args:
        name: of it.
        look: says how it is, or raises a ``UserError`` that says what to mend; or gives both: how
            it is, and lines of what is to be mended.
        limit: seconds it has.
    """

    name: str
    look: Callable[[Needs], str | tuple[str, tuple[str, ...]]]
    limit: float = LIMIT_S


def examine(needs: Needs, checks: Iterable[Check]) -> Iterator[Finding]:
    """Do all checks at once, and give what they find, in their order, as soon as it is known.

    Whatever happens in a check is a finding. One that hangs is left behind in a daemon thread.
    """
    begun = [(check, _begin(check, needs), time.monotonic() + check.limit) for check in checks]
    for check, results, deadline in begun:
        try:
            yield results.get(timeout=max(0.0, deadline - time.monotonic()))
        except queue.Empty:
            text = f"it has not ended after {check.limit:g} s: something that it uses hangs"
            yield Finding(check.name, mend=(text,), hangs=True)


def _begin(check: Check, needs: Needs) -> queue.SimpleQueue[Finding]:
    results: queue.SimpleQueue[Finding] = queue.SimpleQueue()
    thread = threading.Thread(
        target=lambda: results.put(_found(check, needs)), name=f"check {check.name}", daemon=True
    )
    thread.start()
    return results


def _found(check: Check, needs: Needs) -> Finding:
    try:
        found = check.look(needs)
    except UserError as error:
        return Finding(check.name, mend=(str(error),))
    except BaseException as error:  # noqa: BLE001  a library may end with anything
        _log.debug("the check %s failed", check.name, exc_info=True)
        words = " ".join(str(error).split())
        why = f"{type(error).__name__}: {words}" if words else type(error).__name__
        return Finding(check.name, mend=(f"looking failed, please report it: {why}",))
    says, mend = (found, ()) if isinstance(found, str) else found
    return Finding(check.name, says, mend)
