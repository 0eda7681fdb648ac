"""Sessions of ONNX Runtime."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, TypeAlias

import onnxruntime as ort

from capswriter.engines.graph import prepared

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    import numpy.typing as npt

Feed: TypeAlias = "dict[str, npt.NDArray[Any]]"
"""Inputs of a graph by name."""

logger = logging.getLogger(__name__)


def open_graph(
    path: Path,
    *,
    threads: int = 1,
    device: str = "cpu",
    trials: Callable[[ort.InferenceSession], Sequence[Feed]] | None = None,
) -> ort.InferenceSession:
    """Open a model; on the CPU its prepared copy, which is made the first time.

    Where no copy can be made or read, a warning says why and the model is opened as it is.

    Args:
        path: of the ``.onnx`` file.
        threads: of the CPU for one run.
        device: ``"cpu"``, ``"cuda"``, or ``"auto"`` for the better one that is there.
        trials: makes inputs such as the graph will get, of several lengths, by which the copy is
            checked. Batches are one, lengths are whole. Without it, no copy is made.

    Raises:
        Exception: ONNX Runtime's own, of many classes, where the file is no sound model.
    """
    chosen = providers(device)
    if trials is not None and len(chosen) == 1:
        copy = prepared.find_or_make(path, lambda: trials(open_session(path)))
        if copy is not None:
            try:
                return open_session(copy, threads=threads, optimise=False)
            except Exception as error:  # noqa: BLE001  # of many classes
                logger.warning("%s: its prepared copy cannot be opened: %s", path, error)
    return ort.InferenceSession(str(path), options(threads), providers=chosen)


def open_session(path: Path, *, threads: int = 1, optimise: bool = True) -> ort.InferenceSession:
    """Open a file on the CPU, as it is.

    Args:
        path: of the ``.onnx`` file.
        threads: for one run.
        optimise: whether ONNX Runtime is to look for what it can fuse.
    """
    settings = options(threads)
    if not optimise:
        settings.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    return ort.InferenceSession(str(path), settings, providers=["CPUExecutionProvider"])


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
