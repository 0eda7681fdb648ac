"""What text goes through under Wayland: the programs wtype or ydotool, wl-copy and wl-paste.

Wayland itself lets no program see the focus or type. Sway and Hyprland tell the focus when asked.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

from capswriter.dictation.output.base import (
    SOFT_BREAK,
    ClipboardBusy,
    PasteKeys,
    Typed,
    Way,
    Window,
    same_window,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

PATIENCE_S = 20.0
TAKEN_S = 2.0
"""Seconds that a window may take to fetch what is pasted."""

PIECE = 40
"""Characters typed between looks at the focus."""

WTYPE_PAUSE = ("-s", "60")
"""Milliseconds between wtype's new keyboard and its first key, which GTK loses without."""

WTYPE_KEYS = {
    PasteKeys.CTRL_V: ("-M", "ctrl", "-k", "v", "-m", "ctrl"),
    PasteKeys.CTRL_SHIFT_V: ("-M", "ctrl", "-M", "shift", "-k", "v", "-m", "shift", "-m", "ctrl"),
    PasteKeys.SHIFT_INSERT: ("-M", "shift", "-k", "Insert", "-m", "shift"),
}
WTYPE_SOFT_BREAK = ("-M", "shift", "-k", "Return", "-m", "shift")

YDOTOOL_KEYS = {
    PasteKeys.CTRL_V: ("29:1", "47:1", "47:0", "29:0"),
    PasteKeys.CTRL_SHIFT_V: ("29:1", "42:1", "47:1", "47:0", "42:0", "29:0"),
    PasteKeys.SHIFT_INSERT: ("42:1", "110:1", "110:0", "42:0"),
}
YDOTOOL_SOFT_BREAK = ("42:1", "28:1", "28:0", "42:0")

TEXT = "text/plain;charset=utf-8"


class WaylandDesktop:
    """Windows, keys and clipboard of a Wayland session.

    Args:
        environment: of the session.
        find: gives the path of a program, as ``shutil.which``.
    """

    name = "wayland"
    paste_keys = PasteKeys.CTRL_V

    def __init__(
        self,
        environment: Mapping[str, str],
        find: Callable[[str], str | None] = shutil.which,
    ) -> None:
        self._environment = environment
        self._wtype = find("wtype") is not None
        self._ydotool = find("ydotool") is not None and self._ydotool_socket() is not None
        self._clipboard = find("wl-copy") is not None and find("wl-paste") is not None
        self._focus = (
            _SWAY if environment.get("SWAYSOCK") and find("swaymsg") is not None else None
        ) or (
            _HYPRLAND
            if environment.get("HYPRLAND_INSTANCE_SIGNATURE") and find("hyprctl") is not None
            else None
        )
        if self._wtype and self._run("wtype", "").returncode:
            self._wtype = False  # the compositor refuses it, as GNOME's does

    @property
    def limits(self) -> Sequence[str]:
        """What Wayland keeps from us."""
        told = []
        if self._focus is None:
            told.append(
                "Wayland does not tell which window has the focus: keep the window until the text "
                "is there; rules for applications do nothing"
            )
        if self._clipboard:
            told.append(
                "of what was on the clipboard, one format is put back after a paste: its text, or "
                "else its picture"
            )
        return told

    def missing(self, way: Way) -> str:
        """Which program is missing for a way."""
        if way is not Way.TYPE and not self._clipboard:
            return "install wl-clipboard"
        if way in {Way.TYPE, Way.PASTE} and not (self._wtype or self._ydotool):
            return (
                "this desktop lets no program type: install ydotool 1.0 or newer and start its "
                "ydotoold (wtype where the desktop allows it), or use output clipboard"
            )
        if way is Way.TYPE and not self._wtype and not self._clipboard:
            return "install wl-clipboard: ydotool alone types only ASCII"
        return ""

    def focused(self) -> Window | None:
        """The window that has the focus, where the compositor tells."""
        if self._focus is None:
            return None
        command, read = self._focus
        done = self._run(*command)
        try:
            return None if done.returncode else read(json.loads(done.stdout))
        except ValueError:
            return None

    def secret(self) -> bool:
        """False: Wayland does not tell."""
        return False

    def type(self, strokes: str, into: Window | None) -> Typed:
        """Type in pieces, until the focus leaves the window where that is known."""
        if not self._wtype and not strokes.replace(SOFT_BREAK, "").isascii():
            try:
                why = self.paste(strokes.replace(SOFT_BREAK, "\n"), self.paste_keys, into)
            except ClipboardBusy as busy:
                why = str(busy)
            return Typed(0 if why else len(strokes), why)
        done = 0
        while done < len(strokes):
            if self._moved(into):
                return Typed(done, "the focus has moved to another window")
            if strokes[done] == SOFT_BREAK:
                typed, failed = 1, self._soft_break()
            else:
                piece = strokes[done:].partition(SOFT_BREAK)[0]
                if self._focus is not None and into is not None:
                    piece = piece[:PIECE]
                typed, failed = len(piece), self._type_piece(piece)
            if failed:
                return Typed(done, failed)
            done += typed
        return Typed(done)

    def paste(self, text: str, keys: PasteKeys, into: Window | None) -> str:
        """Paste and put back what was there; see ``Desktop.paste``."""
        saved = self._save()
        if self._moved(into):
            self.copy(text)
            return "the focus has moved to another window"
        offering = subprocess.Popen(  # noqa: S603
            ["wl-copy", "--foreground", "--paste-once", "--type", TEXT],  # noqa: S607
            stdin=subprocess.PIPE,
            env=dict(self._environment),
        )
        try:
            if offering.stdin is not None:
                offering.stdin.write(text.encode())
                offering.stdin.close()
            failed = self._press(keys)
            if offering.wait(0 if failed else TAKEN_S):
                raise ClipboardBusy("wl-copy could not set the clipboard")
        except subprocess.TimeoutExpired:
            self.copy(text)
            return failed or f"the window has not taken what was pasted with {keys.value}"
        finally:
            if offering.poll() is None:
                offering.kill()
                offering.wait()
        if saved is not None:
            self._run("wl-copy", "--type", saved[0], given=saved[1])
        return ""

    def copy(self, text: str) -> None:
        """Put a text on the clipboard, where it stays."""
        if self._run("wl-copy", "--type", TEXT, given=text.encode()).returncode:
            raise ClipboardBusy("wl-copy could not set the clipboard")

    def close(self) -> None:
        """Nothing was changed."""

    def _moved(self, into: Window | None) -> bool:
        return (
            into is not None and self._focus is not None and not same_window(into, self.focused())
        )

    def _type_piece(self, piece: str) -> str:
        command = (
            ("wtype", *WTYPE_PAUSE, "-") if self._wtype else ("ydotool", "type", "--file", "-")
        )
        return self._why(self._run(*command, given=piece.encode()))

    def _soft_break(self) -> str:
        if self._wtype:
            return self._why(self._run("wtype", *WTYPE_PAUSE, *WTYPE_SOFT_BREAK))
        return self._why(self._run("ydotool", "key", *YDOTOOL_SOFT_BREAK))

    def _press(self, keys: PasteKeys) -> str:
        if keys not in WTYPE_KEYS:
            return f"no keyboard here has {keys.value}"
        if self._wtype:
            return self._why(self._run("wtype", *WTYPE_PAUSE, *WTYPE_KEYS[keys]))
        return self._why(self._run("ydotool", "key", *YDOTOOL_KEYS[keys]))

    def _save(self) -> tuple[str, bytes] | None:
        listed = self._run("wl-paste", "--list-types")
        kinds = (
            listed.stdout.decode("utf-8", "replace").split("\n") if not listed.returncode else []
        )
        kinds = [kind for kind in kinds if "/" in kind or kind in {"UTF8_STRING", "STRING"}]
        if not kinds:
            return None
        texts = [kind for kind in kinds if kind.startswith("text/plain") or kind == "UTF8_STRING"]
        images = [kind for kind in kinds if kind.startswith("image/")]
        kind = (texts or images or kinds)[0]
        read = self._run("wl-paste", "--no-newline", "--type", kind)
        if read.returncode:
            raise ClipboardBusy("the clipboard cannot be read")
        return (TEXT if texts else kind), read.stdout

    def _run(self, *command: str, given: bytes = b"") -> subprocess.CompletedProcess[bytes]:
        try:
            return subprocess.run(  # noqa: S603
                command,
                input=given,
                stdout=subprocess.PIPE if command[0] != "wl-copy" else subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env=dict(self._environment),
                check=False,
                timeout=PATIENCE_S,
            )
        except (OSError, subprocess.TimeoutExpired):
            return subprocess.CompletedProcess(command, 1, b"", b"")

    @staticmethod
    def _why(done: subprocess.CompletedProcess[bytes]) -> str:
        return f"{done.args[0]} could not press keys" if done.returncode else ""

    def _ydotool_socket(self) -> Path | None:
        """Where ydotoold listens, from version 1.0 on."""
        given = self._environment.get("YDOTOOL_SOCKET")
        runtime = self._environment.get("XDG_RUNTIME_DIR")
        own = f"{runtime}/.ydotool_socket" if runtime else None
        places = [given, own, "/tmp/.ydotool_socket"]  # noqa: S108  ydotoold's own place
        return next((Path(place) for place in places if place and Path(place).exists()), None)


def _sway(tree: Any) -> Window | None:
    if tree.get("focused") and tree.get("pid"):
        names = tree.get("window_properties") or {}
        return Window(
            tree["id"],
            tree.get("app_id") or names.get("class") or "",
            _process(tree["pid"]),
            tree.get("name") or "",
        )
    for each in (*tree.get("nodes", ()), *tree.get("floating_nodes", ())):
        if found := _sway(each):
            return found
    return None


def _hyprland(window: Any) -> Window | None:
    if not window.get("address"):
        return None
    name = _process(window.get("pid", 0))
    return Window(window["address"], window.get("class", ""), name, window.get("title", ""))


def _process(number: int) -> str:
    try:
        return Path(f"/proc/{number}/comm").read_text(encoding="utf-8").strip()
    except OSError:
        return ""


_SWAY = (("swaymsg", "-t", "get_tree"), _sway)
_HYPRLAND = (("hyprctl", "activewindow", "-j"), _hyprland)
