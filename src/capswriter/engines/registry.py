"""Finding the engine that a model directory is made for."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, cast

from capswriter.engines.base import Engine, EngineFailed

if TYPE_CHECKING:
    from pathlib import Path

RECOGNISED_BY = {
    "whisper": ("model.bin", "config.json", "tokenizer.json"),
    "paraformer": ("model*.onnx", "tokens.*"),
}
"""Engine by the files, or patterns of them, that a directory of its models has."""


def load(directory: Path, *, threads: int = 1, device: str = "cpu") -> Engine:
    """Load the model in ``directory``.

    Args:
        directory: holds the model's files; which engine they are for is seen from their names.
        threads: of the CPU, used by one recognition.
        device: ``"cpu"``, ``"cuda"``, or ``"auto"`` for the better one that is there.

    Raises:
        EngineFailed: no engine knows these files, or they cannot be loaded.
    """
    for name, files in RECOGNISED_BY.items():
        if all(any(directory.glob(file)) for file in files):
            module = import_module(f"capswriter.engines.{name}")
            return cast("Engine", module.load(directory, threads=threads, device=device))
    known = "; ".join(f"{name}: {', '.join(files)}" for name, files in RECOGNISED_BY.items())
    raise EngineFailed(f"{directory} holds no model that can be loaded (expected {known})")
