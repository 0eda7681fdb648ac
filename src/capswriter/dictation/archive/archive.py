"""Recordings and diary in a folder of the user's, written in a thread."""

from __future__ import annotations

import asyncio
import logging
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from av.error import FFmpegError

from capswriter.dictation.archive.mp3 import PART, write_mp3
from capswriter.dictation.archive.names import moment_in, stem
from capswriter.dictation.archive.page import ASSETS, add_to_page, page_of, unlink_sounds

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from types import TracebackType

_Kept = TypeVar("_Kept")

DAY_S = 24 * 3600.0

_RECORDINGS = f"[0-9][0-9][0-9][0-9]/[0-9][0-9]/{ASSETS}/([0-9]*)*"
_log = logging.getLogger(__name__)


class Archive:
    """Keeps what is dictated; an async context manager, whose end waits for the last recording.

    No trouble of its costs a dictation: ``keep`` and ``clean`` tell of it, once until it is over,
    and raise nothing.

    Args:
        folder: where; it is made when the first dictation is kept.
        recordings: whether to keep recordings; the diary alone otherwise.
        retention: days after which a recording is removed, and the link to it in the diary
            becomes a plain time; None for never. The diary's text stays.
        on_trouble: gets one line where something cannot be written or removed.
    """

    def __init__(
        self,
        folder: Path,
        *,
        recordings: bool = True,
        retention: float | None = None,
        on_trouble: Callable[[str], None] | None = None,
    ) -> None:
        self.folder = folder
        self.is_on = True
        """Whether dictations are kept at present: the user may turn it off for a while."""
        self._recordings = recordings
        self._retention = retention
        self._on_trouble = on_trouble
        self._has_told = False
        self._thread: ThreadPoolExecutor | None = None

    async def __aenter__(self) -> Archive:
        self._thread = ThreadPoolExecutor(1, "archive")
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        thread, self._thread = self._thread, None
        assert thread is not None  # noqa: S101
        await asyncio.to_thread(thread.shutdown)

    async def keep(self, text: str, begun: float, audio: bytes = b"") -> Path | None:
        """Keep a dictation, unless it is off or there is no text.

        Args:
            text: what was dictated.
            begun: Unix seconds.
            audio: 16-bit samples, mono, 16 kHz; none where there is no recording.

        Returns:
            The page of the diary; None where the dictation is not kept, or not all of it.
        """
        if not self.is_on or not text.strip():
            return None
        return await self._do(partial(self._keep, text, begun, audio))

    async def clean(self) -> int:
        """Remove recordings older than the retention time; tells how many."""
        if self._retention is None:
            return 0
        before = time.time() - self._retention * DAY_S
        return await self._do(partial(self._clean, before)) or 0

    async def _do(self, job: Callable[[], _Kept]) -> _Kept | None:
        assert self._thread is not None, "use the archive within 'async with'"  # noqa: S101
        try:
            done = await asyncio.get_running_loop().run_in_executor(self._thread, job)
        except (OSError, FFmpegError) as error:
            self._tell(error)
            return None
        self._has_told = False
        return done

    def _keep(self, text: str, begun: float, audio: bytes) -> Path:
        page = page_of(self.folder, begun)
        sound, failure = None, None
        try:
            page.parent.mkdir(parents=True, exist_ok=True)
            if self._recordings and audio:
                assets = page.parent / ASSETS
                assets.mkdir(exist_ok=True)
                sound = write_mp3(assets / stem(text, begun), audio)
        except (OSError, FFmpegError) as error:
            failure = error  # the text is more to the user than the sound, and much smaller
        add_to_page(page, text, begun, sound)
        if failure is not None:
            raise failure
        return page

    def _clean(self, before: float) -> int:
        removed: dict[Path, set[Path]] = {}
        failure: OSError | None = None
        for sound in self.folder.glob(_RECORDINGS):
            moment = moment_in(sound.name)
            is_ours = sound.suffix == ".mp3" or sound.name.endswith(f".mp3{PART}")
            if moment is None or not is_ours or moment.timestamp() >= before:
                continue
            try:
                sound.unlink()
            except OSError as error:
                failure = error
            else:
                page = page_of(self.folder, moment.timestamp())
                removed.setdefault(page, set()).add(sound)
        for page, sounds in removed.items():
            try:
                unlink_sounds(page, sounds)
            except (OSError, ValueError) as error:
                _log.warning("links to removed recordings stay in %s: %s", page, error)
        if failure is not None:
            raise failure
        return sum(map(len, removed.values()))

    def _tell(self, error: Exception) -> None:
        if self._has_told:
            return
        self._has_told = True
        reason = (getattr(error, "strerror", None) or str(error)).lower()
        line = (
            f"the archive {self.folder} cannot be written ({reason}): make room there, or name "
            "another folder; dictation goes on without it"
        )
        _log.warning("%s", line)
        if self._on_trouble is not None:
            self._on_trouble(line)
