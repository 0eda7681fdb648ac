"""The Silero network with the same weights as products of whole matrices.

The published graph convolves each 32 ms frame on its own, four columns at a time, which no matrix
kernel is good at. Here a convolution is a product of a row for each frame with a matrix that holds
the kernel at each place it visits (a Toeplitz matrix): more multiplications, some of them by zero,
in a quarter of the time. A spectrum is taken of sums and of differences of the samples on either
side of its middle, where the cosines are even and the sines odd: half the multiplications.
Probabilities differ from the published graph's by rounding alone, less than 1e-5.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import onnx

WINDOW = 256
"""Samples of one spectrum."""

HALF = WINDOW // 2

SPECTRA = 4
"""Spectra of one frame."""

STATE = 128
"""Numbers in each of the two states that go on to the next call."""

_BINS = WINDOW // 2 + 1
_STRIDES = (1, 2, 2, 1)
_CONVOLUTION = "encoder.conv_layers.{}.{}"
_BASIS = "encoder.feature_extractor.forward_basis_buffer"
_LSTM = ("onnx::LSTM_209", "onnx::LSTM_210", "onnx::LSTM_211")
_OUTPUT = "decoder.conv1d.{}"

Weights = npt.NDArray[np.float32]


def by_matrices(published: Path) -> bytes:
    """Make the graph from the weights of the published one.

    It judges n frames each of p streams, one stream after the other. Its inputs are ``sums`` and
    ``differences``, float32[p n 4, 128], of samples that are as far after the middle of a spectrum
    as before it, and the states ``h`` and ``c``, float32[1, p, 128]; its outputs ``speech``,
    float32[p n, 1], and the states to go on with.

    Args:
        published: ``silero_vad_v6.onnx``.

    Raises:
        KeyError: it is another network.
    """
    # 13 MB that only who looks for speech has a use for
    import onnx  # noqa: PLC0415
    from onnx import TensorProto, helper, numpy_helper  # noqa: PLC0415

    weights = {
        each.name: numpy_helper.to_array(each) for each in onnx.load(published).graph.initializer
    }
    graph = _Graph()
    basis = weights[_BASIS][:, 0, HALF:].T.copy()
    basis[0] /= 2  # the sample in the middle is added to itself
    real = graph.add("MatMul", "sums", graph.constant(basis[:, :_BINS]))
    imaginary = graph.add("MatMul", "differences", graph.constant(basis[:, _BINS:]))
    squares = [graph.add("Mul", part, part) for part in (real, imaginary)]
    layer = graph.add("Sqrt", graph.add("Add", *squares))
    layer = graph.add("Reshape", layer, graph.constant(np.array([-1, SPECTRA * _BINS])))
    places = SPECTRA
    for number, stride in enumerate(_STRIDES):
        kernel, bias = (weights[_CONVOLUTION.format(number, part)] for part in ("weight", "bias"))
        matrix = toeplitz(kernel, places, stride)
        places = matrix.shape[1] // len(bias)
        layer = graph.add("MatMul", layer, graph.constant(matrix))
        layer = graph.add("Add", layer, graph.constant(np.tile(bias, places)))
        layer = graph.add("Relu", layer)
    one, two, rest = (graph.constant(np.array(numbers)) for numbers in ([1], [2], [-1, STATE]))
    streams = graph.add("Slice", graph.add("Shape", "h"), one, two)
    layer = graph.add("Reshape", layer, graph.add("Concat", streams, rest, axis=0))
    layer = graph.add("Transpose", layer, perm=[1, 0, 2])  # what is judged at a time
    layer = graph.add(
        *("LSTM", layer, *(graph.constant(weights[name]) for name in _LSTM), "", "h", "c"),
        outputs=["", "h_next", "c_next"],
        hidden_size=STATE,
    )
    layer = graph.add("Transpose", graph.add("Relu", layer), perm=[2, 0, 1, 3])
    layer = graph.add("Reshape", layer, rest)
    kernel, bias = (weights[_OUTPUT.format(part)] for part in ("weight", "bias"))
    layer = graph.add("MatMul", layer, graph.constant(kernel[0]))
    layer = graph.add("Add", layer, graph.constant(bias))
    graph.add("Sigmoid", layer, outputs=["speech"])

    def value(name: str, *shape: int | str) -> onnx.ValueInfoProto:
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)

    states: tuple[int | str, ...] = (1, "streams", STATE)
    made = helper.make_graph(
        graph.nodes,
        "silero",
        [
            *(value(name, "spectra", HALF) for name in ("sums", "differences")),
            *(value(name, *states) for name in ("h", "c")),
        ],
        [value("speech", "frames", 1), value("h_next", *states), value("c_next", *states)],
        [numpy_helper.from_array(array, name) for name, array in graph.constants.items()],
    )
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    return bytes(model.SerializeToString())


class _Graph:
    """Nodes in their order, each named by what it gives, and the constants that they take."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: dict[str, npt.NDArray[Any]] = {}

    def constant(self, array: npt.NDArray[Any]) -> str:
        """Take a constant in; give its name."""
        name = f"constant_{len(self.constants)}"
        self.constants[name] = np.ascontiguousarray(array)
        return name

    def add(
        self, kind: str, *inputs: str, outputs: Sequence[str] = ("",), **attributes: Any
    ) -> str:
        """Add a node; give the name of its first output, which is made up where it is empty."""
        from onnx import helper  # noqa: PLC0415

        first = outputs[0] or f"{kind}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, inputs, [first, *outputs[1:]], **attributes))
        return first


def toeplitz(kernel: Weights, places: int, stride: int) -> Weights:
    """Write a convolution with a kernel of 3 and a zero at either end as one matrix.

    Args:
        kernel: float32[to, from, 3].
        places: how many it is given.
        stride: places between two that it gives.

    Returns:
        float32[places * from, given * to], for rows of places that hold channels.
    """
    to, come, taps = kernel.shape
    given = (places + 2 - taps) // stride + 1
    matrix = np.zeros((places, come, given, to), np.float32)
    for at in range(given):
        for tap in range(taps):
            place = at * stride + tap - 1
            if 0 <= place < places:
                matrix[place, :, at] = kernel[:, :, tap].T
    return matrix.reshape(places * come, given * to)
