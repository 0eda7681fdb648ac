"""A role as it stands in its file, one TOML file each.

::

    prefixes = ["翻译", "translate"]      # what begins a text that is for this role
    prompt = "Translate what follows into English. Answer with the translation alone."
    output = "type"                       # or "show"
    model = "qwen3:4b"                    # without it the one for all roles, like these:
    base_url = "http://127.0.0.1:11434/v1"
    key_env = "OPENAI_API_KEY"            # or key_file = "~/.config/capswriter/key"
    temperature = 0.3
    first_piece_limit = 8.0               # seconds
    time_limit = 60.0                     # seconds
    max_tokens = 1000
    extra = { reasoning_effort = "low" }  # what else the endpoint is to be told

Nothing in it is ever executed.
"""

from __future__ import annotations

import sys
from difflib import get_close_matches
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from capswriter.dictation.roles.endpoint import Endpoint
from capswriter.dictation.roles.errors import RoleBroken

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib  # type: ignore[import-not-found, unused-ignore]

if TYPE_CHECKING:
    from collections.abc import Iterable

OURS = ("messages", "model", "stream")
"""What ``extra`` may not change."""

KEYS_OF_KEYS = {"key", "api_key", "apikey", "token"}

Said = Annotated[str, Field(min_length=1)]
Seconds = Annotated[float, Field(gt=0, le=3600)]


class Role(BaseModel):
    """A role.

    Attributes:
        name: what it is called; the file's name by default.
        prefixes: what begins a text that is for it; its name by default.
        default: whether texts without any prefix are for it too.
        prompt: what the model is told before the text.
        output: whether the answer is typed or shown.
        temperature, max_tokens: as the endpoint understands them.
        first_piece_limit: seconds until the answer has to begin.
        time_limit: seconds until it has to be there.
        extra: further fields of the request.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)

    name: Said
    prefixes: tuple[Said, ...] = ()
    default: bool = False
    prompt: Said
    output: Literal["type", "show"] = "type"
    base_url: Said | None = None
    model: Said | None = None
    key_env: Said | None = None
    key_file: Said | None = None
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    max_tokens: Annotated[int, Field(ge=1)] | None = None
    first_piece_limit: Seconds = 8.0
    time_limit: Seconds = 60.0
    extra: dict[str, Any] = Field(default_factory=dict)

    @field_validator("extra")
    @classmethod
    def _leaves_ours(cls, extra: dict[str, Any]) -> dict[str, Any]:
        if taken := [key for key in OURS if key in extra]:
            raise ValueError(f"{taken[0]} cannot be given there")
        return extra

    @property
    def endpoint(self) -> Endpoint:
        """What the role itself says of where to ask."""
        return Endpoint(self.base_url, self.model, self.key_env, self.key_file)

    def request(self, text: str, model: str | None) -> dict[str, Any]:
        """Make the body of a request.

        Args:
            text: what was said, without the prefix.
            model: to ask.
        """
        given = {"temperature": self.temperature, "max_tokens": self.max_tokens}
        return {
            **{key: value for key, value in given.items() if value is not None},
            **self.extra,
            "model": model,
            "messages": [
                {"role": "system", "content": self.prompt},
                {"role": "user", "content": text},
            ],
            "stream": True,
        }


def parse_role(lines: Iterable[str], name: str) -> Role:
    """Read the lines of a role's file.

    Args:
        lines: of the file.
        name: the role's, where the file gives none.

    Raises:
        RoleBroken: why it cannot be used, in the words that follow the file's name.
    """
    try:
        told = tomllib.loads("\n".join(lines))
    except tomllib.TOMLDecodeError as error:
        raise RoleBroken(f"it is no TOML: {error}") from None
    except RecursionError:
        raise RoleBroken("it is no TOML: too much is nested") from None
    told.setdefault("name", name)
    if not told.get("default", False):
        told.setdefault("prefixes", [told["name"]])
    try:
        role = Role.model_validate(told)
    except ValidationError as error:
        raise RoleBroken(_in_words(error)) from None
    if not (role.prefixes or role.default):
        raise RoleBroken("prefixes is empty: nothing would be for this role")
    return role


def _in_words(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    key = str(first["loc"][0])
    if first["type"] == "extra_forbidden":
        if key.lower() in KEYS_OF_KEYS:
            return (
                "a key does not belong into this file: put it into an environment variable or a "
                "file of its own, and name that in key_env or key_file"
            )
        near = get_close_matches(key, Role.model_fields, n=2)
        hint = f"did you mean {' or '.join(near)}?" if near else ""
        known = ", ".join(Role.model_fields)
        return f"there is no setting {key!r}; {hint or f'there are {known}'}"
    if first["type"] == "missing":
        return f"{key} is missing"
    words = first["msg"].removeprefix("Value error, ").removeprefix("Input ")
    return f"{key} {words}"
