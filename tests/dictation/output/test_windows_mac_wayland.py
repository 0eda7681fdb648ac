# ruff: noqa: N802  the names are those of the systems
"""Text on Windows, macOS and Wayland, whose calls and programs are faked."""

from __future__ import annotations

import ctypes
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from capswriter.dictation.output import Window, make_desktop
from capswriter.dictation.output.base import PasteKeys, Way
from capswriter.dictation.output.mac import MacDesktop
from capswriter.dictation.output.windows import Input, WindowsDesktop

if TYPE_CHECKING:
    from pathlib import Path


class User32:
    """The foreground window, the keys that are sent, and a clipboard of memory."""

    def __init__(self, kernel: Kernel32) -> None:
        self.events: list[tuple[int, int, int]] = []
        self.window = 77
        self.leaves_after: int | None = None
        self.formats: dict[int, int] = {}
        self.kernel = kernel
        self.sequence = 0
        self.pasted: list[str] = []

    def GetForegroundWindow(self):
        return self.window

    def GetAsyncKeyState(self, key):
        return 0

    def GetWindowTextW(self, handle, room, size):
        room.value = "notes"
        return 5

    def GetClassNameW(self, handle, room, size):
        room.value = "Notepad"
        return 7

    def GetWindowThreadProcessId(self, handle, number):
        return 1

    def SendInput(self, count, array, size):
        assert size == ctypes.sizeof(Input)
        for each in array:
            keyboard = each.of.keyboard
            self.events.append((keyboard.key, keyboard.scan, keyboard.flags))
            if (keyboard.key, keyboard.flags) == (0x56, 0):
                self.pasted.append(self.kernel.read(self.formats[13]).decode("utf-16-le"))
        if self.leaves_after is not None and len(self.events) >= self.leaves_after:
            self.window = 78
        return count

    def RegisterClipboardFormatW(self, name):
        return 0xC001

    def OpenClipboard(self, window):
        return 1

    def CloseClipboard(self):
        self.sequence += 1

    def EmptyClipboard(self):
        self.formats.clear()

    def EnumClipboardFormats(self, last):
        kinds = [0, *self.formats]
        return next(iter(kinds[kinds.index(last) + 1 :]), 0)

    def GetClipboardData(self, kind):
        return self.formats[kind]

    def SetClipboardData(self, kind, handle):
        self.formats[kind] = handle.value

    def GetClipboardSequenceNumber(self):
        return self.sequence


class Kernel32:
    def __init__(self) -> None:
        self.blocks: dict[int, ctypes.Array] = {}

    def GlobalAlloc(self, flags, size):
        block = ctypes.create_string_buffer(size)
        self.blocks[ctypes.addressof(block)] = block
        return ctypes.addressof(block)

    def GlobalLock(self, handle):
        return handle.value

    def GlobalUnlock(self, handle):
        return 1

    def GlobalSize(self, handle):
        return len(self.blocks[handle.value])

    def OpenProcess(self, access, inherit, number):
        return 5

    def QueryFullProcessImageNameW(self, process, flags, room, size):
        room.value = r"C:\Windows\notepad.exe"
        return 1

    def CloseHandle(self, handle):
        return 1

    def put(self, value: bytes) -> int:
        address = self.GlobalAlloc(0, len(value))
        ctypes.memmove(address, value, len(value))
        return address

    def read(self, address: int) -> bytes:
        return self.blocks[address].raw


@pytest.fixture
def windows():
    kernel = Kernel32()
    user = User32(kernel)
    return SimpleNamespace(user=user, kernel=kernel, desktop=WindowsDesktop(user, kernel))


def test_windows_gets_characters_as_utf_16(windows):
    assert windows.desktop.type("a你😀\n", None).strokes == 4
    presses = [event for event in windows.user.events if not event[2] & 2]
    high, low = 0xD83D, 0xDE00
    assert presses == [(0, 97, 4), (0, 0x4F60, 4), (0, high, 4), (0, low, 4), (0x0D, 0, 0)]
    assert len(windows.user.events) == 2 * len(presses)


def test_windows_tells_the_window_and_typing_stops_when_it_changes(windows):
    window = windows.desktop.focused()
    assert window == Window(77, "Notepad", "notepad.exe", "notes")
    windows.user.leaves_after = 1
    typed = windows.desktop.type("x" * 40, window)
    assert (typed.strokes, bool(typed.why)) == (16, True)


def test_windows_gets_its_clipboard_back_with_all_formats(windows):
    before = {13: "旧".encode("utf-16-le") + bytes(2), 0xC123: b"<b>html</b>"}
    windows.user.formats = {kind: windows.kernel.put(value) for kind, value in before.items()}
    assert windows.desktop.paste("新\nline", PasteKeys.CTRL_V, None) == ""
    assert windows.user.pasted == ["新\r\nline\0"]
    after = {kind: windows.kernel.read(at) for kind, at in windows.user.formats.items()}
    assert after == before


class Quartz:
    def __init__(self) -> None:
        self.events: list[SimpleNamespace] = []

    def CGEventCreateKeyboardEvent(self, source, key, down):
        return SimpleNamespace(key=key, down=down, flags=None, text="")

    def CGEventSetFlags(self, event, flags):
        event.flags = flags

    def CGEventKeyboardSetUnicodeString(self, event, units, text):
        assert units == len(text.encode("utf-16-le")) // 2 <= 20
        event.text = text

    def CGEventPost(self, tap, event):
        self.events.append(event)

    def CGPreflightPostEventAccess(self):
        return False


class Board:
    def __init__(self) -> None:
        self.items = [Item({"public.html": b"<b>", "public.utf8-plain-text": b"old"})]
        self.count = 0

    def generalPasteboard(self):
        return self

    def changeCount(self):
        return self.count

    def pasteboardItems(self):
        return self.items

    def clearContents(self):
        self.items, self.count = [], self.count + 1

    def writeObjects_(self, items):
        self.items = items

    def setString_forType_(self, text, kind):
        self.items.append(Item({kind: text.encode()}))
        return True


class Item:
    def __init__(self, formats=None) -> None:
        self.formats = dict(formats or {})

    def types(self):
        return list(self.formats)

    def dataForType_(self, kind):
        return self.formats[kind]

    def setData_forType_(self, value, kind):
        self.formats[kind] = value


@pytest.fixture
def mac():
    quartz, board = Quartz(), Board()
    secure = SimpleNamespace(on=False)
    front = SimpleNamespace(
        localizedName=lambda: "Notes",
        bundleIdentifier=lambda: "com.apple.Notes",
        processIdentifier=lambda: 12,
    )
    space = SimpleNamespace(frontmostApplication=lambda: front)
    kit = SimpleNamespace(
        NSWorkspace=SimpleNamespace(sharedWorkspace=lambda: space),
        NSPasteboard=board,
        NSPasteboardItem=SimpleNamespace(alloc=lambda: SimpleNamespace(init=Item)),
    )
    carbon = SimpleNamespace(IsSecureEventInputEnabled=lambda: secure.on)
    modules = {"Quartz": quartz, "AppKit": kit}
    desktop = MacDesktop(modules.__getitem__, lambda: carbon)
    return SimpleNamespace(quartz=quartz, board=board, secure=secure, desktop=desktop)


def test_macos_gets_characters_in_pieces_that_keep_pairs_together(mac):
    text = "你" * 15 + "😀" + "end\u2028"
    assert mac.desktop.type(text, None).strokes == len(text)
    pressed = [event for event in mac.quartz.events if event.down]
    assert [event.text for event in pressed] == ["你" * 15, "😀end", ""]
    assert (pressed[-1].key, pressed[-1].flags) == (0x24, 0x20000)
    assert all(event.flags is not None for event in mac.quartz.events)


def test_macos_tells_of_passwords_and_of_the_permission(mac):
    assert not mac.desktop.secret()
    mac.secure.on = True
    assert mac.desktop.secret()
    assert mac.desktop.type("abc", None).strokes == 0
    assert "Accessibility" in mac.desktop.missing(Way.TYPE)
    assert mac.desktop.missing(Way.CLIPBOARD) == ""
    assert mac.desktop.focused() == Window(12, "com.apple.Notes", "Notes")


def test_macos_gets_its_pasteboard_back_with_all_formats(mac):
    before = mac.board.items[0].formats
    assert mac.desktop.paste("new", PasteKeys.CMD_V, None) == ""
    assert [item.formats for item in mac.board.items] == [before]


TOOL = """#!/bin/sh
name=$(basename "$0")
case "$name $*" in
"wl-paste --list-types") cat "$PLACE/types" ;;
"wl-paste "*) cat "$PLACE/clipboard" ;;
"wl-copy --foreground"*)
    cat >"$PLACE/offered"
    while [ ! -e "$PLACE/taken" ]; do sleep 0.01; done ;;
"wl-copy "*) cat >"$PLACE/clipboard" ;;
"wtype -s 60 -") printf 'typed ' >>"$PLACE/did"; cat >>"$PLACE/did"; echo >>"$PLACE/did" ;;
"wtype -s 60 -M"*) echo "$*" >>"$PLACE/did"; touch "$PLACE/taken" ;;
"swaymsg"*) cat "$PLACE/tree" ;;
esac
"""


@pytest.fixture
def session(tmp_path: Path, monkeypatch) -> dict[str, str]:
    tools = tmp_path / "bin"
    tools.mkdir()
    for name in ("wl-paste", "wl-copy", "wtype", "swaymsg"):
        (tools / name).write_text(TOOL)
        (tools / name).chmod(0o755)
    (tmp_path / "types").write_text("text/html\ntext/plain;charset=utf-8\n")
    (tmp_path / "clipboard").write_text("旧")
    (tmp_path / "did").touch()
    tree = (
        '{"nodes": [{"focused": false, "nodes": [{"focused": true, "id": 4, "pid": 1, "name": "t",'
        ' "app_id": "foot"}]}]}'
    )
    (tmp_path / "tree").write_text(tree)
    monkeypatch.setenv("PATH", f"{tools}:/usr/bin:/bin")
    return {
        "PATH": f"{tools}:/usr/bin:/bin",
        "PLACE": str(tmp_path),
        "WAYLAND_DISPLAY": "wayland-7",
        "XDG_SESSION_TYPE": "wayland",
    }


def test_wayland_types_through_wtype(session, tmp_path):
    desktop = make_desktop(platform="linux", environment=session)
    assert desktop.missing(Way.TYPE) == desktop.missing(Way.PASTE) == ""
    assert desktop.type("你好\u2028b", None).strokes == 4
    assert (
        tmp_path / "did"
    ).read_text() == "typed 你好\n-s 60 -M shift -k Return -m shift\ntyped b\n"
    assert desktop.focused() is None
    assert "does not tell" in desktop.limits[0]


def test_wayland_puts_the_text_of_the_clipboard_back(session, tmp_path):
    desktop = make_desktop(platform="linux", environment=session)
    assert desktop.paste("新", PasteKeys.CTRL_V, None) == ""
    assert (tmp_path / "offered").read_text() == "新"
    assert (tmp_path / "clipboard").read_text() == "旧"
    assert "-M ctrl -k v -m ctrl" in (tmp_path / "did").read_text()


def test_sway_tells_the_focus(session):
    desktop = make_desktop(platform="linux", environment={**session, "SWAYSOCK": "/run/sway"})
    window = desktop.focused()
    assert (window.id, window.window_class, window.title) == (4, "foot", "t")
    typed = desktop.type("abc", Window(5))
    assert (typed.strokes, bool(typed.why)) == (0, True)


def test_wayland_without_programs_says_which(session, tmp_path):
    environment = {**session, "PATH": str(tmp_path)}
    from capswriter.dictation.output.wayland import WaylandDesktop

    desktop = WaylandDesktop(environment, find=lambda _: None)
    assert "ydotool" in desktop.missing(Way.TYPE)
    assert "wl-clipboard" in desktop.missing(Way.CLIPBOARD)
