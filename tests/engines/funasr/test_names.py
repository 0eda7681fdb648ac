"""How a FunASR model is named, and what is said where there is none."""

from __future__ import annotations

import json
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from capswriter.engines import EngineFailed
from capswriter.engines.funasr import load, parse, wants
from capswriter.pool import EngineSpec, NoWorkers, Recogniser

INSTALL = r"FunASR is not installed; run: pip install 'capswriter-server\[funasr\]'"


@pytest.mark.parametrize(
    ("name", "model", "hub"),
    [
        ("funasr:paraformer-zh", "paraformer-zh", "ms"),
        ("funasr:iic/SenseVoiceSmall", "iic/SenseVoiceSmall", "ms"),
        ("funasr:hf:FunAudioLLM/SenseVoiceSmall", "FunAudioLLM/SenseVoiceSmall", "hf"),
        ("funasr:/models/mine", "/models/mine", "ms"),
        (Path("funasr:/models/mine"), "/models/mine", "ms"),
        (Path("/models/mine"), "/models/mine", "ms"),
    ],
)
def test_a_name_is_a_directory_or_a_name_at_a_hub(name, model, hub):
    assert parse(name) == (model, hub)


def test_a_directory_of_the_home_directory_is_found(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert parse("funasr:~/models/mine") == (str(tmp_path / "models" / "mine"), "ms")


def test_it_wants_names_that_say_so_and_directories_with_torch_weights(tmp_path):
    assert wants("funasr:paraformer-zh")
    assert not wants("whisper-base")
    (tmp_path / "config.yaml").touch()
    assert not wants(str(tmp_path))  # as for ONNX
    (tmp_path / "model.pt").touch()
    assert wants(str(tmp_path))


def test_without_the_extra_one_line_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "funasr", None)
    with pytest.raises(EngineFailed, match=f"^{INSTALL}$"):
        load("funasr:paraformer-zh", threads=1, device="cpu")


@pytest.mark.anyio
@pytest.mark.skipif(find_spec("funasr") is not None, reason="FunASR is installed")
async def test_without_the_extra_a_worker_says_what_to_install():
    spec = EngineSpec(Path("funasr:paraformer-zh"), loader="capswriter.engines.funasr:load")
    with pytest.raises(NoWorkers, match=INSTALL):
        await Recogniser(spec, workers=1).__aenter__()


def test_naming_the_module_imports_neither_funasr_nor_torch():
    assert "capswriter.engines.funasr" in sys.modules
    assert not {"funasr", "torch"} & set(sys.modules)


# What follows is refused by looking at the files, but by a worker that has FunASR.


def refused(directory: Path, monkeypatch) -> str:
    for name in ("funasr", "torch"):
        monkeypatch.setitem(sys.modules, name, sys)  # it is not got as far as
    with pytest.raises(EngineFailed) as told:
        load(directory, threads=1, device="cpu")
    return str(told.value)


def test_a_directory_that_is_not_there_is_no_name_at_a_hub(tmp_path, monkeypatch):
    assert refused(tmp_path / "no", monkeypatch) == f"{tmp_path / 'no'} is no directory"


def test_a_directory_without_configuration_is_refused(tmp_path, monkeypatch):
    assert "holds no FunASR model" in refused(tmp_path, monkeypatch)


def test_a_missing_file_is_refused_that_funasr_would_make_noise_without(tmp_path, monkeypatch):
    metas = {"config": "config.yaml", "init_param": "model.pt", "frontend_conf": {"cmvn": "am.mvn"}}
    (tmp_path / "configuration.json").write_text(json.dumps({"file_path_metas": metas}))
    for file in ("config.yaml", "am.mvn"):
        (tmp_path / file).touch()
    assert refused(tmp_path, monkeypatch) == f"{tmp_path} has no model.pt"
    (tmp_path / "configuration.json").write_text("[")
    assert "is not readable" in refused(tmp_path, monkeypatch)
