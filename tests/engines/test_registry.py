"""Which engine loads what."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from engines.paraformer.clips import clip

from capswriter.engines import EngineFailed, Options, load
from capswriter.engines.registry import PREPARED, engine_of, imports_of
from capswriter.errors import UserError
from capswriter.models import catalogue
from capswriter.models.errors import ModelCorrupt, ModelMissing

HERE = Path(__file__).parent
PUNCTUATION = HERE / "punctuation"
FIXTURES = {
    "sensevoice/funasr": "sensevoice",
    "sensevoice/sherpa": "sensevoice",
    "paraformer/timestamped": "paraformer",
    "paraformer/contextual": "paraformer",
    "paraformer/sherpa": "paraformer",
}


@pytest.mark.parametrize(("layout", "engine"), FIXTURES.items())
def test_a_directory_tells_its_engine(layout, engine):
    assert engine_of(HERE / layout) == engine
    assert engine_of(str(HERE / layout)) == engine
    assert imports_of(HERE / layout) == (f"capswriter.engines.{engine}",)
    assert engine in PREPARED


@pytest.fixture
def folder_of(tmp_path):
    """Make a directory of files."""

    def make(**files: str) -> Path:
        for name, text in files.items():
            (tmp_path / name.replace("__", ".")).write_text(text)
        return tmp_path

    return make


@pytest.mark.parametrize(
    ("files", "engine"),
    [
        ({"model__bin": "", "config__json": "{}", "tokenizer__json": "{}"}, "whisper"),
        ({"model__pt": "", "config__yaml": "model: SenseVoiceSmall"}, "funasr"),
        ({"model__pt": "", "configuration__json": "{}"}, "funasr"),
        ({"model_quant__onnx": "", "config__yaml": "model: SenseVoiceSmall"}, "sensevoice"),
        ({"model__onnx": "", "config__yaml": "model: SenseVoiceSmall"}, "sensevoice"),
        ({"model_quant__onnx": "", "config__yaml": "model: BiCifParaformer"}, "paraformer"),
        ({"model_quant__onnx": "", "config__yaml": "model: SeacoParaformer"}, "paraformer"),
        (
            {
                "model_quant__onnx": "",
                "config__yaml": "token_type: char",
                "am__mvn": "",
                "tokens__json": "",
            },
            "paraformer",
        ),
    ],
    ids=[
        "whisper",
        "torch",
        "torch, as ModelScope configures it",
        "sensevoice",
        "sensevoice, not quantised",
        "paraformer",
        "another paraformer",
        "an older paraformer",
    ],
)
def test_files_tell_the_engine(folder_of, files, engine):
    assert engine_of(folder_of(**files)) == engine


@pytest.mark.parametrize("name", ["funasr:paraformer-zh", "funasr:hf:org/model"])
def test_names_of_funasr_are_its_own(name):
    assert engine_of(name) == "funasr"
    assert imports_of(name) == ("capswriter.engines.funasr_imports",)


@pytest.mark.parametrize(
    "files",
    [
        {},
        {"model_quant__onnx": ""},
        {"model_quant__onnx": "", "config__yaml": "model: CTTransformer"},
        {"model_quant__onnx": "", "config__yaml": "[: broken"},
        {"model_quant__onnx": "", "config__yaml": "text"},
        {"model_quant__onnx": "", "config__yaml": "model:"},
        {"model__int8__onnx": "no ONNX file"},
        {"config__yaml": "model: SenseVoiceSmall"},
        {"model__bin": "", "config__json": "{}"},
        {"model__pt": ""},
    ],
)
def test_what_no_engine_knows_is_one_line(folder_of, files):
    folder = folder_of(**files)
    with pytest.raises(EngineFailed) as refusal:
        load(folder)
    assert str(refusal.value).startswith(f"{folder} holds no model that can be loaded (expected ")
    assert "\n" not in str(refusal.value)


def test_a_model_that_punctuates_recognises_nothing():
    for folder in sorted(path.parent for path in PUNCTUATION.rglob("config.yaml")):
        with pytest.raises(EngineFailed, match="holds no model that can be loaded"):
            engine_of(folder)


def test_names_are_found_in_the_store(tmp_path, monkeypatch):
    monkeypatch.setenv("CAPSWRITER_MODEL_DIR", str(tmp_path))
    with pytest.raises(ModelMissing, match=r"capswriter models pull sensevoice-small$"):
        load("sensevoice-small")
    for file in catalogue.find("sensevoice-small").files:
        (tmp_path / "sensevoice-small").mkdir(exist_ok=True)
        (tmp_path / "sensevoice-small" / file.path).write_bytes(b"not the published bytes")
    with pytest.raises(ModelCorrupt, match=r"capswriter models pull sensevoice-small$"):
        load("sensevoice-small")
    with pytest.raises(UserError, match="there is no model and no directory 'sensevoice-smal'"):
        load("sensevoice-smal")


def test_the_catalogue_names_engines_that_there_are():
    for spec in catalogue.load().values():
        names = [file.path for file in spec.files]
        assert spec.engine in {"whisper", "punctuation", *PREPARED}
        if spec.engine in PREPARED:
            assert {"model_quant.onnx", "model.int8.onnx"} & set(names)


def test_directories_are_found_from_where_one_is(tmp_path, monkeypatch):
    shutil.copytree(HERE / "paraformer" / "sherpa", tmp_path / "mine")
    monkeypatch.chdir(tmp_path)
    assert load("mine").traits.name == load("./mine").traits.name == "mine"


def test_punctuation_is_added_where_an_engine_gives_none():
    plain = load(HERE / "paraformer" / "timestamped")
    (folder, *_) = sorted(path.parent for path in PUNCTUATION.rglob("config.yaml"))
    punctuated = load(HERE / "paraformer" / "timestamped", punctuation=folder)
    samples = clip(10, 3)
    bare, marked = (each.transcribe(samples, Options()) for each in (plain, punctuated))
    assert not plain.traits.punctuates
    assert punctuated.traits.punctuates
    assert marked.text != bare.text
    assert without_marks(marked.text) == without_marks(bare.text)


def test_punctuation_is_not_added_where_an_engine_gives_it(tmp_path):
    engine = load(HERE / "sensevoice" / "funasr", punctuation=tmp_path / "nothing is read here")
    assert type(engine).__name__ == "SenseVoice"


def without_marks(text: str) -> str:
    return "".join(filter(str.isalnum, text)).lower()
