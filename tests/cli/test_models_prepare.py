"""``capswriter models`` makes, shows, checks and deletes prepared copies."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from capswriter.cli.models import command
from capswriter.engines.graph import prepared
from capswriter.models import catalogue
from capswriter.models.catalogue import ModelFile, ModelSpec
from capswriter.models.store import ModelStore

ENGINES = Path(__file__).parents[1] / "engines"
MODEL = ENGINES / "sensevoice" / "sherpa"
NAMES = ("model.int8.onnx", "tokens.txt")


@pytest.fixture
def store(tmp_path, monkeypatch):
    """A store that holds one small model, which is installed, and whisper-base, which is not."""
    directory = tmp_path / "store"
    monkeypatch.setenv("CAPSWRITER_MODEL_DIR", str(directory))
    (directory / "small").mkdir(parents=True)
    files = []
    for name in NAMES:
        content = (MODEL / name).read_bytes()
        (directory / "small" / name).write_bytes(content)
        files.append(ModelFile(name, len(content), hashlib.sha256(content).hexdigest()))
    small = ModelSpec("small", "sensevoice", "a test", ("zh",), "MIT", 1, tuple(files), ())
    others = {name: catalogue.find(name) for name in ("whisper-base", "punctuation")}
    return ModelStore(models={"small": small} | others)


@pytest.fixture
def models(store):
    return lambda *arguments: CliRunner().invoke(command, arguments, obj=store)


@pytest.fixture
def network(store) -> Path:
    return store.directory / "small" / "model.int8.onnx"


def installed(models) -> str:
    row = models("list").stdout.splitlines()[1]
    return re.split("  +", row)[4]


def test_a_prepared_copy_from_making_to_deleting(models, store, network):
    assert installed(models) == "yes, not prepared"
    made = models("prepare", "small")
    assert made.exit_code == 0, made.output
    assert re.fullmatch(
        r"small was prepared in \d+ s \(fused, .*attention in place\): \d MB in .*\n", made.stdout
    )
    assert " preparing " in made.stderr
    assert installed(models) == "yes, prepared"
    assert models("prepare", "small").output == "small is prepared already\n"
    assert models("verify").output == "small is sound\n"
    assert models("remove", "small").exit_code == 0
    assert [path for path in (store.directory / "prepared").rglob("*") if path.is_file()] == []


def test_a_corrupt_copy_fails_verification_and_is_made_again(models, network):
    models("prepare", "small")
    weights = prepared.place_of(network) / "weights.bin"
    look = weights.stat()
    content = bytearray(weights.read_bytes())
    content[1000] ^= 1
    weights.write_bytes(content)
    os.utime(weights, ns=(look.st_atime_ns, look.st_mtime_ns))
    assert installed(models) == "yes, prepared", "it looks as it did"
    verified = models("verify", "small")
    assert verified.exit_code == 1
    assert verified.stderr == (
        "capswriter: the prepared copy of small is corrupt; run: capswriter models prepare small\n"
    )
    assert models("prepare", "small").exit_code == 0
    assert models("verify", "small").output == "small is sound\n"
    weights.write_bytes(b"")
    assert installed(models) == "yes, copy corrupt"


def capswriter(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "capswriter", "models", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_a_directory_is_prepared_under_its_own_name(store):
    done = capswriter("prepare", MODEL)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"{MODEL} was prepared in ")
    assert prepared.state(MODEL / "model.int8.onnx") == "prepared"


def test_the_reason_why_there_is_no_copy_is_told(store):
    (store.directory / "prepared").write_text("a file in the place of the directory")
    done = capswriter("prepare", MODEL)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.splitlines()[-1].startswith("capswriter: ")
    assert "Traceback" not in done.stderr
    assert "prepared" in done.stderr


def test_what_could_not_be_prepared_is_tried_again_when_asked_for(models, store, monkeypatch):
    monkeypatch.setattr(prepared, "PATIENCE", 0.05)
    failed = models("prepare", "small")
    assert failed.exit_code == 1
    assert "not prepared: it took longer than 0 s" in failed.stderr
    assert installed(models) == "yes, cannot be prepared"
    monkeypatch.undo()
    monkeypatch.setenv("CAPSWRITER_MODEL_DIR", str(store.directory))
    assert models("prepare", "small").exit_code == 0
    assert installed(models) == "yes, prepared"


def test_what_is_not_prepared_is_no_error(models, store, tmp_path):
    shutil.copytree(ENGINES / "paraformer" / "sherpa", tmp_path / "paraformer")
    for name in catalogue.find("whisper-base").files:
        (tmp_path / "whisper").mkdir(exist_ok=True)
        (tmp_path / "whisper" / name.path).write_bytes(b"")
    done = models("prepare", str(tmp_path / "whisper"))
    assert (done.exit_code, done.output) == (
        0,
        f"{tmp_path / 'whisper'}: there is nothing to prepare\n",
    )


def test_what_is_no_model_is_one_line(store, tmp_path):
    for model in (tmp_path, "whisper-base", "wisper"):
        done = capswriter("prepare", model)
        assert done.returncode in {1, 2}
        assert done.stderr.startswith("capswriter: ")
        assert len(done.stderr.splitlines()) == 1


def test_a_model_without_its_network_can_be_removed(models, network, store):
    network.unlink()
    assert models("remove", "small").exit_code == 0
    assert not (store.directory / "small").exists()
