"""Finding the engine that a model is made for."""

from __future__ import annotations

import logging
from importlib import import_module
from pathlib import Path
from typing import cast

from capswriter.engines import funasr
from capswriter.engines.base import Engine, EngineFailed
from capswriter.engines.directory import kind_of
from capswriter.models.store import ModelStore

logger = logging.getLogger(__name__)

WHISPER_FILES = ("model.bin", "config.json", "tokenizer.json")
"""What faster-whisper loads."""

PARAFORMER_FILES = ("am.mvn", "tokens.json")
"""What FunASR's older exports of Paraformer have, whose configuration does not tell its kind."""

PREPARED = frozenset({"sensevoice", "paraformer"})
"""Engines that make a faster copy of their network, see ``graph.prepared``."""

EXPECTED = (
    "whisper: model.bin, config.json, tokenizer.json; sensevoice and paraformer: model_quant.onnx,"
    " am.mvn, config.yaml, tokens.json, or model.int8.onnx, tokens.txt; funasr: model.pt,"
    " config.yaml"
)


def load(
    model: str | Path, *, threads: int = 1, device: str = "cpu", punctuation: Path | None = None
) -> Engine:
    """Load a model; which engine it is for is seen from its files.

    Args:
        model: a name in the catalogue, a directory, or ``funasr:`` and what FunASR calls it.
        threads: of the CPU, used by one recognition.
        device: ``"cpu"``, ``"cuda"``, or ``"auto"`` for the better one that is there.
        punctuation: directory of a model that punctuates what an engine gives without.

    Raises:
        EngineFailed: no engine knows these files, or they cannot be loaded.
        UserError: there is no such model.
    """
    named = str(model)
    if not funasr.wants(named):
        model = Path(model) if Path(model).is_dir() else ModelStore().resolve(named)
    module = import_module(f"capswriter.engines.{engine_of(model)}")
    engine = cast("Engine", module.load(Path(model), threads=threads, device=device))
    if engine.traits.punctuates:
        return engine
    if punctuation is None:
        logger.info("%s gives no punctuation; capswriter models pull punctuation adds it", model)
        return engine
    from capswriter.engines import punctuation as punctuating  # noqa: PLC0415  # seldom needed

    punctuator = punctuating.load(punctuation, threads=threads, device=device)
    return punctuating.Punctuated(engine, punctuator)


def imports_of(model: str | Path) -> tuple[str, ...]:
    """Name the modules that loading a model imports, for a process that forks into workers.

    Args:
        model: as for ``load``, but for names in the catalogue.

    Raises:
        EngineFailed: no engine knows these files.
    """
    engine = engine_of(model)
    return (f"capswriter.engines.{'funasr_imports' if engine == 'funasr' else engine}",)


def engine_of(model: str | Path) -> str:
    """Name the engine for a model.

    Args:
        model: as for ``load``, but for names in the catalogue.

    Raises:
        EngineFailed: no engine knows these files.
    """
    if funasr.wants(str(model)):
        return "funasr"
    directory = Path(model)
    if _has(directory, WHISPER_FILES):
        return "whisper"
    kind = kind_of(directory).lower().replace("_", "")
    for engine in ("sensevoice", "paraformer"):
        if engine in kind:
            return engine
    if not kind and _has(directory, PARAFORMER_FILES):
        return "paraformer"
    raise EngineFailed(f"{directory} holds no model that can be loaded (expected {EXPECTED})")


def _has(directory: Path, files: tuple[str, ...]) -> bool:
    return all((directory / file).is_file() for file in files)
