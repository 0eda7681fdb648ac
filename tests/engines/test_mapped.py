import logging
import shutil
import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from capswriter.engines import mapped
from capswriter.engines.graph import open_graph
from capswriter.engines.mapped import open_mapped, without_tables

SMALL = Path(__file__).parent / "punctuation" / "realtime" / "model.onnx"
WIDTH = 64
ROWS = mapped.LARGE // WIDTH // 4 + 10


@pytest.fixture
def table():
    return np.arange(ROWS * WIDTH, dtype=np.float32).reshape(ROWS, WIDTH)


@pytest.fixture(params=range(4))
def lookup(request, table, tmp_path):
    """A model that looks rows up, with its table at each of four alignments."""
    graph = helper.make_graph(
        [helper.make_node("Gather", ["table", "ids"], ["rows"])],
        "lookup",
        [helper.make_tensor_value_info("ids", TensorProto.INT32, ["n"])],
        [helper.make_tensor_value_info("rows", TensorProto.FLOAT, ["n", WIDTH])],
        [numpy_helper.from_array(table, "table")],
    )
    model = helper.make_model(
        graph, producer_name="x" * request.param, opset_imports=[helper.make_opsetid("", 14)]
    )
    model.ir_version = 8
    path = tmp_path / "模型 1" / "model_quant.onnx"
    path.parent.mkdir()
    onnx.save(model, path)
    return path


def test_rows_of_a_table_that_stays_in_its_file_are_those_of_the_table(lookup, table):
    ids = np.array([0, 1, ROWS // 2, ROWS - 1], np.int32)
    (rows,) = open_mapped(lookup).run(None, {"ids": ids})
    np.testing.assert_array_equal(rows, table[ids])


@pytest.mark.skipif(ort.__version__.startswith("1.20."), reason="that version cannot map it")
def test_the_table_is_mapped_and_not_read(lookup, caplog):
    with caplog.at_level(logging.INFO):
        open_mapped(lookup)
    assert not caplog.records


def test_the_graph_is_handed_over_without_the_table(lookup, table):
    slim = without_tables(lookup)
    assert len(slim) < 1_000
    (tensor,) = onnx.load_from_string(slim).graph.initializer
    entries = {entry.key: entry.value for entry in tensor.external_data}
    assert entries["location"] == lookup.name
    offset, length = int(entries["offset"]), int(entries["length"])
    assert lookup.read_bytes()[offset : offset + length] == table.tobytes()


@pytest.mark.skipif(sys.platform == "win32", reason="links need a privilege there")
def test_a_link_to_a_model_is_followed(lookup, table, tmp_path):
    (tmp_path / "model.onnx").symlink_to(lookup)
    (rows,) = open_mapped(tmp_path / "model.onnx").run(None, {"ids": np.array([7], np.int32)})
    np.testing.assert_array_equal(rows, table[[7]])


def test_a_model_in_the_working_directory_is_found(lookup, table, monkeypatch):
    monkeypatch.chdir(lookup.parent)
    (rows,) = open_mapped(Path(lookup.name)).run(None, {"ids": np.array([7], np.int32)})
    np.testing.assert_array_equal(rows, table[[7]])


def test_a_row_beyond_the_table_is_refused(lookup):
    with pytest.raises(Exception, match="out of data bounds"):
        open_mapped(lookup).run(None, {"ids": np.array([ROWS], np.int32)})


def test_a_whole_network_gives_the_same_with_all_its_weights_mapped(tmp_path, monkeypatch):
    path = Path(shutil.copy(SMALL, tmp_path))
    monkeypatch.setattr(mapped, "LARGE", 64)
    references = onnx.load_from_string(without_tables(path)).graph.initializer
    assert sum(tensor.data_location == TensorProto.EXTERNAL for tensor in references) > 20
    mask = np.ones((1, 1, 30, 30), np.float32)
    values = (np.arange(30, dtype=np.int32)[None], np.array([30], np.int32), mask, mask)
    session = open_mapped(path)
    given_values = dict(
        zip([declared.name for declared in session.get_inputs()], values, strict=True)
    )
    (ours,) = session.run(None, given_values)
    (theirs,) = open_graph(path).run(None, given_values)
    np.testing.assert_array_equal(ours, theirs)


def test_what_onnx_runtime_will_not_map_is_read(lookup, table, monkeypatch, caplog):
    # As 1.20 does, which looks for the file in the working directory.
    monkeypatch.setattr(mapped, "FOLDER", "session.no_such_setting")
    with caplog.at_level(logging.INFO):
        (rows,) = open_mapped(lookup).run(None, {"ids": np.array([7], np.int32)})
    assert "cannot be mapped" in caplog.text
    np.testing.assert_array_equal(rows, table[[7]])


def test_a_model_of_small_parts_is_opened_as_it_is():
    assert without_tables(SMALL) is None
    assert open_mapped(SMALL).get_outputs()[0].name == "logits"


@pytest.mark.parametrize("content", [b"", b"\x00", b"no model at all", b"\xff" * 100])
def test_what_is_no_model_is_left_to_onnx_runtime_to_refuse(tmp_path, content):
    path = tmp_path / "model.onnx"
    path.write_bytes(content)
    assert without_tables(path) is None
    with pytest.raises(Exception, match="model"):
        open_mapped(path)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(stop=st.integers(0, SMALL.stat().st_size), place=st.integers(0), byte=st.binary(min_size=1))
def test_damage_never_raises_while_the_file_is_read(tmp_path, monkeypatch, stop, place, byte):
    monkeypatch.setattr(mapped, "LARGE", 64)
    content = bytearray(SMALL.read_bytes()[:stop])
    place %= len(content) + 1
    content[place : place + len(byte)] = byte
    path = tmp_path / "model.onnx"
    path.write_bytes(content)
    slim = without_tables(path)
    assert slim is None or len(slim) < len(content) + 100 * 100
