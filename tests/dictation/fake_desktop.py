"""A desktop whose windows note what is written into them."""

from __future__ import annotations

from capswriter.dictation.output.base import PasteKeys, Typed, Way, Window

EDITOR = Window(1, "Editor", "editor", "letter")
BROWSER = Window(2, "Browser", "browser", "news")


class FakeDesktop:
    name = "fake"
    limits = ("this desktop is a fake",)
    paste_keys = PasteKeys.CTRL_V

    def __init__(self) -> None:
        self.now: Window | None = EDITOR
        self.is_secret = False
        self.typed: list[tuple[int | str | None, str]] = []
        self.clipboard: list[str] = []
        self.is_closed = False

    def missing(self, way: Way) -> str:
        return ""

    def focused(self) -> Window | None:
        return self.now

    def secret(self) -> bool:
        return self.is_secret

    def type(self, strokes: str, into: Window | None) -> Typed:
        self.typed.append((self.now and self.now.id, strokes))
        return Typed(len(strokes))

    def paste(self, text: str, keys: PasteKeys, into: Window | None) -> str:
        self.typed.append((self.now and self.now.id, f"pasted {text}"))
        return ""

    def copy(self, text: str) -> None:
        self.clipboard.append(text)

    def close(self) -> None:
        self.is_closed = True
