"""What is done differently in which application."""

from __future__ import annotations

from dataclasses import dataclass, fields
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from capswriter.dictation.output.base import Newlines, PasteKeys, Way

if TYPE_CHECKING:
    from collections.abc import Iterable

    from capswriter.dictation.output.base import Window


@dataclass(frozen=True, slots=True)
class Rule:
    """What differs in the windows that match; None leaves it to the next rule that matches.

    Args:
        window_class: pattern with ``*`` and ``?``, capitals alike; empty for any.
        process: likewise.
        title: likewise.
        way: type or paste.
        paste_keys: the keys that paste there.
        newlines: what line breaks are typed as.
        enter_after: whether Enter is pressed after the text.
        strip_final: whether punctuation at the end of the text is left out.
    """

    window_class: str = ""
    process: str = ""
    title: str = ""
    way: Way | None = None
    paste_keys: PasteKeys | None = None
    newlines: Newlines | None = None
    enter_after: bool | None = None
    strip_final: bool | None = None

    def matches(self, window: Window) -> bool:
        """Whether every pattern of the rule fits, and there is one."""
        pairs = (
            (self.window_class, window.window_class),
            (self.process, window.process),
            (self.title, window.title),
        )
        given = [(pattern, value) for pattern, value in pairs if pattern]
        return bool(given) and all(
            fnmatchcase(value.casefold(), pattern.casefold()) for pattern, value in given
        )


@dataclass(frozen=True, slots=True)
class Manner:
    """How a text is written into one window; the fields are those of ``Rule``."""

    way: Way = Way.TYPE
    paste_keys: PasteKeys = PasteKeys.CTRL_V
    newlines: Newlines = Newlines.ENTER
    enter_after: bool = False
    strip_final: bool = False


SHIFT_INSERT_CLASSES = (
    "*xterm*", "*rxvt*", "st", "st-256color", "*-terminal*", "*terminal", "konsole", "*.konsole",
    "alacritty", "kitty", "foot*", "terminator", "tilix", "*wezterm*", "lxterminal", "eterm",
    "ghostty*", "emacs", "gvim",
)  # fmt: skip
"""Where Ctrl+V is not paste and Shift+Insert is."""

KNOWN = tuple(
    Rule(window_class=pattern, paste_keys=PasteKeys.SHIFT_INSERT)
    for pattern in SHIFT_INSERT_CLASSES
)
"""Rules that hold where the user's say nothing, on X11 and Wayland."""


def manner_for(window: Window | None, rules: Iterable[Rule], usual: Manner) -> Manner:
    """How to write into a window: the first rule that says something about a field decides it."""
    if window is None:
        return usual
    matching = [rule for rule in rules if rule.matches(window)]
    chosen = {}
    for field in fields(Manner):
        said = (getattr(rule, field.name) for rule in matching)
        chosen[field.name] = next((each for each in said if each is not None), None)
    return Manner(
        **{name: getattr(usual, name) if value is None else value for name, value in chosen.items()}
    )
