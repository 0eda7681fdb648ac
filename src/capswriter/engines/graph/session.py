"""Sessions of ONNX Runtime."""

from __future__ import annotations

from typing import TYPE_CHECKING

import onnxruntime as ort

if TYPE_CHECKING:
    from pathlib import Path


def open_graph(path: Path, *, threads: int = 1, device: str = "cpu") -> ort.InferenceSession:
    """Open a model.

    Args:
        path: of the ``.onnx`` file.
        threads: of the CPU for one run.
        device: ``"cpu"``, ``"cuda"``, or ``"auto"`` for the better one that is there.

    Raises:
        Exception: ONNX Runtime's own, of many classes, where the file is no sound model.
    """
    return ort.InferenceSession(str(path), options(threads), providers=providers(device))


def options(threads: int) -> ort.SessionOptions:
    """Settings for one of several processes that share the cores."""
    chosen = ort.SessionOptions()
    chosen.intra_op_num_threads = threads
    chosen.inter_op_num_threads = 1
    chosen.log_severity_level = 3
    # A thread that spins while it waits takes the core from the other workers.
    chosen.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return chosen


def providers(device: str) -> list[str]:
    """Choose where a graph runs, in the order to try."""
    wanted = {"cpu": (), "cuda": ("CUDAExecutionProvider",), "auto": ("CUDAExecutionProvider",)}
    available = ort.get_available_providers()
    return [*(name for name in wanted[device] if name in available), "CPUExecutionProvider"]
