"""Rewritten graphs compute the same, and what only looks alike is left as it is."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from onnx import TensorProto, helper, numpy_helper

from capswriter.engines.graph.rewrite import drop_masks, join_attention, sign_weights

FLOAT, UINT8, INT32, INT64 = (
    TensorProto.FLOAT,
    TensorProto.UINT8,
    TensorProto.INT32,
    TensorProto.INT64,
)
HEADS, WIDTH = 2, 4


def model_of(nodes, inputs, outputs, **tensors) -> onnx.ModelProto:
    """A model of nodes given as (operator, inputs, outputs, attributes)."""
    rows = [
        helper.make_node(kind, ins.split(), outs.split(), **attributes)
        for kind, ins, outs, attributes in nodes
    ]
    graph = helper.make_graph(
        rows,
        "test",
        [helper.make_tensor_value_info(name, *what) for name, what in inputs.items()],
        [helper.make_tensor_value_info(name, kind, None) for name, kind in outputs.items()],
        [numpy_helper.from_array(value, name) for name, value in tensors.items()],
    )
    opsets = [helper.make_opsetid("", 14), helper.make_opsetid("com.microsoft", 1)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8)


def run(model: onnx.ModelProto, names=None, **feed):
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(names, feed)


def integer_products(*more, products=(("a", "za", "w", "zw"),), **tensors) -> onnx.ModelProto:
    random = np.random.default_rng(0)
    nodes = [
        ("MatMulInteger", f"{a} {w} {za} {zw}", f"y{index}", {})
        for index, (a, za, w, zw) in enumerate(products)
    ]
    held = {
        "w": random.integers(0, 256, (8, 4), np.uint8),
        "v": random.integers(0, 256, (8, 4), np.uint8),
        "zw": np.array([3, 128, 255, 0], np.uint8),
        "za": np.array(7, np.uint8),
    } | tensors
    outputs = {f"y{index}": INT32 for index in range(len(products))}
    outputs |= {name: INT32 for _, _, name, _ in more}
    return model_of([*nodes, *more], {"a": (UINT8, [2, 8])}, outputs, **held)


def signed_in(model: onnx.ModelProto) -> set[str]:
    rows = model.graph.initializer
    return {tensor.name for tensor in rows if tensor.data_type == TensorProto.INT8}


@pytest.mark.parametrize(
    ("model", "signed"),
    [
        (integer_products(), {"w", "zw"}),
        (
            integer_products(products=[("a", "za", "w", "zw"), ("a", "za", "v", "zw")]),
            {"w", "v", "zw"},
        ),
        (integer_products(products=[("a", "za", "w", "")]), set()),
        (integer_products(("Cast", "w", "other", {"to": INT32})), set()),
        (integer_products(("Cast", "zw", "other", {"to": INT32})), set()),
        (integer_products(products=[("a", "za", "w", "za")]), set()),
        (
            integer_products(
                products=[("a", "za", "w", "zw"), ("a", "zw1", "v", "zw1")],
                zw1=np.array(9, np.uint8),
            ),
            {"w", "zw"},
        ),
        (integer_products(products=[("a", "za", "w", "zw"), ("a", "za", "w", "")]), set()),
        (
            integer_products(
                ("Cast", "v", "other", {"to": INT32}),
                products=[("a", "za", "w", "zw"), ("a", "za", "v", "zw")],
            ),
            set(),
        ),
        (
            integer_products(w=np.ones((8, 4), np.int8), zw=np.zeros(4, np.int8)),
            {"w", "zw"},
        ),
    ],
    ids=[
        "weights",
        "a shared zero point",
        "no zero point",
        "weights used elsewhere",
        "a zero point used elsewhere",
        "a zero point of both factors",
        "one of two products",
        "weights with and without a zero point",
        "a zero point shared with weights that are used elsewhere",
        "weights that are signed already",
    ],
)
def test_weights_are_signed_where_nobody_else_uses_them(model, signed):
    values = np.random.default_rng(1).integers(0, 256, (2, 8), np.uint8)
    before, already = run(model, a=values), signed_in(model)
    assert sign_weights(model) == len(signed - already)
    assert signed_in(model) == signed
    for ours, theirs in zip(run(model, a=values), before, strict=True):
        assert np.array_equal(ours, theirs)


def masked(*, by: str, outputs=("y",), more=()) -> onnx.ModelProto:
    """Frames of which those beyond the length are zero."""
    nodes = [
        ("Shape", "x", "shape", {}),
        ("Gather", "shape one", "count", {}),
        ("Range", "zero count one", "positions", {}),
        ("GreaterOrEqual" if by == "Where" else "Less", "positions lengths", "flags", {}),
        ("Unsqueeze", "flags axes", "column", {}),
    ]
    if by == "Where":
        nodes.append(("Where", "column nothing x", "kept", {}))
    else:
        nodes.append(("Cast", "column", "mask", {"to": FLOAT}))
        nodes.append(("Mul", "x mask" if by == "Mul" else "mask x", "kept", {}))
    nodes.append(("Add", "kept kept", "y", {}))
    return model_of(
        [*nodes, *more],
        {"x": (FLOAT, [1, None, 3]), "lengths": (INT64, [1])},
        dict.fromkeys(outputs, FLOAT),
        zero=np.array(0),
        one=np.array(1),
        axes=np.array([1]),
        **({"nothing": np.array(0, np.float32)} if by == "Where" else {}),
    )


def evaluating(model: onnx.ModelProto, *trials):
    """What ``drop_masks`` asks: tensors of the graph for some inputs."""

    def evaluate(names):
        probe = onnx.ModelProto()
        probe.CopyFrom(model)
        del probe.graph.output[:]
        probe.graph.output.extend(helper.make_empty_tensor_value_info(name) for name in names)
        return [run(probe, list(names), **trial) for trial in trials]

    return evaluate


def frames(count: int, length: int) -> dict[str, np.ndarray]:
    values = np.arange(3 * count, dtype=np.float32).reshape(1, count, 3)
    return {"x": values, "lengths": np.array([length])}


KINDS = ["Where", "Mul", "Mul turned"]


@pytest.mark.parametrize("by", KINDS)
def test_a_mask_that_hides_nothing_is_left_out(by):
    model = masked(by=by)
    trials = frames(5, 5), frames(2, 2)
    before = [run(model, **trial) for trial in trials]
    assert drop_masks(model, evaluating(model, *trials)) == 1
    assert [node.op_type for node in model.graph.node] == ["Add"]
    assert [tensor.name for tensor in model.graph.initializer] == []
    for ours, theirs in zip([run(model, **trial) for trial in trials], before, strict=True):
        assert np.array_equal(ours, theirs)


@pytest.mark.parametrize("by", KINDS)
def test_a_mask_that_hides_something_once_is_kept(by):
    model = masked(by=by)
    before = model.SerializeToString()
    assert drop_masks(model, evaluating(model, frames(5, 5), frames(5, 4))) == 0
    assert model.SerializeToString() == before


def test_what_is_selected_by_the_sound_is_no_mask():
    nodes = [("Greater", "x zero", "loud", {}), ("Where", "loud x zero", "y", {})]
    model = model_of(
        nodes,
        {"x": (FLOAT, [1, None]), "lengths": (INT64, [1])},
        {"y": FLOAT},
        zero=np.zeros(1, np.float32),
    )
    assert drop_masks(model, lambda names: [[np.zeros(1, bool)] * len(names)]) == 0


def test_what_a_branch_needs_is_kept():
    """The branches use a tensor of the graph around them, as loops and conditions may."""
    branch = helper.make_graph(
        [helper.make_node("Add", ["kept", "kept"], ["out"])],
        "branch",
        [],
        [helper.make_empty_tensor_value_info("out")],
    )
    more = [
        ("Greater", "lengths one", "many", {}),
        ("If", "many", "z", {"then_branch": branch, "else_branch": branch}),
    ]
    model = masked(by="Mul", outputs=("z",), more=more)
    trial = frames(5, 5)
    before = run(model, **trial)
    drop_masks(model, evaluating(model, trial))
    assert np.array_equal(run(model, **trial), before)


def attention(**changed) -> onnx.ModelProto:
    """Attention as ONNX Runtime's optimiser leaves it; ``changed`` replaces parts."""
    parts = {
        "product": ("FusedMatMul", {"alpha": 0.5, "domain": "com.microsoft"}),
        "queries": [0, 2, 1, 3],
        "keys": [0, 2, 3, 1],
        "axis": -1,
        "back": [0, 2, 1, 3],
        "split": np.array([1, -1, HEADS, WIDTH]),
        "key_split": np.array([1, -1, HEADS, WIDTH]),
        "more": [],
        "outputs": {"y": FLOAT},
    } | changed
    kind, attributes = parts["product"]
    nodes = [
        ("Reshape", "q split", "q4", {}),
        ("Reshape", "k key_split", "k4", {}),
        ("Reshape", "v split", "v4", {}),
        ("Transpose", "q4", "qt", {"perm": parts["queries"]}),
        ("Transpose", "k4", "kt", {"perm": parts["keys"]}),
        ("Transpose", "v4", "vt", {"perm": [0, 2, 1, 3]}),
        (kind, "qt kt", "scores", attributes),
        ("Softmax", "scores", "weights", {"axis": parts["axis"]}),
        ("MatMul", "weights vt", "heads", {}),
        ("Transpose", "heads", "rows", {"perm": parts["back"]}),
        ("Reshape", "rows joined", "out", {}),
        ("Add", "out out", "y", {}),
        *parts["more"],
    ]
    return model_of(
        nodes,
        {name: (FLOAT, [1, None, HEADS * WIDTH]) for name in "qkv"},
        parts["outputs"],
        split=parts["split"],
        key_split=parts["key_split"],
        joined=np.array([1, -1, HEADS * WIDTH]),
    )


def speech(length: int) -> dict[str, np.ndarray]:
    random = np.random.default_rng(length)
    shape = (1, length, HEADS * WIDTH)
    return {name: random.standard_normal(shape, np.float32) for name in "qkv"}


@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"product": ("MatMul", {})},
        {"axis": 3},
        {"outputs": {"y": FLOAT, "scores": FLOAT, "out": FLOAT}},
    ],
    ids=["fused", "not scaled", "axis 3", "inner tensors that are outputs too"],
)
def test_attention_reads_its_heads_in_place(changed):
    model = attention(**changed)
    names = [output.name for output in model.graph.output]
    before = [run(model, names, **speech(length)) for length in (1, 7, 40)]
    assert join_attention(model) == 1
    operators = [node.op_type for node in model.graph.node]
    if not changed.get("outputs"):
        assert operators.count("Transpose") == 1, "of four"
    after = [run(model, names, **speech(length)) for length in (1, 7, 40)]
    for ours, theirs in zip(after, before, strict=True):
        for one, other in zip(ours, theirs, strict=True):
            assert one == pytest.approx(other, abs=1e-6)


@pytest.mark.parametrize(
    "changed",
    [
        {"axis": 2},
        {"queries": [0, 1, 2, 3], "keys": [0, 1, 3, 2], "back": [0, 1, 2, 3]},
        {"back": [0, 1, 2, 3]},
        {"product": ("FusedMatMul", {"transA": 1, "domain": "com.microsoft"})},
        {"product": ("Add", {})},
        {"more": [("Identity", "weights", "also", {})], "outputs": {"y": FLOAT, "also": FLOAT}},
        {"more": [("Identity", "heads", "also", {})], "outputs": {"y": FLOAT, "also": FLOAT}},
        {"key_split": np.array([1, -1, 2 * HEADS, WIDTH // 2])},
        {"split": np.array([-1, 2]), "key_split": np.array([-1, 2])},
    ],
    ids=[
        "softmax along another axis",
        "no heads",
        "another order at the end",
        "a transposed product",
        "another operator",
        "weights used elsewhere",
        "heads used elsewhere",
        "keys of other heads",
        "another shape",
    ],
)
def test_what_only_looks_like_attention_is_left_alone(changed):
    model = attention(**changed)
    before = model.SerializeToString()
    assert join_attention(model) == 0
    assert model.SerializeToString() == before
