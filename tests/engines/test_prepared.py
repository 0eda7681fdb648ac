"""Prepared copies, made and used by real processes that are killed and run out of disk."""

from __future__ import annotations

import json
import logging
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import psutil
import pytest
from engines.paraformer.clips import clip
from engines.preparing import feeds_of, outputs_of
from onnx import TensorProto, helper

from capswriter.engines import Options, load
from capswriter.engines.graph import open_graph, prepared
from capswriter.engines.graph.session import open_session

HERE = Path(__file__).parent
MODEL = HERE / "sensevoice" / "funasr"
NETWORK = MODEL / "model_quant.onnx"
GRAPHS = {
    "sensevoice": NETWORK,
    "sensevoice, sherpa": HERE / "sensevoice" / "sherpa" / "model.int8.onnx",
    "paraformer": HERE / "paraformer" / "timestamped" / "model_quant.onnx",
    "paraformer, hotwords": HERE / "paraformer" / "contextual" / "model_quant.onnx",
}
ROWS = json.loads((MODEL / "expected.json").read_text())["clips"]
EXPECTED = next(
    row["ids"] for row in ROWS if (row["seconds"], row["language"]) == (1, "auto") and row["itn"]
)
DAY = 24 * 3600


@pytest.fixture
def store(tmp_path, monkeypatch) -> Path:
    """A store in which nothing is prepared yet."""
    monkeypatch.setenv("CAPSWRITER_MODEL_DIR", str(tmp_path / "store"))
    return tmp_path / "store"


@pytest.fixture(scope="module")
def _prepared_once(tmp_path_factory) -> Path:
    directory = tmp_path_factory.mktemp("prepared")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CAPSWRITER_MODEL_DIR", str(directory))
        load(MODEL)
    return directory


@pytest.fixture
def place(_prepared_once, store) -> Path:
    """The prepared copy of the model, in a store of its own."""
    shutil.copytree(_prepared_once, store)
    assert prepared.state(NETWORK) == "prepared"
    return prepared.place_of(NETWORK)


@pytest.fixture(autouse=True)
def _logged(caplog):
    caplog.set_level(logging.INFO)


def command(*more: object) -> list[str]:
    return [sys.executable, str(HERE / "preparing.py"), str(MODEL), *map(str, more)]


def environment() -> dict[str, str]:
    return os.environ | {"PYTHONPATH": str(HERE.parent)}


def heard_apart(*more: object) -> tuple[list[int], str]:
    """What a process of its own hears, and what it logs."""
    done = subprocess.run(
        command(*more), capture_output=True, text=True, timeout=100, check=False, env=environment()
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout), done.stderr


def heard() -> list[int]:
    return load(MODEL).hear(clip(1, 1), Options()).ids.tolist()


def left_in(store: Path) -> list[str]:
    """What lies there, but for locks and remembered hashes."""
    paths = (path for path in store.rglob("*") if path.suffix != ".lock" and path.is_file())
    return sorted(str(path.relative_to(store)) for path in paths if path.parent.name != "hashes")


@pytest.mark.parametrize("kind", GRAPHS)
def test_a_copy_gives_the_same_bits_for_other_inputs(engines_store, kind):
    original = open_session(GRAPHS[kind])
    copy = open_graph(GRAPHS[kind], trials=lambda graph: feeds_of(graph, (20, 60)))
    assert prepared.state(GRAPHS[kind], thorough=True) == "prepared"
    for feed in feeds_of(original, (11, 29, 77, 333, 500)):
        assert outputs_of(copy, feed) == outputs_of(original, feed)


def test_processes_that_start_at_once_prepare_once(store):
    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(lambda _: heard_apart(), range(4)))
    assert [ids for ids, _ in results] == [EXPECTED] * 4
    log = "".join(said for _, said in results)
    assert log.count("INFO preparing ") == 1
    assert log.count(" was prepared in ") == 1
    assert "WARNING" not in log
    assert len(list((store / "prepared").glob("*/model.onnx"))) == 1
    assert "draft" not in str(left_in(store))


def cut(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def spoil(path: Path) -> None:
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 8] = b"\xa5" * 8
    path.write_bytes(content)


@pytest.mark.parametrize(
    ("name", "damage"),
    [
        ("weights.bin", spoil),
        ("weights.bin", cut),
        ("model.onnx", spoil),
        ("manifest.json", spoil),
        ("manifest.json", lambda path: path.write_text('{"files": {}}')),
    ],
)
def test_a_corrupt_copy_is_made_again(place, caplog, name, damage):
    damage(place / name)
    assert prepared.state(NETWORK) == "corrupt"
    assert heard() == EXPECTED
    assert f"the prepared copy of {NETWORK} is corrupt: it is made again" in caplog.messages
    assert prepared.state(NETWORK, thorough=True) == "prepared"


def test_damage_that_does_not_show_is_found_by_a_thorough_look(place):
    before = (place / "weights.bin").stat()
    spoil(place / "weights.bin")
    os.utime(place / "weights.bin", ns=(before.st_atime_ns, before.st_mtime_ns))
    assert prepared.state(NETWORK) == "prepared"
    assert prepared.state(NETWORK, thorough=True) == "corrupt"


def test_a_copy_that_was_moved_is_trusted_after_its_hash(place):
    os.utime(place / "weights.bin")
    assert prepared.state(NETWORK) == "prepared"


def test_a_copy_that_cannot_be_opened_is_not_used(place, caplog, monkeypatch):
    (place / "model.onnx").write_bytes(b"no graph")
    monkeypatch.setattr(prepared, "_state", lambda *_, **__: "prepared")
    assert heard() == EXPECTED
    assert "its prepared copy cannot be opened" in caplog.text


def test_a_disk_that_fills_up_costs_only_speed(store):
    """The trials are written first, and are larger than so small a model."""
    ids, log = heard_apart(100_000)
    assert ids == EXPECTED
    assert re.search(
        r"^WARNING .* is used as it is, more slowly: not prepared: ", log, re.MULTILINE
    )
    assert left_in(store) == []
    ids, log = heard_apart()
    assert ids == EXPECTED
    assert " was prepared in " in log


def test_a_disk_that_fills_up_in_the_other_process_costs_only_speed(store):
    """As above, with trials that fit."""
    program = """
import logging, resource
from capswriter.engines.graph import prepared
from capswriter.engines.graph.session import open_session
from engines.preparing import feeds_of
from engines.test_prepared import NETWORK
logging.basicConfig(level=logging.INFO)
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
graph = open_session(NETWORK)
print(prepared.find_or_make(NETWORK, lambda: feeds_of(graph, (5,))))
"""
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env=environment(),
    )
    assert done.stdout == "None\n", done.stderr
    assert "File too large" in done.stderr
    assert left_in(store) == []


def test_a_disk_without_room_is_left_alone(store, caplog, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(prepared, "ROOM", 10**12)
        assert heard() == EXPECTED
    assert re.search(
        r"not prepared: \d+ MB must be free in .*, \d+ are$", caplog.text, re.MULTILINE
    )
    assert left_in(store) == []
    assert heard() == EXPECTED
    assert prepared.state(NETWORK) == "prepared"


@pytest.mark.parametrize("blocked", ["", "prepared"])
def test_a_store_that_cannot_be_written_costs_only_speed(store, caplog, blocked):
    (store / blocked).parent.mkdir(parents=True, exist_ok=True)
    (store / blocked).write_text("a file in the place of the directory")
    assert heard() == EXPECTED
    assert "is used as it is, more slowly: not prepared: " in caplog.text


def test_another_version_of_onnx_runtime_gets_a_copy_of_its_own(place, monkeypatch):
    monkeypatch.setattr(ort, "__version__", "9.9.9")
    assert prepared.state(NETWORK) == "not prepared"
    assert heard() == EXPECTED
    assert prepared.state(NETWORK) == "prepared"
    assert (place / "model.onnx").is_file(), "both may be in use"


def test_a_copy_that_nobody_has_used_for_long_makes_room(place, monkeypatch):
    long_ago = time.time() - 31 * DAY
    os.utime(place / "manifest.json", (long_ago, long_ago))
    monkeypatch.setattr(ort, "__version__", "9.9.9")
    heard()
    assert not place.exists()


def test_using_a_copy_tells_that_it_is_used(place):
    long_ago = time.time() - 31 * DAY
    os.utime(place / "manifest.json", (long_ago, long_ago))
    heard()
    assert time.time() - (place / "manifest.json").stat().st_mtime < 60


def wait_for_draft(store: Path) -> None:
    until = time.monotonic() + 60
    while not list((store / "prepared").glob("*.draft-*/trials.npz")):
        assert time.monotonic() < until
        time.sleep(0.002)


def maker_of(process: subprocess.Popen[str]) -> psutil.Process:
    until = time.monotonic() + 60
    while time.monotonic() < until:
        for child in psutil.Process(process.pid).children():
            with suppress(psutil.Error):
                if "capswriter.engines.graph.prepare" in child.cmdline():
                    return child
        time.sleep(0.002)
    raise AssertionError("nothing was prepared")


@pytest.fixture
def preparing(store):
    """A process that is about to prepare a model."""
    process = subprocess.Popen(
        command(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment()
    )
    yield process
    process.kill()
    process.communicate()


@pytest.mark.parametrize("both", [True, False])
def test_what_was_killed_is_cleared_away_and_done_again(store, preparing, both):
    wait_for_draft(store)
    maker = maker_of(preparing)
    preparing.kill()
    if both:
        maker.kill()
    preparing.wait()
    assert psutil.wait_procs([maker], timeout=10)[1] == [], "it ends with its parent"
    assert "draft" in str(left_in(store))
    ids, log = heard_apart()
    assert ids == EXPECTED
    assert " was prepared in " in log
    assert "draft" not in str(left_in(store))


def test_a_process_waiting_for_one_that_is_killed_prepares_itself(store, preparing):
    wait_for_draft(store)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(heard_apart)
        time.sleep(0.3)
        preparing.kill()
        ids, log = waiting.result(60)
    assert ids == EXPECTED
    assert log.count("INFO preparing ") == log.count(" was prepared in ") == 1


def test_a_maker_that_is_killed_is_remembered(store, preparing):
    wait_for_draft(store)
    maker_of(preparing).send_signal(signal.SIGKILL)
    said, log = preparing.communicate(timeout=60)
    assert json.loads(said) == EXPECTED
    assert "not prepared: the process was ended by signal 9" in log
    assert prepared.state(NETWORK) == "cannot be prepared"
    ids, log = heard_apart()
    assert ids == EXPECTED
    assert log == ""


def test_what_takes_too_long_is_remembered(store, caplog, monkeypatch):
    monkeypatch.setattr(prepared, "PATIENCE", 0.1)
    assert heard() == EXPECTED
    assert "not prepared: it took longer than 0 s" in caplog.text
    assert prepared.state(NETWORK) == "cannot be prepared"
    assert [Path(name).name for name in left_in(store)] == ["failed.txt"]


def a_graph(path: Path, *nodes: onnx.NodeProto, tensors=()) -> Path:
    """A graph from x, float[1, n], to y."""
    graph = helper.make_graph(
        nodes,
        "test",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, None])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, None])],
        list(tensors),
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 14)], ir_version=8)
    onnx.save(model, path)
    return path


def trials() -> list[dict[str, np.ndarray]]:
    return [{"x": np.ones((1, 4), np.float32)}]


@pytest.mark.parametrize("kind", ["random", "no graph"])
def test_what_cannot_be_prepared_is_tried_again_after_a_day(store, tmp_path, caplog, kind):
    source = tmp_path / "model.onnx"
    if kind == "random":
        # ONNX Runtime's noise depends on which node it is, and the first two are left out.
        a_graph(
            source,
            helper.make_node("Identity", ["x"], ["same"]),
            helper.make_node("Identity", ["same"], ["as it was"]),
            helper.make_node("RandomNormalLike", ["as it was"], ["noise"]),
            helper.make_node("Add", ["x", "noise"], ["y"]),
        )
        reason = "no copy of model.onnx gives the same numbers"
    else:
        source.write_bytes(b"no graph at all")
        reason = "Error parsing message"
    assert prepared.find_or_make(source, trials) is None
    assert f"{source} is used as it is, more slowly: not prepared: {reason}" in caplog.text
    assert prepared.state(source) == "cannot be prepared"
    caplog.clear()
    assert prepared.find_or_make(source, trials) is None
    assert caplog.messages == []
    (failed,) = store.rglob("failed.txt")
    assert reason in failed.read_text()
    for age, state in ((0.9 * DAY, "cannot be prepared"), (1.1 * DAY, "not prepared")):
        os.utime(failed, (time.time() - age,) * 2)
        assert prepared.state(source) == state
    assert prepared.find_or_make(source, trials) is None
    assert reason in caplog.text
    assert prepared.state(source) == "cannot be prepared"


def test_weights_in_another_file_are_not_prepared(store, tmp_path, caplog):
    """The hash of the graph alone would not tell whether they are the same."""
    tensor = onnx.numpy_helper.from_array(np.arange(4, dtype=np.float32)[None], "w")
    source = a_graph(
        tmp_path / "model.onnx", helper.make_node("Add", ["x", "w"], ["y"]), tensors=[tensor]
    )
    model = onnx.load(source)
    onnx.save(model, source, save_as_external_data=True, location="w.bin", size_threshold=0)
    session = open_graph(source, trials=lambda _: trials())
    assert session.run(None, trials()[0])[0].tolist() == [[1, 2, 3, 4]]
    assert "not prepared: the weights of model.onnx lie in another file" in caplog.text


def test_a_model_that_is_none_fails_as_itself(store, tmp_path, caplog):
    source = tmp_path / "model.onnx"
    source.write_bytes(b"no graph at all")
    with pytest.raises(Exception, match="Protobuf parsing failed"):
        open_graph(source, trials=lambda _: trials())
    assert left_in(store) == []


def test_what_was_prepared_is_forgotten(place, store, monkeypatch):
    monkeypatch.setattr(ort, "__version__", "9.9.9")
    heard()
    prepared.forget(NETWORK)
    assert [path for path in store.rglob("*") if path.is_file()] == []
    assert prepared.state(NETWORK) == "not prepared"
