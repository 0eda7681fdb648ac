"""An engine in a process of its own, without a server: what such a process runs.

It imports what the engine needs and nothing else, so that its memory is the engine's.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from dataclasses import dataclass
from importlib import import_module
from multiprocessing import connection, parent_process
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias, cast

from capswriter.engines.base import Options

if TYPE_CHECKING:
    from collections.abc import Callable
    from multiprocessing.connection import Connection
    from multiprocessing.queues import Queue

    from capswriter.audio import Samples
    from capswriter.engines.base import Engine
    from capswriter.transcript import Transcript

LOADER = "capswriter.engines:load"
"""What loads an engine unless something else is named: ``"module:function"``."""


@dataclass(frozen=True, slots=True)
class Ready:
    """The engine is loaded.

    Args:
        worker: number of the process.
        maximum: seconds of audio that it takes at once.
    """

    worker: int
    maximum: float


@dataclass(frozen=True, slots=True)
class Done:
    """A segment is recognised.

    Args:
        task: number of it.
        worker: number of the process.
        began: monotonic time.
        ended: likewise.
        transcript: what was heard.
    """

    task: int
    worker: int
    began: float
    ended: float
    transcript: Transcript


@dataclass(frozen=True, slots=True)
class Failed:
    """The engine cannot be loaded, or cannot recognise something; the process ends.

    Args:
        worker: number of the process.
        reason: why, in words.
    """

    worker: int
    reason: str


News: TypeAlias = Ready | Done | Failed


@dataclass(frozen=True, slots=True)
class Loading:
    """What such a process loads.

    Args:
        model: as the loader takes it.
        loader: ``"module:function"``, called as ``function(model, threads=…, device=…)``.
    """

    model: str
    loader: str = LOADER

    def load(self) -> Engine:
        """Load it, for one thread."""
        module, _, function = self.loader.partition(":")
        loader = getattr(import_module(module), function)
        return cast("Engine", loader(Path(self.model), threads=1, device="cpu"))


def over_pipe(pipe: Connection, loading: Loading, worker: int) -> None:
    """Loop over the engine: take the clips, and then the numbers of tasks and clips, one by one."""

    def loop(engine: Engine) -> None:
        clips: list[Samples] = pipe.recv()
        while (asked := pipe.recv()) is not None:
            task, clip = asked
            pipe.send(_recognised(engine, clips[clip], task, worker))

    _live(loop, loading, worker, pipe.send)


def over_queues(
    tasks: Queue[tuple[int, Samples] | None], news: Queue[News], loading: Loading, worker: int
) -> None:
    """Take samples from a queue that all processes share, and put texts on another."""

    def loop(engine: Engine) -> None:
        while (asked := tasks.get()) is not None:
            task, samples = asked
            news.put(_recognised(engine, samples, task, worker))

    _live(loop, loading, worker, news.put)


def _live(
    loop: Callable[[Engine], None],
    loading: Loading,
    worker: int,
    tell: Callable[[News], None],
) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for whoever started us
    threading.Thread(target=_die_with_parent, name="watch", daemon=True).start()
    try:
        engine = loading.load()
        tell(Ready(worker, engine.traits.maximum))
        loop(engine)
    except (EOFError, BrokenPipeError):  # nobody is interested any more
        return
    except Exception as error:  # noqa: BLE001  # whatever it is, it is told
        tell(Failed(worker, " ".join(str(error).split()) or type(error).__name__))


def _recognised(engine: Engine, samples: Samples, task: int, worker: int) -> Done:
    began = time.monotonic()
    transcript = engine.transcribe(samples, Options(itn=False))  # as the server is started
    return Done(task, worker, began, time.monotonic(), transcript)


def _die_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        connection.wait([parent.sentinel])
        os._exit(1)
