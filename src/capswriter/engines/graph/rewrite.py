"""Rewriting ONNX graphs so that they compute the same numbers in less time.

What is left out or joined here does not change one bit of the outputs as long as the batch is one
and the lengths are whole, which is how engines run their graphs; ``prepare`` checks it.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from onnx import GraphProto, ModelProto, NodeProto, TensorProto, helper, numpy_helper

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import numpy.typing as npt

MICROSOFT = "com.microsoft"
"""The domain of ONNX Runtime's own operators."""

PRODUCT, WEIGHTS, ZERO_POINTS = "MatMulInteger", 1, 3
"""The integer product, and which of its inputs belong to the weights."""

SIGN = 128
"""From an unsigned byte to the signed one that stands for the same weight."""

# What transposes do, by the order of dimensions that they give.
SPLIT_HEADS, SPLIT_HEADS_TURNED = [0, 2, 1, 3], [0, 2, 3, 1]

DIMENSIONS = 4
"""Of a tensor that is split into heads: batch, time, head, width."""


def sign_weights(model: ModelProto) -> int:
    """Encode the weights of integer matrix products as signed bytes.

    Weights and their zero points go down by 128, so the differences are the same integers, and
    so are the products. ONNX Runtime's kernel for unsigned by signed bytes is the faster one
    where the processor has dot products of bytes.

    Returns:
        How many tensors were encoded anew.
    """
    tensors = {tensor.name: tensor for tensor in model.graph.initializer}
    uses: defaultdict[str, set[tuple[str, int]]] = defaultdict(set)
    for node in model.graph.node:
        for position, name in enumerate(node.input):
            uses[name].add((node.op_type, position))
    allowed = {(PRODUCT, WEIGHTS), (PRODUCT, ZERO_POINTS)}
    signed = {
        name
        for name, tensor in tensors.items()
        if tensor.data_type == TensorProto.UINT8 and uses[name] <= allowed
    }
    products = [
        {(*node.input, "", "")[position] for position in (WEIGHTS, ZERO_POINTS)}
        for node in model.graph.node
        if node.op_type == PRODUCT
    ]
    # Both or neither, and so for those that share one of them.
    while spoiled := {name for both in products if not both <= signed for name in both & signed}:
        signed -= spoiled
    signed &= set().union(*products)
    for name in signed:
        values = numpy_helper.to_array(tensors[name]).astype(np.int16) - SIGN
        tensors[name].CopyFrom(numpy_helper.from_array(values.astype(np.int8), name))
    return len(signed)


def drop_masks(
    model: ModelProto, evaluate: Callable[[Sequence[str]], Sequence[Sequence[npt.NDArray[Any]]]]
) -> int:
    """Leave out the masks that hide nothing.

    Masks tell where utterances of a batch end. In a batch of one nothing is beyond the end, so
    selecting by the mask, and multiplying with it, changes nothing.

    Args:
        model: is changed.
        evaluate: computes tensors of the graph, given by name, for each of several inputs.

    Returns:
        How many uses of masks were left out.
    """
    masks = list(_masks(model))
    names = sorted({mask.name for mask in masks})
    values: defaultdict[str, list[npt.NDArray[Any]]] = defaultdict(list)
    for results in evaluate(names) if names else ():
        for name, value in zip(names, results, strict=True):
            values[name].append(value)
    dropped = 0
    for mask in masks:
        if all(np.all(value == mask.idle) for value in values[mask.name]):
            _redirect(model, mask.node.output[0], mask.passes)
            dropped += 1
    _prune(model)
    return dropped


def join_attention(model: ModelProto) -> int:
    """Have attention read its heads where the projection left them, instead of from copies.

    Queries, keys and values are the columns of one tensor. A matrix product can step over the
    columns of other heads, so the transposed copies are not needed.

    Returns:
        How many attentions were changed.
    """
    links = _Links(model)
    shapes = _Shapes(model)
    joined = 0
    for softmax in [node for node in model.graph.node if node.op_type == "Softmax"]:
        attention = _attention(softmax, links, shapes)
        if attention is not None:
            _replace(model, attention, shapes)
            joined += 1
    _prune(model)
    return joined


class _Mask(NamedTuple):
    """A use of a mask: the tensor, its value where it hides nothing, and what then passes."""

    node: NodeProto
    name: str
    idle: float
    passes: str


def _masks(model: ModelProto) -> Iterator[_Mask]:
    """Find the uses of tensors that are computed from lengths and shapes alone."""
    fixed = {tensor.name for tensor in model.graph.initializer}
    from_lengths = {each.name for each in model.graph.input if "length" in each.name}
    for node in model.graph.node:
        inputs = {name for name in node.input if name}
        if node.op_type in {"Shape", "Constant"} or inputs <= fixed:
            fixed.update(node.output)
        elif inputs <= fixed | from_lengths:
            from_lengths.update(node.output)
    for node in model.graph.node:
        if node.op_type == "Where" and node.input[0] in from_lengths:
            yield _Mask(node, node.input[0], 0.0, node.input[2])
        elif node.op_type == "Mul":
            first, second = node.input
            if second in from_lengths and first not in from_lengths | fixed:
                yield _Mask(node, second, 1.0, first)
            elif first in from_lengths and second not in from_lengths | fixed:
                yield _Mask(node, first, 1.0, second)


class _Attention(NamedTuple):
    """Names of what goes in and comes out, and the measures."""

    queries: str
    keys: str
    values: str
    output: str
    at: NodeProto
    scale: float
    heads: int
    width: int


class _Links:
    """Who makes a tensor, and who uses it."""

    def __init__(self, model: ModelProto) -> None:
        self.maker = {name: node for node in model.graph.node for name in node.output}
        self.uses: defaultdict[str, list[NodeProto]] = defaultdict(list)
        for node in model.graph.node:
            for name in node.input:
                self.uses[name].append(node)

    def only_use(self, name: str, kind: str) -> NodeProto | None:
        """The node that alone uses a tensor, if it is of this kind."""
        uses = self.uses[name]
        return uses[0] if len(uses) == 1 and uses[0].op_type == kind else None

    def turned(self, name: str, order: list[int]) -> NodeProto | None:
        """The reshape before the transpose of this order that makes a tensor."""
        transpose = self.maker.get(name)
        if transpose is None or transpose.op_type != "Transpose" or _order(transpose) != order:
            return None
        reshape = self.maker.get(transpose.input[0])
        return reshape if reshape is not None and reshape.op_type == "Reshape" else None


class _Shapes:
    """What shapes reshapes give, and new constants for others."""

    def __init__(self, model: ModelProto) -> None:
        self._model = model
        self._links = _Links(model)
        self._constants = {
            tensor.name: numpy_helper.to_array(tensor)
            for tensor in model.graph.initializer
            if np.prod(tensor.dims) <= DIMENSIONS
        }

    def heads_and_width(self, reshape: NodeProto) -> tuple[int, int] | None:
        """The last two of four dimensions, where they are fixed."""
        shape = self._constants.get(reshape.input[1])
        if shape is not None and shape.shape == (DIMENSIONS,):
            return int(shape[2]), int(shape[3])
        concat = self._links.maker.get(reshape.input[1])
        if concat is None or concat.op_type != "Concat" or len(concat.input) != DIMENSIONS:
            return None
        last = [self._constants.get(name) for name in concat.input[2:]]
        if any(each is None or each.size != 1 for each in last):
            return None
        heads, width = (int(each.item()) for each in last if each is not None)
        return heads, width

    def constant(self, *shape: int) -> str:
        """Name a shape, which becomes a tensor of the model."""
        name = "shape_" + "_".join(str(each).replace("-", "m") for each in shape)
        if name not in self._constants:
            self._constants[name] = np.array(shape, np.int64)
            self._model.graph.initializer.append(
                numpy_helper.from_array(self._constants[name], name)
            )
        return name


def _attention(softmax: NodeProto, links: _Links, shapes: _Shapes) -> _Attention | None:
    """Recognise transposed queries and keys, their product, its softmax, and what is made of it."""
    along = next((each.i for each in softmax.attribute if each.name == "axis"), -1)
    product = links.maker.get(softmax.input[0])
    weighted = links.only_use(softmax.output[0], "MatMul")
    if product is None or weighted is None or product.op_type not in {"MatMul", "FusedMatMul"}:
        return None
    scale = _scale(product)
    queries = links.turned(product.input[0], SPLIT_HEADS)
    keys = links.turned(product.input[1], SPLIT_HEADS_TURNED)
    values = links.turned(weighted.input[1], SPLIT_HEADS)
    back = links.only_use(weighted.output[0], "Transpose")
    end = None if back is None else links.only_use(back.output[0], "Reshape")
    if scale is None or queries is None or keys is None or values is None or end is None:
        return None
    if along not in {-1, DIMENSIONS - 1}:
        return None
    measures = shapes.heads_and_width(queries)
    if back is None or _order(back) != SPLIT_HEADS or measures is None:
        return None
    if any(shapes.heads_and_width(each) != measures for each in (keys, values)):
        return None
    return _Attention(
        queries.input[0], keys.input[0], values.input[0], end.output[0], end, scale, *measures
    )


def _replace(model: ModelProto, found: _Attention, shapes: _Shapes) -> None:
    def name(part: str) -> str:
        return f"{found.output}/{part}"

    apart = shapes.constant(-1, found.heads, found.width)
    together = shapes.constant(1, -1, found.heads * found.width)
    nodes = [
        helper.make_node("Reshape", [found.queries, apart], [name("queries")]),
        helper.make_node("Reshape", [found.keys, apart], [name("keys")]),
        helper.make_node("Reshape", [found.values, apart], [name("values")]),
        helper.make_node(
            "FusedMatMul",
            [name("queries"), name("keys")],
            [name("scores")],
            transBatchA=1,
            transB=1,
            transBatchB=1,
            alpha=found.scale,
            domain=MICROSOFT,
        ),
        helper.make_node("Softmax", [name("scores")], [name("weights")], axis=-1),
        helper.make_node(
            "FusedMatMul",
            [name("weights"), name("values")],
            [name("heads")],
            transBatchB=1,
            domain=MICROSOFT,
        ),
        helper.make_node("Transpose", [name("heads")], [name("rows")], perm=[1, 0, 2]),
        helper.make_node("Reshape", [name("rows"), together], [name("joined")]),
    ]
    for node in nodes:
        node.name = node.output[0]
    at = list(model.graph.node).index(found.at)
    for offset, node in enumerate(nodes):
        model.graph.node.insert(at + offset, node)
    _redirect(model, found.output, name("joined"))


def _scale(product: NodeProto) -> float | None:
    """What a product is multiplied by; None where it is transposed as well."""
    attributes = {each.name: helper.get_attribute_value(each) for each in product.attribute}
    scale = float(attributes.pop("alpha", 1.0))
    return None if any(attributes.values()) else scale


def _order(transpose: NodeProto) -> list[int]:
    return next((list(each.ints) for each in transpose.attribute if each.name == "perm"), [])


def _redirect(model: ModelProto, old: str, new: str) -> None:
    """Have everyone who uses one tensor use another."""
    for node in model.graph.node:
        for index, name in enumerate(node.input):
            if name == old:
                node.input[index] = new


def _prune(model: ModelProto) -> None:
    """Leave out what no output needs any more."""
    needed = {output.name for output in model.graph.output}
    kept = []
    for node in reversed(model.graph.node):
        if needed.intersection(node.output):
            kept.append(node)
            needed.update(node.input, *map(_used_in, _graphs_in(node)))
    del model.graph.node[:]
    model.graph.node.extend(reversed(kept))
    tensors = [tensor for tensor in model.graph.initializer if tensor.name in needed]
    del model.graph.initializer[:]
    model.graph.initializer.extend(tensors)


def _graphs_in(node: NodeProto) -> list[GraphProto]:
    """The branches of a condition, or the body of a loop."""
    return [each.g for each in node.attribute if each.HasField("g")]


def _used_in(graph: GraphProto) -> set[str]:
    """Names that a graph uses, some of which may be those of the graph around it."""
    used = {output.name for output in graph.output}
    for node in graph.node:
        used.update(node.input, *map(_used_in, _graphs_in(node)))
    return used
