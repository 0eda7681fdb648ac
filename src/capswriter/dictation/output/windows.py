"""What text goes through on Windows: SendInput with Unicode characters, and its clipboard."""

from __future__ import annotations

import ctypes
import time
from pathlib import PureWindowsPath
from typing import TYPE_CHECKING, Any

from capswriter.dictation.output.base import (
    SOFT_BREAK,
    ClipboardBusy,
    PasteKeys,
    Typed,
    Way,
    Window,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

BURST = 16
"""Characters between looks at the focus."""

RELEASE_WAIT_S = 0.5
"""Seconds that a modifier may still be down before it is released."""

TAKEN_S = 0.4
"""Seconds after which a window has taken what is pasted: Windows tells of no fetching."""

OPEN_TRIES, OPEN_S = 20, 0.02
"""Another program may have the clipboard open for a moment."""

KEY_UP, UNICODE = 0x2, 0x4
SHIFT, CONTROL, RETURN, TAB, INSERT, LETTER_V = 0x10, 0x11, 0x0D, 0x09, 0x2D, 0x56
MODIFIERS = (0xA0, 0xA1, 0xA2, 0xA3, 0xA4, 0xA5, 0x5B, 0x5C)
UNICODE_TEXT = 13

KEPT_AS_HANDLES = {2, 3, 9, 14, 0x80, 0x82, 0x83, 0x8E}
"""Formats that are no memory; Windows makes the picture's again from its CF_DIB."""

NOT_FOR_HISTORIES = "ExcludeClipboardContentFromMonitorProcessing"

KEYS = {
    PasteKeys.CTRL_V: (CONTROL, LETTER_V),
    PasteKeys.CTRL_SHIFT_V: (CONTROL, SHIFT, LETTER_V),
    PasteKeys.SHIFT_INSERT: (SHIFT, INSERT),
}


class KeyboardInput(ctypes.Structure):
    """KEYBDINPUT."""

    _fields_ = (
        ("key", ctypes.c_uint16),
        ("scan", ctypes.c_uint16),
        ("flags", ctypes.c_uint32),
        ("time", ctypes.c_uint32),
        ("extra", ctypes.c_void_p),
    )


class _Padded(ctypes.Union):
    _fields_ = (("keyboard", KeyboardInput), ("room", ctypes.c_uint8 * 32))


class Input(ctypes.Structure):
    """INPUT, of the kind that is a key."""

    _fields_ = (("kind", ctypes.c_uint32), ("of", _Padded))


def _library(name: str) -> Any:
    library = ctypes.WinDLL(name)  # type: ignore[attr-defined, unused-ignore]
    for function in ("GetForegroundWindow", "OpenProcess", "GetClipboardData", "GlobalAlloc",
                     "GlobalLock"):  # fmt: skip
        if hasattr(library, function):
            getattr(library, function).restype = ctypes.c_void_p
    return library


class WindowsDesktop:
    """Windows, keys and clipboard of Windows.

    Args:
        user32: Windows' library, or one that stands in for it.
        kernel32: likewise.
    """

    name = "windows"
    paste_keys = PasteKeys.CTRL_V
    limits: Sequence[str] = (
        "windows of programs that run as administrator take no text from us unless we do too",
    )

    def __init__(self, user32: Any = None, kernel32: Any = None) -> None:
        self._user = user32 or _library("user32")
        self._kernel = kernel32 or _library("kernel32")

    def missing(self, way: Way) -> str:  # noqa: ARG002
        """Nothing."""
        return ""

    def focused(self) -> Window | None:
        """The window in the foreground."""
        number = self._user.GetForegroundWindow()
        if not number:
            return None
        room = ctypes.create_unicode_buffer(1024)
        handle = ctypes.c_void_p(number)
        title = room.value if self._user.GetWindowTextW(handle, room, len(room)) else ""
        kind = room.value if self._user.GetClassNameW(handle, room, len(room)) else ""
        return Window(int(number), kind, self._process(handle), title)

    def secret(self) -> bool:
        """False: Windows does not tell."""
        return False

    def type(self, strokes: str, into: Window | None) -> Typed:
        """Type, until the focus leaves the window; see ``Desktop.type``."""
        self._lift_modifiers()
        for at in range(0, len(strokes), BURST):
            if into is not None and self._user.GetForegroundWindow() != into.id:
                return Typed(at, "the focus has moved to another window")
            events: list[Input] = []
            for character in strokes[at : at + BURST]:
                events += _strokes_of(character)
            if not self._send(events):
                return Typed(at, "Windows lets nobody type into this window")
        return Typed(len(strokes))

    def paste(self, text: str, keys: PasteKeys, into: Window | None) -> str:
        """Paste and put back what was there; see ``Desktop.paste``."""
        if keys not in KEYS:
            raise ClipboardBusy(f"no keyboard here has {keys.value}")
        saved = self._save()
        hint = self._user.RegisterClipboardFormatW(NOT_FOR_HISTORIES)
        self._set([(UNICODE_TEXT, _encode(text)), (hint, bytes(4))])
        ours = self._user.GetClipboardSequenceNumber()
        self._lift_modifiers()
        why = ""
        if into is not None and self._user.GetForegroundWindow() != into.id:
            why = "the focus has moved to another window"
        elif not self._send(_pressed(KEYS[keys])):
            why = "Windows lets nobody type into this window"
        if why:
            self.copy(text)
            return why
        time.sleep(TAKEN_S)
        if self._user.GetClipboardSequenceNumber() == ours:
            self._set(saved)
        return ""

    def copy(self, text: str) -> None:
        """Put a text on the clipboard, where it stays."""
        self._set([(UNICODE_TEXT, _encode(text))])

    def close(self) -> None:
        """Nothing was changed."""

    def _lift_modifiers(self) -> None:
        end = time.monotonic() + RELEASE_WAIT_S
        while down := [key for key in MODIFIERS if self._user.GetAsyncKeyState(key) & 0x8000]:
            if time.monotonic() >= end:
                self._send([_key(key, up=True) for key in down])
                return
            time.sleep(0.005)

    def _send(self, events: Sequence[Input]) -> bool:
        array = (Input * len(events))(*events)
        return bool(self._user.SendInput(len(events), array, ctypes.sizeof(Input)) == len(events))

    def _process(self, handle: Any) -> str:
        number = ctypes.c_uint32()
        self._user.GetWindowThreadProcessId(handle, ctypes.byref(number))
        process = self._kernel.OpenProcess(0x1000, False, number.value)  # noqa: FBT003
        if not process:
            return ""
        room, size = ctypes.create_unicode_buffer(1024), ctypes.c_uint32(1024)
        process = ctypes.c_void_p(process)
        told = self._kernel.QueryFullProcessImageNameW(process, 0, room, ctypes.byref(size))
        self._kernel.CloseHandle(process)
        return PureWindowsPath(room.value).name if told else ""

    def _open(self) -> None:
        for _ in range(OPEN_TRIES):
            if self._user.OpenClipboard(None):
                return
            time.sleep(OPEN_S)
        raise ClipboardBusy("another program keeps the clipboard open")

    def _save(self) -> list[tuple[int, bytes]]:
        """Every format that is memory."""
        self._open()
        try:
            saved = []
            kind = self._user.EnumClipboardFormats(0)
            while kind:
                if kind not in KEPT_AS_HANDLES and (value := self._value(kind)) is not None:
                    saved.append((kind, value))
                kind = self._user.EnumClipboardFormats(kind)
            return saved
        finally:
            self._user.CloseClipboard()

    def _value(self, kind: int) -> bytes | None:
        if not (handle := self._user.GetClipboardData(kind)):
            return None
        handle = ctypes.c_void_p(handle)
        if not (place := self._kernel.GlobalLock(handle)):
            return None
        try:
            return ctypes.string_at(place, self._kernel.GlobalSize(handle))
        finally:
            self._kernel.GlobalUnlock(handle)

    def _set(self, formats: Iterable[tuple[int, bytes]]) -> None:
        self._open()
        try:
            self._user.EmptyClipboard()
            for kind, value in formats:
                handle = ctypes.c_void_p(self._kernel.GlobalAlloc(0x2, max(1, len(value))))
                ctypes.memmove(self._kernel.GlobalLock(handle), value, len(value))
                self._kernel.GlobalUnlock(handle)
                self._user.SetClipboardData(kind, handle)
        finally:
            self._user.CloseClipboard()


def _encode(text: str) -> bytes:
    return text.replace("\n", "\r\n").encode("utf-16-le") + bytes(2)


def _event(key: int, scan: int, flags: int) -> Input:
    return Input(1, _Padded(keyboard=KeyboardInput(key, scan, flags, 0, None)))


def _key(key: int, *, up: bool) -> Input:
    extended = 0x1 if key == INSERT else 0
    return _event(key, 0, extended | (KEY_UP if up else 0))


def _pressed(keys: Sequence[int]) -> list[Input]:
    down = [_key(key, up=False) for key in keys]
    return down + [_key(key, up=True) for key in reversed(keys)]


def _strokes_of(character: str) -> list[Input]:
    if character in "\n\t":
        return _pressed([RETURN if character == "\n" else TAB])
    if character == SOFT_BREAK:
        return _pressed([SHIFT, RETURN])
    units = character.encode("utf-16-le")
    numbers = [int.from_bytes(units[at : at + 2], "little") for at in range(0, len(units), 2)]
    # Both halves of a pair go down before they come up.
    return [_event(0, number, UNICODE) for number in numbers] + [
        _event(0, number, UNICODE | KEY_UP) for number in numbers
    ]
