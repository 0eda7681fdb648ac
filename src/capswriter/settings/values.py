"""The kinds of value a setting takes, each with a phrase that says what is allowed."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field

from capswriter.settings.application import Application


@dataclass(frozen=True)
class Allowed:
    """What a key takes, in words: the end of the line a user reads after a wrong value."""

    words: str


def _lower(value: Any) -> Any:
    return value.strip().lower() if isinstance(value, str) else value


def _not_boolean(value: Any) -> Any:
    if isinstance(value, bool):  # pydantic would take True for 1
        raise ValueError("a number is needed")  # noqa: TRY004  pydantic catches ValueError only
    return value


def _items(value: Any) -> Any:
    if isinstance(value, str):
        value = [item for item in value.split(",") if item.strip()]
    return [_lower(item) for item in value] if isinstance(value, list | tuple) else value


def _once(items: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(items))


def _home(path: Path) -> Path:
    try:
        return path.expanduser()
    except RuntimeError as error:
        raise ValueError(str(error)) from error


def _model(name: str) -> str:
    return str(_home(Path(name))) if name.startswith("~") else name


def _origin(text: str) -> str:
    scheme, separator, host = text.partition("://")
    if not (scheme and separator and host) or set(host) & set("/?#@ *"):
        raise ValueError("not an origin")
    return text


def _stripped(value: Any) -> Any:
    """Forgive what an address bar shows at the end of an origin."""
    return [item.rstrip("/") if isinstance(item, str) else item for item in value]


def _none_if_empty(value: Any) -> Any:
    return None if value == "" else value


def _text_of_number(value: Any) -> Any:
    """Let a number stand for itself, as a device may be given by one."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _read_json(value: Any) -> Any:
    return json.loads(value) if isinstance(value, str) else value


def _target(text: str) -> str:
    """Check ``host:port``, where ``/plain`` may follow."""
    parts = urlsplit(f"//{text}")
    if not parts.hostname or not parts.port or parts.path not in {"", "/plain", "/json"}:
        raise ValueError("not a target")
    return text


def _websocket_url(url: str) -> str:
    parts = urlsplit(url)
    # Reading ``port`` raises ValueError when it is no number from 0 to 65535.
    if parts.scheme not in {"ws", "wss"} or not parts.hostname or parts.port == 0:
        raise ValueError("not a WebSocket URL")
    return url


_Number = BeforeValidator(_not_boolean)
_Positive = Annotated[int, Field(ge=1)]

Port = Annotated[int, Field(ge=0, le=65535), _Number, Allowed("0 to 65535 (0: any free port)")]
Count = Annotated[_Positive, _Number, Allowed("a whole number from 1")]
CountOrNone = Annotated[_Positive | None, _Number, Allowed("a whole number from 1, or None")]
CountOrAuto = Annotated[
    _Positive | Literal["auto"],
    BeforeValidator(_lower),
    _Number,
    Allowed("a whole number from 1, or auto"),
]
Hours = Annotated[
    float, Field(gt=0, allow_inf_nan=False), _Number, Allowed("a number of hours above 0")
]
Seconds = Annotated[
    float, Field(gt=0, allow_inf_nan=False), _Number, Allowed("a number of seconds above 0")
]
SecondsOrNever = Annotated[
    float,
    Field(ge=0, allow_inf_nan=False),
    _Number,
    Allowed("a number of seconds from 0 (0: never)"),
]
Share = Annotated[
    float, Field(gt=0, le=1), _Number, Allowed("a share above 0 and up to 1, such as 0.5")
]
Switch = Annotated[bool, Allowed("True or False")]
Token = Annotated[
    Annotated[str, Field(pattern=r"^[!-~]+$")] | None,
    BeforeValidator(_none_if_empty),
    Allowed("letters, digits and signs without spaces, or None"),
]
Origins = Annotated[
    tuple[Annotated[str, AfterValidator(_origin)], ...],
    BeforeValidator(_stripped),
    BeforeValidator(_items),
    AfterValidator(_once),
    Allowed("origins such as https://intranet.example:8443, separated by commas"),
]
Host = Annotated[str, Field(min_length=1), Allowed("an address or a host name")]
Model = Annotated[
    str,
    Field(min_length=1),
    AfterValidator(_model),
    Allowed("auto, a name of the catalogue (capswriter models), or a directory"),
]
Directory = Annotated[
    Annotated[Path, AfterValidator(_home)] | None, Allowed("a directory, or None")
]
File = Annotated[
    Annotated[Path, AfterValidator(_home)] | None,
    BeforeValidator(_none_if_empty),
    Allowed("the path of a file, or None"),
]
Device = Annotated[
    Literal["cpu", "cuda", "auto"], BeforeValidator(_lower), Allowed("cpu, cuda or auto")
]
Language = Annotated[
    str,
    Field(pattern=r"^(auto|[A-Za-z]{2,3}([-_][A-Za-z0-9]+)*)$"),
    Allowed("auto, or a language code such as zh, en or yue"),
]
LogLevel = Annotated[
    Literal["debug", "info", "warning", "error"],
    BeforeValidator(_lower),
    Allowed("debug, info, warning or error"),
]
Script = Annotated[
    Literal["keep", "simplified", "traditional"],
    BeforeValidator(_lower),
    Allowed("keep, simplified or traditional"),
]
LogFormat = Annotated[Literal["text", "json"], BeforeValidator(_lower), Allowed("text or json")]
Format = Literal["txt", "srt", "vtt", "lrc", "json"]
Formats = Annotated[
    tuple[Format, ...],
    Field(min_length=1),
    BeforeValidator(_items),
    AfterValidator(_once),
    Allowed("one or more of txt, srt, vtt, lrc and json, separated by commas"),
]
Url = Annotated[
    str,
    AfterValidator(_websocket_url),
    Allowed("ws://host:port or wss://host:port"),
]
Text = Annotated[str, Allowed("text")]

_SHORTCUT = r"^[^:,]+(:(hold|toggle|auto))?$"

Shortcuts = Annotated[
    tuple[Annotated[str, Field(pattern=_SHORTCUT)], ...],
    Field(min_length=1),
    BeforeValidator(_items),
    AfterValidator(_once),
    Allowed("keys such as caps_lock, f9:toggle or mouse_x2:auto, separated by commas"),
]
KeysBackend = Annotated[
    Literal["auto", "x11", "evdev", "pynput", "none"],
    BeforeValidator(_lower),
    Allowed("auto, x11, evdev, pynput or none"),
]
SecondsFromZero = Annotated[
    float, Field(ge=0, le=60), _Number, Allowed("a number of seconds from 0 to 60")
]
Microphone = Annotated[
    Literal["warm", "on-demand"], BeforeValidator(_lower), Allowed("warm or on-demand")
]
InputDevice = Annotated[
    Annotated[str, Field(min_length=1)] | None,
    BeforeValidator(_none_if_empty),
    BeforeValidator(_text_of_number),
    Allowed("a part of a microphone's name or its number (capswriter devices), or None"),
]
Output = Annotated[
    Literal["type", "paste", "clipboard", "stdout"],
    BeforeValidator(_lower),
    Allowed("type, paste, clipboard or stdout"),
]
Newlines = Annotated[
    Literal["enter", "shift-enter", "space"],
    BeforeValidator(_lower),
    Allowed("enter, shift-enter or space"),
]
Applications = Annotated[
    tuple[Application, ...],
    BeforeValidator(_read_json),
    Allowed('rules such as {"window_class": "*code*", "output": "paste"}; in variables as JSON'),
]
Late = Annotated[Literal["keep", "type"], BeforeValidator(_lower), Allowed("keep or type")]
Place = Annotated[
    str,
    Field(min_length=1),
    AfterValidator(_model),
    Allowed("auto, off, or a path"),
]
CountFromZero = Annotated[Annotated[int, Field(ge=0)], _Number, Allowed("a whole number from 0")]
Days = Annotated[
    Annotated[float, Field(gt=0, allow_inf_nan=False)] | None,
    BeforeValidator(_none_if_empty),
    _Number,
    Allowed("a number of days above 0, or None (for ever)"),
]
Volume = Annotated[float, Field(ge=0, le=1), _Number, Allowed("from 0 to 1")]
Targets = Annotated[
    tuple[Annotated[str, AfterValidator(_target)], ...],
    BeforeValidator(_items),
    AfterValidator(_once),
    Allowed("host:port or host:port/plain, separated by commas"),
]
Target = Annotated[
    Annotated[str, AfterValidator(_target)] | None,
    BeforeValidator(_none_if_empty),
    Allowed("host:port, or None"),
]
TextOrNone = Annotated[
    Annotated[str, Field(min_length=1)] | None,
    BeforeValidator(_none_if_empty),
    Allowed("text, or None"),
]
