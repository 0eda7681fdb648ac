"""Which encoding of weights the processor prefers."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import numpy as np
import onnxruntime as ort
from onnx import TensorProto, helper, numpy_helper

if TYPE_CHECKING:
    import numpy.typing as npt

ROWS, INPUTS, OUTPUTS = 64, 512, 1024
FASTER = 1.2
"""How much faster signed weights must be to be worth their encoding."""

ROUNDS = 5


def prefers_signed() -> bool:
    """Tell whether signed weights are exact here, and faster.

    Where the processor has no dot products of bytes (VNNI on x86), ONNX Runtime adds two products
    of an unsigned and a signed byte in 16 bits, which is not enough for the largest: the sum is
    cut off. So a product of the largest bytes tells, on any system. Then both are timed.
    """
    sessions = [_product(kind) for kind in (np.int8, np.uint8)]
    largest = np.full((ROWS, INPUTS), 255, np.uint8)
    exact = int(sessions[0].run(None, {"a": largest})[0][0, 0]) == 255 * 127 * INPUTS
    if not exact:
        return False
    times = [[_timed(session, largest) for session in sessions] for _ in range(ROUNDS)]
    signed, unsigned = np.min(times, axis=0)
    return bool(unsigned > FASTER * signed)


def _product(kind: type[np.int8 | np.uint8]) -> ort.InferenceSession:
    weights = np.full((INPUTS, OUTPUTS), np.iinfo(kind).max, kind)
    node = helper.make_node("MatMulInteger", ["a", "b"], ["y"])
    graph = helper.make_graph(
        [node],
        "product",
        [helper.make_tensor_value_info("a", TensorProto.UINT8, [ROWS, INPUTS])],
        [helper.make_tensor_value_info("y", TensorProto.INT32, [ROWS, OUTPUTS])],
        [numpy_helper.from_array(weights, "b")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 14)])
    model.ir_version = 8
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    return ort.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )


def _timed(session: ort.InferenceSession, values: npt.NDArray[np.uint8]) -> float:
    began = time.perf_counter()
    for _ in range(4):
        session.run(None, {"a": values})
    return time.perf_counter() - began
