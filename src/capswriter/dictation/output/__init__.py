"""Where the text goes: typed, pasted, on the clipboard, or printed."""

from capswriter.dictation.output.base import (
    How,
    Newlines,
    Outcome,
    OutputUnavailable,
    PasteKeys,
    Way,
    Window,
)
from capswriter.dictation.output.choose import make_desktop
from capswriter.dictation.output.output import Output, OutputSettings
from capswriter.dictation.output.rules import Rule

__all__ = [
    "How",
    "Newlines",
    "Outcome",
    "Output",
    "OutputSettings",
    "OutputUnavailable",
    "PasteKeys",
    "Rule",
    "Way",
    "Window",
    "make_desktop",
]
