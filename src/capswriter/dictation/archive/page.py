"""The pages of the diary: a Markdown file for each day, a paragraph for each dictation.

A page is the user's own, to be edited at will. Lines are added at its end; only the link to a
recording that is removed, and a line that is to be deleted, are ever changed.
"""

from __future__ import annotations

import errno
import os
import re
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote

from capswriter.dictation.archive.names import local_time

if TYPE_CHECKING:
    from collections.abc import Iterator

ASSETS = "assets"

_LINE = re.compile(r"(?:\[(\d\d:\d\d:\d\d)\]\(([^()\s]+)\)|(\d\d:\d\d:\d\d)) (.+)")
_TO_ESCAPE = re.compile(r"([\\`*_\[\]<&])")
_ESCAPED = re.compile(r"\\([\\`*_\[\]<&])")
_IN_LINKS = re.compile(r"[^\w./~-]", re.ASCII)


@dataclass(frozen=True, slots=True)
class Archived:
    """A dictation in the diary.

    Args:
        page: the Markdown file.
        line: of the file, as it stands there.
        begun: Unix seconds, without their fraction.
        text: what was dictated.
        sound: its recording, None where there is none.
    """

    page: Path
    line: str
    begun: float
    text: str
    sound: Path | None


def page_of(folder: Path, begun: float) -> Path:
    """Give the page of the day on which something was dictated."""
    return folder / local_time(begun).strftime("%Y/%m/%d.md")


def add_to_page(page: Path, text: str, begun: float, sound: Path | None) -> None:
    """Add a dictation at the end of a page, all of it or nothing.

    Args:
        page: which need not be there yet; its folder has to be.
        text: what was dictated; its line breaks become spaces.
        begun: Unix seconds.
        sound: its recording, in a folder beside the page.

    Raises:
        OSError: it cannot be written.
    """
    said = _TO_ESCAPE.sub(r"\\\1", " ".join(text.split()))
    moment = local_time(begun)
    at = moment.strftime("%H:%M:%S")
    if sound is not None:
        at = f"[{at}]({_link(page, sound)})"
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_BINARY", 0)
    handle = os.open(page, flags, 0o666)
    try:
        before = os.fstat(handle).st_size
        head = "" if before else f"# {moment:%Y-%m-%d}\n\n"
        addition = f"{head}{at} {said}\n\n".encode(errors="replace")
        try:
            if os.write(handle, addition) < len(addition):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError:
            with suppress(OSError):
                os.ftruncate(handle, before)
            raise
    finally:
        os.close(handle)


def read_archive(folder: Path) -> list[Archived]:
    """List what is in a diary, the oldest first; lines that are not ours are passed over."""
    pages = sorted(folder.glob("[0-9][0-9][0-9][0-9]/[0-9][0-9]/[0-9][0-9].md"))
    found = [archived for page in pages for archived in _read_page(page)]
    return sorted(found, key=lambda each: each.begun)


def remove_archived(archived: Archived) -> None:
    """Remove a dictation from its page, and its recording.

    Raises:
        OSError: one of them cannot be removed.
    """
    if archived.sound is not None:
        archived.sound.unlink(missing_ok=True)
    written = _text_of(archived.page)
    found = re.search(rf"^{re.escape(archived.line)}(?:\r?\n(?:\r?\n)?|\Z)", written, re.MULTILINE)
    if found:
        _replace(archived.page, written[: found.start()] + written[found.end() :])


def unlink_sounds(page: Path, sounds: set[Path]) -> None:
    """Turn links to recordings that are gone into plain times.

    Raises:
        OSError: the page cannot be read or written.
    """
    if not page.exists():
        return
    gone = {_link(page, sound) for sound in sounds}

    def plain(found: re.Match[str]) -> str:
        return found[1] if found[2] in gone else found[0]

    written = _text_of(page)
    mended = re.sub(r"^\[(\d\d:\d\d:\d\d)\]\(([^()\s]+)\)", plain, written, flags=re.MULTILINE)
    if mended != written:
        _replace(page, mended)


def _read_page(page: Path) -> Iterator[Archived]:
    day = "-".join((page.parts[-3], page.parts[-2], page.stem))
    try:
        lines = page.read_text("utf-8", errors="replace").splitlines()
    except OSError:
        return
    for line in lines:
        if found := _LINE.fullmatch(line):
            with suppress(ValueError, OverflowError):
                begun = datetime.fromisoformat(f"{day}T{found[1] or found[3]}").timestamp()
                yield Archived(
                    page, line, begun, _ESCAPED.sub(r"\1", found[4]), _sound(page, found[2])
                )


def _sound(page: Path, link: str | None) -> Path | None:
    parts = Path(unquote(link)).parts if link else ()
    # A page may say anything; what is deleted with a line is a recording of ours alone.
    if len(parts) != len((ASSETS, "name")) or parts[0] != ASSETS or parts[1] == "..":
        return None
    return page.parent.joinpath(*parts)


def _link(page: Path, sound: Path) -> str:
    path = sound.relative_to(page.parent).as_posix()
    return _IN_LINKS.sub(
        lambda found: f"%{ord(found[0]):02X}" if found[0].isascii() else found[0], path
    )


def _text_of(page: Path) -> str:
    # Byte for byte: neither other line ends nor what is no UTF-8 may change.
    return page.read_bytes().decode("utf-8", "surrogateescape")


def _replace(page: Path, text: str) -> None:
    fresh = page.with_name(f"{page.name}.new")
    fresh.write_bytes(text.encode("utf-8", "surrogateescape"))
    fresh.chmod(page.stat().st_mode & 0o777)
    fresh.replace(page)
