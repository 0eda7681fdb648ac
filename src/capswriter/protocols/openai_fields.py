"""Checked access to the keys of what an OpenAI client says; what is wrong is named by its path."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any, TypeVar

import orjson

if TYPE_CHECKING:
    from collections.abc import Mapping

LONGEST_ID = 512
"""Characters of an id that is given back; OpenAI's own limit."""

LONGEST_NAME = 200
"""Characters of the name of a model or a language, and of a keyword."""

LONGEST_LIST = 1_000

_SHOWN = 40

Text = TypeVar("Text", bound="str | None")


class Code(Enum):
    """What was wrong with an event, in OpenAI's words."""

    INVALID_JSON = "invalid_json"
    MISSING = "missing_required_parameter"
    INVALID_TYPE = "invalid_type"
    INVALID_VALUE = "invalid_value"
    TOO_LONG = "string_above_max_length"
    COMMIT_EMPTY = "input_audio_buffer_commit_empty"


class BadEvent(Exception):
    """An event that cannot be understood, or not be obeyed.

    Args:
        message: what is wrong, and what is right.
        code: what kind of wrong.
        param: path of the key, such as ``"session.audio.input.format.rate"``.
        event_id: the client's name for the event, where it gave one.
    """

    def __init__(
        self,
        message: str,
        *,
        code: Code = Code.INVALID_VALUE,
        param: str | None = None,
        event_id: str | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.param = param
        self.event_id = event_id


@dataclass(frozen=True, slots=True)
class Fields:
    """An object in an event, with checked access to its keys.

    Every reader of a key that may be missing is told what that means, and what null means.

    Args:
        fields: what it holds; unknown keys are ignored.
        path: of the object in its event; empty for the event itself.
        event_id: the client's name for the event, where it gave one.
    """

    fields: Mapping[str, Any]
    path: str = ""
    event_id: str | None = None

    @classmethod
    def of_event(cls, text: str | bytes) -> Fields:
        """Read an event.

        Raises:
            BadEvent: it is not a JSON object, or its id is none that can be given back.
        """
        try:
            fields = orjson.loads(text)
        except orjson.JSONDecodeError as error:
            message = f"the message is not JSON: {error}"
            raise BadEvent(message, code=Code.INVALID_JSON) from error
        if not isinstance(fields, dict):
            raise BadEvent("the message is not a JSON object", code=Code.INVALID_JSON)
        event_id = cls(fields).text("event_id", longest=LONGEST_ID, missing=None, null=None)
        return cls(fields, event_id=event_id)

    def wrong(self, key: str, expected: str, *, code: Code = Code.INVALID_VALUE) -> BadEvent:
        """Make the error that says what a key holds, and what it should."""
        param = self._param(key)
        if key not in self.fields:
            message, code = f"the key {param} is missing: {expected}", Code.MISSING
        else:
            message = f"{param} is {_shown(self.fields[key])}, not {expected}"
        return BadEvent(message, code=code, param=param, event_id=self.event_id)

    def given(self, key: str) -> bool:
        """Tell whether the key is there."""
        return key in self.fields

    def null(self, key: str) -> bool:
        """Tell whether the key is there, and says nothing on purpose."""
        return key in self.fields and self.fields[key] is None

    def object(self, key: str) -> Fields:
        """Take an object that must be there."""
        value = self.fields.get(key)
        if not isinstance(value, dict):
            raise self.wrong(key, "an object", code=Code.INVALID_TYPE)
        return Fields(value, path=self._param(key), event_id=self.event_id)

    def optional_object(self, key: str) -> Fields:
        """Take an object; missing or null, it is an empty one."""
        if self.fields.get(key) is None:
            return Fields({}, path=self._param(key), event_id=self.event_id)
        return self.object(key)

    def string(self, key: str) -> str:
        """Take a text of any length that must be there."""
        value = self.fields.get(key)
        if not isinstance(value, str):
            raise self.wrong(key, "a string", code=Code.INVALID_TYPE)
        return value

    def text(self, key: str, *, longest: int, missing: Text, null: Text) -> str | Text:
        """Take a text of so many characters."""
        if self.fields.get(key) is None:
            return null if self.given(key) else missing
        value = self.string(key)
        if len(value) > longest:
            raise self.wrong(key, f"at most {longest:,} characters", code=Code.TOO_LONG)
        return value

    def names(self, key: str, *, missing: tuple[str, ...]) -> tuple[str, ...]:
        """Take a list of names; null is an empty one."""
        value = self.fields.get(key)
        if value is None:
            return () if self.given(key) else missing
        if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
            raise self.wrong(key, "a list of strings", code=Code.INVALID_TYPE)
        if len(value) > LONGEST_LIST or any(len(each) > LONGEST_NAME for each in value):
            expected = f"at most {LONGEST_LIST:,} strings of at most {LONGEST_NAME} characters"
            raise self.wrong(key, expected)
        return tuple(value)

    def number(self, key: str, *, largest: float, missing: float, null: float) -> float:
        """Take a number from nought on."""
        value = self.fields.get(key)
        if value is None:
            return null if self.given(key) else missing
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self.wrong(key, "a number", code=Code.INVALID_TYPE)
        if not 0 <= value <= largest:
            raise self.wrong(key, f"a number from 0 to {largest:,}")
        return float(value)

    def whole(self, key: str, *, largest: int, missing: int, null: int) -> int:
        """Take a whole number from nought on; 500.0 is one."""
        number = self.number(key, largest=largest, missing=missing, null=null)
        if number != int(number):
            raise self.wrong(key, f"a whole number from 0 to {largest:,}")
        return int(number)

    def _param(self, key: str) -> str:
        return f"{self.path}.{key}" if self.path else key


def _shown(value: Any) -> str:
    """Show a value, not all of it: it may be megabytes, and must fit in one line."""
    match value:
        case dict():
            return "an object"
        case list():
            return "a list"
        case str():
            return repr(value[:_SHOWN]) + ("…" if len(value) > _SHOWN else "")
        case None:
            return "null"
        case bool():
            return repr(value).lower()
        case _:
            return repr(value)
