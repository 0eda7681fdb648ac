"""Many files: some at once, each with its outputs and its line; one that fails stops no other."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
from anyio import to_thread

from capswriter.audio.decode import DecodeFailed
from capswriter.client.outputs import plan, prepare, rendered, write
from capswriter.client.transcribe import Patience, Transcription, Wish, transcribe
from capswriter.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from capswriter.client.outputs import Target
    from capswriter.client.progress import Display, FileProgress
    from capswriter.client.server import Server
    from capswriter.settings import ClientConfig


class Run:
    """The files of one command.

    Args:
        sources: the files, in the order given.
        settings: formats, directory, language and so on.
        display: where lines and bars go.
        printer: gets the first format of each file, in the order given, instead of files being
            written; None to write files.
        patience: how long to wait and how often to try; by default ``settings.timeout`` counts.
    """

    def __init__(
        self,
        sources: Sequence[Path],
        settings: ClientConfig,
        display: Display,
        *,
        printer: Callable[[bytes], None] | None = None,
        patience: Patience | None = None,
    ) -> None:
        self._settings = settings
        self._formats = settings.formats if printer is None else settings.formats[:1]
        self._targets = plan(sources, self._formats, settings.output_dir)
        self._display = display
        self._printer = printer
        self._wish = Wish(settings.language, settings.context)
        self._patience = patience or Patience(settings.timeout)
        self._unprinted: dict[Target, bytes | None] = {}
        self._to_print = iter(self._targets)
        self._next_to_print = next(self._to_print, None)
        self.failed: set[Target] = set()
        """Files that failed, altogether or in part."""
        self.cut_off = False
        """Whether the printer's reader went away; what was left is not done."""

    def check(self) -> bool:
        """Set aside what cannot work, before anything is sent; say whether any file is left."""
        for target in self._targets:
            try:
                _check_source(target.source)
                if self._printer is None:
                    prepare(target.directory)
            except UserError as error:
                self._fail(target, error)
                self._print(target, None)
        return len(self.failed) < len(self._targets)

    async def transcribe(self, server: Server) -> None:
        """Transcribe what ``check`` has left; ``failed`` grows by what fails."""
        self._display.line("debug", f"{server.name} speaks {server.dialect.name.lower()}")
        waiting = iter([each for each in self._targets if each not in self.failed])

        async def work() -> None:
            for target in waiting:
                await self._transcribe(target, server)
                if self.cut_off:
                    tasks.cancel_scope.cancel()

        async with anyio.create_task_group() as tasks:
            for _ in range(min(self._settings.jobs, len(self._targets))):
                tasks.start_soon(work)

    async def _transcribe(self, target: Target, server: Server) -> None:
        progress = self._display.file(str(target.source))
        content: list[bytes] = []
        try:
            done = await transcribe(
                target.source, server, progress, wish=self._wish, patience=self._patience
            )
            content = await to_thread.run_sync(
                lambda: rendered(done.transcript, self._formats, duration=done.seconds)
            )
            written = await to_thread.run_sync(self._write, target, content)
            self._report(target, done, written, progress)
        except UserError as error:
            self._fail(target, error)
        finally:
            progress.close()
        self._print(target, content[0] if content else None)

    def _write(self, target: Target, content: list[bytes]) -> str:
        if self._printer is not None:
            return ""
        paths = [target.path(each) for each in self._formats]
        for path, text in zip(paths, content, strict=True):
            write(path, text)
        return ", ".join(map(str, paths))

    def _report(
        self, target: Target, done: Transcription, written: str, progress: FileProgress
    ) -> None:
        arrow = f" -> {written}" if written else ""
        if done.problem is not None:
            self.failed.add(target)
            self._display.line("error", f"capswriter: {done.problem}{arrow}")
        elif not done.transcript.text:
            line = f"{target.source}: no speech in {done.seconds:.1f} s of audio{arrow}"
            self._display.line("warning", line)
        else:
            speed = done.seconds / max(progress.elapsed, 1e-3)
            line = (
                f"{target.source}: {done.seconds:.1f} s in {progress.elapsed:.1f} s "
                f"({speed:.1f}x){arrow}"
            )
            self._display.line("info", line)

    def _fail(self, target: Target, error: UserError) -> None:
        self.failed.add(target)
        named = "" if isinstance(error, DecodeFailed) else f"{target.source}: "
        self._display.line("error", f"capswriter: {named}{error}")

    def _print(self, target: Target, content: bytes | None) -> None:
        if self._printer is None:
            return
        self._unprinted[target] = content
        while self._next_to_print in self._unprinted:
            text = self._unprinted.pop(self._next_to_print)
            if text is not None:
                try:
                    self._printer(text)
                except BrokenPipeError:
                    self.cut_off = True
                    return
            self._next_to_print = next(self._to_print, None)


def _check_source(source: Path) -> None:
    if source.is_dir():
        raise UserError("this is a directory; name the files in it")
    if not source.exists():
        raise UserError("there is no such file")
