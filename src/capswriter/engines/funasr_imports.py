"""Imports FunASR and torch once for all workers; for ``EngineSpec.modules``.

Workers are forked from the process that has imported this: two of them with a model of 1 MB take
148 MiB each instead of 418 (PSS), and one that has died is replaced in 0.2 s instead of 8.
"""

from __future__ import annotations

from contextlib import suppress

from capswriter.engines.base import EngineFailed
from capswriter.engines.funasr import import_quietly

with suppress(EngineFailed):  # a worker that loads a model says so
    import_quietly()
