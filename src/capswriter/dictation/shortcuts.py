"""When a dictation starts and ends, by the keys: a state machine without a clock or threads.

A dictation starts when a shortcut's key goes down, so that no syllable is lost; what the press
meant is decided afterwards.

========  ==============================  ==================================================
mode      let go within ``threshold``     held longer
========  ==============================  ==================================================
hold      cancelled; the key's own        the dictation lasts until the key is let go
toggle    goes on until the next press    the same
auto      goes on until the next press    the dictation lasts until the key is let go
========  ==============================  ==================================================

One dictation runs at a time, and belongs to the shortcut that started it: others are ignored until
it has ended, except that a tap in hold mode is still the key's own. Esc cancels.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, TypeAlias

from capswriter.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable

ESCAPE = "esc"

THRESHOLD_S = 0.3
LONGEST_S = 3600.0
"""Seconds after which a dictation is stopped that nobody has stopped."""

REPEAT_GAP_S = 2.0
"""Seconds without a repetition after which a press of a key that is down is a new one.

Keyboards wait at most a second before a held key repeats, so its release has been lost.
"""


class Mode(str, Enum):
    """What a press means."""

    HOLD = "hold"
    TOGGLE = "toggle"
    AUTO = "auto"


@dataclass(frozen=True, slots=True)
class Shortcut:
    """A key or mouse button that dictates.

    Args:
        key: its name, as ``capswriter.dictation.keys.names`` has it.
        mode: what a press means.
        threshold: seconds from which on a press is held; under it, it is a tap.
    """

    key: str
    mode: Mode = Mode.HOLD
    threshold: float = THRESHOLD_S


@dataclass(frozen=True, slots=True)
class Press:
    """A key went down, or repeated itself, at the time ``at`` in seconds."""

    key: str
    at: float


@dataclass(frozen=True, slots=True)
class Release:
    """A key went up."""

    key: str
    at: float


@dataclass(frozen=True, slots=True)
class Tick:
    """Time passed; needed at ``Shortcuts.due``."""

    at: float


class Command(str, Enum):
    """What may be asked for without a key."""

    TOGGLE = "toggle"
    START = "start"
    STOP = "stop"
    CANCEL = "cancel"


@dataclass(frozen=True, slots=True)
class Ask:
    """A command came from elsewhere: another process, the tray, the network."""

    command: Command
    at: float


KeyEvent: TypeAlias = "Press | Release"
Event: TypeAlias = "Press | Release | Tick | Ask"


@dataclass(frozen=True, slots=True)
class Start:
    """Begin a dictation.

    Args:
        key: of the shortcut; None for a command.
        at: when the key went down.
    """

    key: str | None
    at: float


class Why(str, Enum):
    """What ended a dictation."""

    KEY = "key"
    COMMAND = "command"
    TAP = "tap"
    ESCAPE = "escape"
    TOO_LONG = "too long"


@dataclass(frozen=True, slots=True)
class Stop:
    """End the dictation and recognise it."""

    at: float
    why: Why = Why.KEY


@dataclass(frozen=True, slots=True)
class Cancel:
    """End the dictation and forget it."""

    at: float
    why: Why


@dataclass(frozen=True, slots=True)
class Replay:
    """The press was the key's own: do what the key does, once."""

    key: str


Action: TypeAlias = "Start | Stop | Cancel | Replay"


@dataclass(slots=True)
class _Held:
    """A shortcut's key that is down."""

    since: float
    seen: float
    """When it was pressed or repeated itself last."""
    tap: bool
    """Whether letting go soon makes it the key's own."""


@dataclass(slots=True)
class _Running:
    """The dictation that runs."""

    key: str | None
    since: float
    held: bool
    """Whether the key that started it has been down ever since."""


@dataclass
class Shortcuts:
    """The state machine.

    Args:
        shortcuts: their keys must differ, and none is Esc.
        longest: seconds after which a dictation is stopped that nobody has stopped.

    Raises:
        UsageError: two shortcuts share a key, or one is Esc.
    """

    shortcuts: Iterable[Shortcut]
    longest: float = LONGEST_S
    _by_key: dict[str, Shortcut] = field(init=False, repr=False, default_factory=dict)
    _down: dict[str, _Held] = field(init=False, repr=False, default_factory=dict)
    _running: _Running | None = field(init=False, repr=False, default=None)
    _now: float = field(init=False, repr=False, default=float("-inf"))

    def __post_init__(self) -> None:
        for shortcut in self.shortcuts:
            if shortcut.key == ESCAPE:
                raise UsageError("Esc cancels a dictation and cannot be a shortcut: choose another")
            if shortcut.key in self._by_key:
                raise UsageError(
                    f"two shortcuts have the key {shortcut.key}: choose another for one"
                )
            self._by_key[shortcut.key] = shortcut

    @property
    def keys(self) -> frozenset[str]:
        """The keys of all shortcuts."""
        return frozenset(self._by_key)

    @property
    def running(self) -> bool:
        """Whether a dictation runs."""
        return self._running is not None

    @property
    def down(self) -> frozenset[str]:
        """The keys of shortcuts that are held."""
        return frozenset(self._down)

    @property
    def due(self) -> float | None:
        """When a ``Tick`` is needed next; None while nothing waits for one."""
        return None if self._running is None else self._running.since + self.longest

    def feed(self, event: Event) -> list[Action]:
        """Take what happened, and tell what to do, in this order.

        Times that go backwards count as the latest one seen.
        """
        self._now = max(self._now, event.at)
        actions = self._expire()
        if isinstance(event, Press):
            if event.key == ESCAPE:
                actions += self._cancel(Why.ESCAPE)
            elif event.key in self._by_key:
                actions += self._press(self._by_key[event.key])
        elif isinstance(event, Release):
            if event.key in self._down:
                actions += self._release(self._by_key[event.key])
        elif isinstance(event, Ask):
            actions += self._ask(event.command)
        return actions

    def _expire(self) -> list[Action]:
        due = self.due
        return self._stop(Why.TOO_LONG) if due is not None and self._now >= due else []

    def _press(self, shortcut: Shortcut) -> list[Action]:
        actions: list[Action] = []
        if (held := self._down.get(shortcut.key)) is not None:
            if self._now - held.seen < REPEAT_GAP_S:
                held.seen = self._now
                return []
            actions += self._release(shortcut)
        free, hold = self._running is None, shortcut.mode is Mode.HOLD
        self._down[shortcut.key] = _Held(self._now, self._now, tap=hold)
        if free:
            self._running = _Running(shortcut.key, self._now, held=True)
            actions.append(Start(shortcut.key, self._now))
        elif not hold and self._running is not None and self._running.key == shortcut.key:
            actions += self._stop(Why.KEY)
        return actions

    def _release(self, shortcut: Shortcut) -> list[Action]:
        held = self._down.pop(shortcut.key)
        tapped = self._now - held.since < shortcut.threshold
        own = [Replay(shortcut.key)] if tapped and held.tap else []
        running = self._running
        if running is None or running.key != shortcut.key or not running.held:
            return [*own]
        running.held = False
        if shortcut.mode is Mode.TOGGLE or (shortcut.mode is Mode.AUTO and tapped):
            return []
        return [*self._cancel(Why.TAP), *own] if own else self._stop(Why.KEY)

    def _ask(self, command: Command) -> list[Action]:
        if command is Command.CANCEL:
            return self._cancel(Why.COMMAND)
        if self._running is not None:
            return [] if command is Command.START else self._stop(Why.COMMAND)
        if command is Command.STOP:
            return []
        self._running = _Running(None, self._now, held=False)
        return [Start(None, self._now)]

    def _stop(self, why: Why) -> list[Action]:
        return [Stop(self._now, why)] if self._end() else []

    def _cancel(self, why: Why) -> list[Action]:
        return [Cancel(self._now, why)] if self._end() else []

    def _end(self) -> bool:
        running, self._running = self._running, None
        if running is not None and running.held and running.key in self._down:
            # What the press was for has happened: its release means nothing more.
            self._down[running.key].tap = False
        return running is not None
