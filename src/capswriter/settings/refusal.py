"""The one line a user reads after a wrong key or a wrong value."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING

from capswriter.errors import UsageError
from capswriter.settings.names import PREFIX
from capswriter.settings.values import Allowed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from pydantic import ValidationError

    from capswriter.settings.schema import Config

LONGEST_VALUE = 80
"""Characters of a wrong value that are repeated; a pasted file should not fill the screen."""


def allowed(config: type[Config], key: str) -> str:
    """Say in words what ``key`` takes."""
    return next(
        part.words for part in config.model_fields[key].metadata if isinstance(part, Allowed)
    )


def unknown(label: str, name: str, known: Iterable[str]) -> UsageError:
    """Refuse a name that is no setting: near matches if there are any, else all there are.

    Args:
        label: where it was found, and the name itself.
        name: the unknown name.
        known: the names that are allowed.
    """
    # The prefix that all variables share would make any two of them look alike.
    whole = {name.removeprefix(PREFIX): name for name in known}
    near = get_close_matches(name.removeprefix(PREFIX), whole, n=3)
    if near:
        hint = f"did you mean {' or '.join(whole[match] for match in near)}?"
    else:
        hint = f"allowed: {', '.join(whole.values())}"
    return UsageError(f"{label} is not a setting; {hint}")


def refusal(
    config: type[Config], error: ValidationError, label: Callable[[str], str]
) -> UsageError:
    """Turn pydantic's report on ``config`` into one line about the first mistake.

    Args:
        config: the model that was to be made.
        error: what pydantic says.
        label: tells for a key where it was given, and its name there.
    """
    first = error.errors(include_url=False, include_context=False)[0]
    key = str(first["loc"][0])
    if first["type"] == "extra_forbidden":
        return unknown(label(key), key, config.model_fields)
    value = "what it says" if config.is_secret(key) else repr(first["input"])
    if len(value) > LONGEST_VALUE:
        value = f"{value[: LONGEST_VALUE - 3]}..."
    return UsageError(f"{label(key)}: {value} is not allowed: {allowed(config, key)}")
