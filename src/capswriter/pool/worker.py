"""The worker process: loads one model, then answers jobs until the pipe closes."""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
from importlib import import_module
from multiprocessing import connection, parent_process
from typing import TYPE_CHECKING, cast

from capswriter.errors import UserError
from capswriter.pool.task import Answer, Done, EngineSpec, Failed, Job, Loaded, NotLoaded

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

    from capswriter.engines import Engine

logger = logging.getLogger(__name__)


def main(pipe: Connection, spec: EngineSpec) -> None:
    """Serve one front over ``pipe`` until it closes, or the front dies.

    Sends one ``Loaded`` or ``NotLoaded``, then one ``Answer`` for each ``Job``.
    """
    for kind in (signal.SIGINT, signal.SIGTERM):  # often sent to us too; the front lets us finish
        signal.signal(kind, signal.SIG_IGN)
    threading.Thread(target=_die_with_parent, name="watch", daemon=True).start()
    started = time.perf_counter()
    try:
        engine = _load(spec)
    except MemoryError:
        pipe.send(NotLoaded("there is not enough memory to load it"))
        return
    except UserError as error:
        pipe.send(NotLoaded(str(error)))
        return
    except Exception as error:
        logger.exception("the engine failed while it loaded")
        pipe.send(NotLoaded(f"{type(error).__name__}: {error}"))
        return
    pipe.send(Loaded(engine.traits, time.perf_counter() - started))
    while True:
        try:
            job: Job | None = pipe.recv()
        except EOFError:
            return
        if job is None:
            return
        pipe.send(_answer(engine, job))


def _load(spec: EngineSpec) -> Engine:
    module, _, function = spec.loader.partition(":")
    loader = getattr(import_module(module), function)
    return cast("Engine", loader(spec.directory, threads=spec.threads, device=spec.device))


def _answer(engine: Engine, job: Job) -> Answer:
    started = time.perf_counter()
    try:
        transcript = engine.transcribe(job.samples, job.options)
    except UserError as error:
        return Failed(str(error))
    except Exception as error:
        logger.exception("the engine failed")
        return Failed(f"the engine failed: {type(error).__name__}: {error}")
    return Done(transcript, time.perf_counter() - started)


def _die_with_parent() -> None:
    """End at once when the front is gone, in the middle of a recognition too."""
    parent = parent_process()
    if parent is not None:
        connection.wait([parent.sentinel])
        os._exit(1)
