"""What an endpoint's JSON says, and what of its text is for the user."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import orjson

from capswriter.dictation.roles.errors import NoAnswer
from capswriter.dictation.roles.sse import Malformed

DONE = "[DONE]"

LONGEST_REASON = 200
"""Characters of what an endpoint says went wrong that are repeated."""

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_OPENED, _CLOSED = "<think>", "</think>"


@dataclass(frozen=True, slots=True)
class Chunk:
    """A part of an answer.

    Attributes:
        text: what it adds.
        ending: why the answer ends with it; empty where it goes on.
    """

    text: str = ""
    ending: str = ""


def read_chunk(data: str | bytes) -> Chunk:
    """Read the data of an event, or the whole answer of an endpoint that does not stream.

    Raises:
        Malformed: it is no such thing.
        NoAnswer: it says what went wrong.
    """
    try:
        told = orjson.loads(data)
    except ValueError as error:
        raise Malformed("an event is no JSON") from error
    if not isinstance(told, dict):
        raise Malformed("an event is no object")
    if told.get("error"):
        raise NoAnswer(f"the language model says: {said_wrong(told)}")
    choices = told.get("choices")
    if not isinstance(choices, list):
        raise Malformed("an event has no choices")
    if not choices:  # the count of tokens
        return Chunk()
    first = choices[0]
    said = (first.get("delta") or first.get("message") or {}) if isinstance(first, dict) else None
    text = said.get("content") if isinstance(said, dict) else 0
    if not isinstance(text, str | None):
        raise Malformed("an event has no text")
    return Chunk(text or "", str(first.get("finish_reason") or ""))


def said_wrong(told: Any) -> str:
    """Find an endpoint's own words on what went wrong, in one line; empty where there are none."""
    for key in ("error", "message", "detail"):
        if isinstance(told, dict) and told.get(key):
            told = told[key]
    text = told if isinstance(told, str) else ""
    return _CONTROL.sub("", " ".join(text.split()))[:LONGEST_REASON]


class Tidy:
    """Takes from an answer, piece by piece, what is not to be typed.

    That is what the model thinks at first (``<think>``), white space around the answer (a line feed
    at its end would send a message before it was read), and control characters.
    """

    def __init__(self) -> None:
        self._held = ""
        self._has_begun = False

    def feed(self, text: str) -> str:
        """Take the next piece; give what of it, and of what was held back, is for the user."""
        self._held += _CONTROL.sub("", text)
        if not self._has_begun and not self._begins():
            return ""
        given = self._held.rstrip()
        self._held = self._held[len(given) :]
        return given

    def _begins(self) -> bool:
        self._held = self._held.lstrip()
        if self._held.startswith(_OPENED):
            _, closed, rest = self._held.partition(_CLOSED)
            if not closed:
                # What is thought may be long: its end is all that matters.
                self._held = _OPENED + self._held[len(_OPENED) :][-len(_CLOSED) :]
                return False
            self._held = rest
            return self._begins()
        self._has_begun = bool(self._held) and not _OPENED.startswith(self._held)
        return self._has_begun

    def rest(self) -> str:
        """What was held back and turned out to be the answer after all."""
        return "" if self._has_begun or self._held.startswith(_OPENED) else self._held
