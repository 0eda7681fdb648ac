"""The shipped catalogue is whole, and unknown names are answered usefully."""

import re
from pathlib import Path

import pytest

from capswriter.errors import UsageError
from capswriter.models import catalogue, hub, modelscope
from capswriter.models.catalogue import HubSource, ModelScopeSource, WheelSource

SHIPPED = catalogue.load()

HF = "https://huggingface.co"
MIRROR = "https://hf-mirror.com"
WHISPER = "Systran/faster-whisper-base/resolve/ebe41f70d5b6dfa9166e2c581c45c9c0cfc57b66"
SENSEVOICE = (
    "csukuangfj/sherpa-onnx-sense-voice-zh-en-ja-ko-yue-2024-07-17/resolve"
    "/2365baeacb507f821a0c8120fcee3d484dba7a07"
)
PARAFORMER = (
    "csukuangfj/sherpa-onnx-paraformer-zh-2023-09-14/resolve"
    "/def027084691107096b5ebba69785756d63de6c5"
)
SMALL = (
    "csukuangfj/sherpa-onnx-paraformer-zh-small-2024-03-09/resolve"
    "/63ddc3cd0f2810b68289a7b3876e62ef5d53d6df"
)
IIC = "https://www.modelscope.cn/api/v1/models/iic"
LARGE = (
    f"{IIC}/speech_paraformer-large-vad-punc_asr_nat-zh-cn-16k-common-vocab8404-onnx"
    "/repo?Revision=v2.0.5&FilePath="
)
CONTEXTUAL = (
    f"{IIC}/speech_paraformer-large-contextual_asr_nat-zh-cn-16k-common-vocab8404-onnx"
    "/repo?Revision=8f0881c891ceba7360e215b04e54cad564a68c41&FilePath="
)
PUNCTUATION = f"{IIC}/punc_ct-transformer_zh-cn-common-vad_realtime-vocab272727-onnx/repo?Revision="

URLS = {
    "whisper-base": [
        f"{HF}/{WHISPER}/model.bin",
        f"{HF}/{WHISPER}/config.json",
        f"{HF}/{WHISPER}/tokenizer.json",
        f"{HF}/{WHISPER}/vocabulary.txt",
        f"{MIRROR}/{WHISPER}/model.bin",
        f"{MIRROR}/{WHISPER}/config.json",
        f"{MIRROR}/{WHISPER}/tokenizer.json",
        f"{MIRROR}/{WHISPER}/vocabulary.txt",
    ],
    "sensevoice-small": [
        f"{IIC}/SenseVoiceSmall-onnx/repo?Revision=v2.0.5&FilePath=model_quant.onnx",
        f"{IIC}/SenseVoiceSmall-onnx/repo?Revision=v2.0.5&FilePath=am.mvn",
        f"{IIC}/SenseVoiceSmall-onnx/repo?Revision=v2.0.5&FilePath=tokens.json",
        f"{IIC}/SenseVoiceSmall-onnx/repo?Revision=v2.0.5&FilePath=config.yaml",
        f"{IIC}/SenseVoiceSmall/repo?Revision=master&FilePath=chn_jpn_yue_eng_ko_spectok.bpe.model",
    ],
    "sensevoice-small-sherpa": [
        f"{HF}/{SENSEVOICE}/model.int8.onnx",
        f"{HF}/{SENSEVOICE}/tokens.txt",
        f"{MIRROR}/{SENSEVOICE}/model.int8.onnx",
        f"{MIRROR}/{SENSEVOICE}/tokens.txt",
    ],
    "paraformer-large": [
        f"{LARGE}model_quant.onnx",
        f"{LARGE}am.mvn",
        f"{LARGE}tokens.json",
        f"{LARGE}config.yaml",
    ],
    "paraformer-large-sherpa": [
        f"{HF}/{PARAFORMER}/model.int8.onnx",
        f"{HF}/{PARAFORMER}/tokens.txt",
        f"{MIRROR}/{PARAFORMER}/model.int8.onnx",
        f"{MIRROR}/{PARAFORMER}/tokens.txt",
    ],
    "paraformer-contextual": [
        f"{CONTEXTUAL}model_quant.onnx",
        f"{CONTEXTUAL}model_eb.onnx",
        f"{CONTEXTUAL}am.mvn",
        f"{CONTEXTUAL}tokens.json",
        f"{CONTEXTUAL}config.yaml",
        f"{CONTEXTUAL}seg_dict",
    ],
    "paraformer-small": [
        f"{HF}/{SMALL}/model.int8.onnx",
        f"{HF}/{SMALL}/tokens.txt",
        f"{MIRROR}/{SMALL}/model.int8.onnx",
        f"{MIRROR}/{SMALL}/tokens.txt",
    ],
    "punctuation": [
        f"{PUNCTUATION}d6096836258bf2beaf101b4fd0c7dcefb6d95e56&FilePath=model_quant.onnx",
        f"{PUNCTUATION}v2.0.5&FilePath=model_quant.onnx",
        f"{PUNCTUATION}v2.0.5&FilePath=tokens.json",
        f"{PUNCTUATION}v2.0.5&FilePath=config.yaml",
    ],
}
"""Every address that the hubs may be asked for, in the order of asking."""


def addresses(spec):
    for source in spec.sources:
        if isinstance(source, WheelSource):
            continue
        kind = hub if isinstance(source, HubSource) else modelscope
        for endpoint in kind.endpoints(source):
            for file in spec.files:
                if source.gives(file.path):
                    yield kind.file_url(endpoint, source, file.path)


def test_the_addresses_are_those_that_are_written_here():
    assert {name: list(addresses(spec)) for name, spec in SHIPPED.items()} == URLS


def test_the_listing_of_a_repository_has_the_documented_address():
    source = SHIPPED["paraformer-large"].sources[0]
    assert modelscope.listing_url(source.endpoints[0], source) == (
        f"{IIC}/speech_paraformer-large-vad-punc_asr_nat-zh-cn-16k-common-vocab8404-onnx"
        "/repo/files?Revision=v2.0.5&Recursive=true"
    )


def test_whisper_base_is_pinned_to_the_published_hash():
    spec = catalogue.find("whisper-base")
    assert spec.engine == "whisper"
    assert [file.size for file in spec.files] == [145_217_532, 2_309, 2_203_239, 459_861]
    assert spec.size_mb == 148
    assert spec.files[0].sha256.startswith("d01c3014881c")
    assert [type(source) for source in spec.sources] == [HubSource, WheelSource]
    assert {"zh", "en"} < set(spec.languages)


@pytest.mark.parametrize("spec", SHIPPED.values(), ids=SHIPPED)
def test_an_entry_is_complete(spec):
    assert spec.engine in {"whisper", "sensevoice", "paraformer", "punctuation"}
    assert spec.recognises == (spec.engine != "punctuation")
    assert spec.languages
    assert spec.licence
    assert len(spec.description) < 90
    for file in spec.files:
        assert file.sha256 is None or re.fullmatch(r"[0-9a-f]{64}", file.sha256)
        assert file.size is None or file.size > 0
        assert any(source.gives(file.path) for source in spec.sources)
    for source in spec.sources:
        assert isinstance(source, WheelSource) or set(source.files) <= {
            file.path for file in spec.files
        }


def test_the_files_whose_hash_is_not_published_are_few():
    assert {
        name: unknown
        for name, spec in SHIPPED.items()
        if (unknown := [file.path for file in spec.files if not file.pinned])
    } == {
        "paraformer-large": ["model_quant.onnx", "am.mvn", "tokens.json", "config.yaml"],
        "punctuation": ["config.yaml"],
    }
    assert SHIPPED["paraformer-large"].size_mb == 240
    assert {type(source) for source in SHIPPED["paraformer-large"].sources} == {ModelScopeSource}


def test_the_documentation_lists_every_model_as_it_is():
    page = (Path(__file__).parents[2] / "docs" / "models.md").read_text(encoding="utf-8")
    rows = [re.split(r" *\| *", line)[1:-1] for line in page.splitlines() if line.startswith("| `")]
    described = {row[0].strip("`"): row[1:] for row in rows if len(row) == 7}
    assert list(described) == list(SHIPPED)
    for name, (engine, _, download, worker, files, licence) in described.items():
        spec = SHIPPED[name]
        about = "about " if spec.about_mb else ""
        assert (engine, int(files)) == (spec.engine, len(spec.files))
        assert download == f"{about}{spec.size_mb} MB"
        assert worker == f"{spec.memory_mb:,} MB"
        assert spec.licence in licence


def test_one_is_recommended():
    assert [name for name, spec in SHIPPED.items() if "recommended" in spec.description] == [
        "sensevoice-small"
    ]


@pytest.mark.parametrize("left_out", ["size", "sha256"])
def test_a_file_without_a_hash_is_refused_from_sources_that_tell_none(tiny, left_out):
    text = tiny.catalogue_path.read_text()
    text = re.sub(rf", {left_out} = [^ ,]+", "", text, count=1)
    tiny.catalogue_path.write_text(text)
    with pytest.raises(ValueError, match=r"tiny: model\.bin has no hash"):
        catalogue.load(tiny.catalogue_path)


def test_a_file_that_no_source_gives_is_refused(scoped):
    text = scoped.catalogue_path.read_text().replace('files = ["tokens.model"]', 'files = ["x"]')
    scoped.catalogue_path.write_text(text)
    with pytest.raises(ValueError, match=r"no source gives tokens\.model"):
        catalogue.load(scoped.catalogue_path)


def test_a_source_with_an_unknown_key_is_refused(scoped):
    text = scoped.catalogue_path.read_text().replace("endpoints", "endpoint")
    scoped.catalogue_path.write_text(text)
    with pytest.raises(TypeError, match="endpoint"):
        catalogue.load(scoped.catalogue_path)


def test_an_unknown_name_lists_the_known_ones():
    with pytest.raises(UsageError, match=r"no model 'wisper'; the models are: .*whisper-base"):
        catalogue.find("wisper")


def test_a_source_of_no_known_kind_is_refused(tiny):
    text = tiny.catalogue_path.read_text().replace('kind = "hub"', 'kind = "tape"')
    tiny.catalogue_path.write_text(text)
    with pytest.raises(ValueError, match="tape"):
        catalogue.load(tiny.catalogue_path)
