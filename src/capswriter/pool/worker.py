"""The worker process: loads one model, then answers jobs until the pipe closes."""

from __future__ import annotations

import ctypes
import logging
import os
import queue
import signal
import sys
import threading
import time
from contextlib import suppress
from importlib import import_module
from multiprocessing import connection, forkserver, parent_process
from pathlib import Path
from typing import TYPE_CHECKING, cast

from capswriter.errors import UserError
from capswriter.pool.report import Report
from capswriter.pool.task import Answer, Done, EngineSpec, Failed, Job, Loaded, NotLoaded, Ping

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

    from capswriter.audio import Samples
    from capswriter.engines import Engine, Options
    from capswriter.pool.shared import SharedSamples
    from capswriter.pool.task import ToFront

logger = logging.getLogger(__name__)

EXPENDABLE = 500
"""Added to the score by which Linux chooses whom to kill for want of memory: us, not the front."""

PR_SET_PDEATHSIG = 1
"""See prctl(2)."""


def main(pipe: Connection, spec: EngineSpec, shared: SharedSamples) -> None:
    """Serve one front over ``pipe`` until it closes, or the front dies.

    Sends one ``Loaded`` or ``NotLoaded``, then one ``Answer`` for each ``Job``, and each ``Ping``
    back at once, whatever the engine is doing.
    """
    for kind in (signal.SIGINT, signal.SIGTERM):  # often sent to us too; the front lets us finish
        signal.signal(kind, signal.SIG_IGN)
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text(str(EXPENDABLE))
    _die_with_forkserver()
    threading.Thread(target=_die_with_parent, name="watch", daemon=True).start()
    line = _Line(pipe)
    Report(line.send).install()
    started = time.perf_counter()
    engine = _loaded(spec, line)
    if engine is None:
        return
    line.send(Loaded(engine.traits, time.perf_counter() - started))
    while (job := line.jobs.get()) is not None:
        line.send(_answer(engine, shared.get(job.samples), job.options))


class _Line:
    """The worker's end of the pipe: a thread reads it, so that pings never wait for the engine."""

    def __init__(self, pipe: Connection) -> None:
        self.jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._pipe = pipe
        self._sending = threading.Lock()
        threading.Thread(target=self._read, name="read", daemon=True).start()

    def send(self, message: ToFront) -> None:
        with self._sending, suppress(OSError):  # the front is gone; so shall we be
            self._pipe.send(message)

    def _read(self) -> None:
        with suppress(EOFError, OSError):
            while (message := self._pipe.recv()) is not None:
                if isinstance(message, Ping):
                    self.send(message)
                else:
                    self.jobs.put(message)
        self.jobs.put(None)


def _loaded(spec: EngineSpec, line: _Line) -> Engine | None:
    module, _, function = spec.loader.partition(":")
    try:
        loader = getattr(import_module(module), function)
        wishes = {"punctuation": spec.punctuation} if spec.punctuation else {}
        engine = loader(spec.directory, threads=spec.threads, device=spec.device, **wishes)
        return cast("Engine", engine)
    except MemoryError:
        line.send(NotLoaded("there is not enough memory to load the model", out_of_memory=True))
    except UserError as error:
        line.send(NotLoaded(str(error)))
    except Exception as error:
        logger.exception("the engine failed while it loaded")
        line.send(NotLoaded(f"{type(error).__name__}: {error}"))
    return None


def _answer(engine: Engine, samples: Samples, options: Options) -> Answer:
    began, started = time.monotonic(), time.perf_counter()
    try:
        transcript = engine.transcribe(samples, options)
    except MemoryError:
        return Failed("there is not enough memory to recognise this", out_of_memory=True)
    except UserError as error:
        return Failed(str(error))
    except Exception as error:
        logger.exception("the engine failed")
        return Failed(f"the engine failed: {type(error).__name__}: {error}")
    return Done(transcript, time.perf_counter() - started, began)


def _die_with_forkserver() -> None:
    """Have Linux kill us when the process that forked us ends, as it does with the front.

    It reaches a worker that is stopped, or whose engine lets no other thread run. The forkserver
    ends when nobody holds a certain pipe any more, of which every worker is given a copy.
    """
    if sys.platform != "linux":
        return
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    state = vars(forkserver._forkserver)  # noqa: SLF001
    if (copy := state.get("_forkserver_alive_fd")) is not None:
        os.close(copy)
        state["_forkserver_alive_fd"] = None


def _die_with_parent() -> None:
    """End at once when the front is gone, in the middle of a recognition too."""
    parent = parent_process()
    if parent is not None:
        connection.wait([parent.sentinel])
        os._exit(1)
