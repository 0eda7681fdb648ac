"""Checked access to the keys of a JSON message, whatever the wire format."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

BAD_REQUEST = "bad_request"
UNSUPPORTED_ENCODING = "unsupported_encoding"


class BadMessage(Exception):
    """A message that cannot be understood.

    Args:
        message: one line: what is wrong, and what is right.
        code: for programs.
    """

    def __init__(self, message: str, *, code: str = BAD_REQUEST) -> None:
        super().__init__(message)
        self.code = code


def read_object(text: str | bytes) -> Mapping[str, Any]:
    """Read a JSON object.

    Raises:
        BadMessage: it is none.
    """
    try:
        fields = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise BadMessage(f"the message is not JSON: {error}") from error
    if not isinstance(fields, dict):
        raise BadMessage("the message is not a JSON object")
    return fields


class Fields:
    """The keys of a message; each method gives one, or raises ``BadMessage`` that names it.

    What is optional may be absent or null.
    """

    def __init__(self, fields: Mapping[str, Any]) -> None:
        self._fields = fields

    def wrong(self, key: str, expected: str, *, code: str = BAD_REQUEST) -> BadMessage:
        """Make the error for a key that is not as expected."""
        if key not in self._fields:
            return BadMessage(f"the key {key} is missing: {expected}")
        shown = repr(self._fields[key])[:40]
        return BadMessage(f"{key} is {shown}, not {expected}", code=code)

    def has(self, key: str) -> bool:
        """Tell whether a key is there, and not null."""
        return self._fields.get(key) is not None

    def value(self, key: str) -> Any:
        """Give a value of any type; None where it is absent."""
        return self._fields.get(key)

    def string(self, key: str) -> str:
        """Give a string."""
        value = self._fields.get(key)
        if not isinstance(value, str):
            raise self.wrong(key, "a string")
        return value

    def optional_string(self, key: str) -> str | None:
        """Give a string, if there is one."""
        return None if self._fields.get(key) is None else self.string(key)

    def flag(self, key: str) -> bool:
        """Give true or false."""
        value = self._fields.get(key)
        if not isinstance(value, bool):
            raise self.wrong(key, "true or false")
        return value

    def optional_flag(self, key: str) -> bool | None:
        """Give true or false, if it is said."""
        return None if self._fields.get(key) is None else self.flag(key)

    def number(self, key: str) -> float:
        """Give a number."""
        value = self._fields.get(key)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self.wrong(key, "a number")
        return float(value)

    def optional_number(self, key: str) -> float | None:
        """Give a number, if there is one."""
        return None if self._fields.get(key) is None else self.number(key)

    def whole(self, key: str, lowest: int, highest: int) -> int:
        """Give a whole number between two, both included; ``16000.0`` is one."""
        value = self._fields.get(key)
        if (
            isinstance(value, bool)
            or not isinstance(value, int | float)
            or not lowest <= value <= highest
            or value != int(value)
        ):
            raise self.wrong(key, f"a whole number from {lowest} to {highest}")
        return int(value)

    def optional_whole(self, key: str, lowest: int, highest: int) -> int | None:
        """Give such a number, if there is one."""
        return None if self._fields.get(key) is None else self.whole(key, lowest, highest)

    def strings(self, key: str) -> Sequence[str]:
        """Give a list of strings."""
        value = self._fields.get(key)
        if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
            raise self.wrong(key, "a list of strings")
        return value

    def numbers(self, key: str) -> Sequence[float]:
        """Give a list of numbers."""
        value = self._fields.get(key)
        if not isinstance(value, list) or not all(type(each) in {int, float} for each in value):
            raise self.wrong(key, "a list of numbers")
        return value
