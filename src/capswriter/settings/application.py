"""What a user wants done differently in which application, as it stands in the settings."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, model_validator


class Application(BaseModel):
    """A rule: patterns for the window, and what differs there; ``None`` is as usual.

    Attributes:
        window_class, process, title: patterns with ``*`` and ``?``; empty for any.
        output: type or paste.
        paste_keys: the keys that paste there.
        newlines: what line breaks are typed as.
        enter_after: whether Enter is pressed after the text.
        strip_final: whether punctuation at the end of the text is left out.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)

    window_class: str = ""
    process: str = ""
    title: str = ""
    output: Literal["type", "paste"] | None = None
    paste_keys: Literal["ctrl+v", "ctrl+shift+v", "shift+insert", "cmd+v"] | None = None
    newlines: Literal["enter", "shift-enter", "space"] | None = None
    enter_after: bool | None = None
    strip_final: bool | None = None

    @model_validator(mode="after")
    def _is_for_some_window(self) -> Application:
        if not (self.window_class or self.process or self.title):
            raise ValueError("it names no window")
        return self
