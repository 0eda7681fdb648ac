"""Paraformer, on small networks of random weights that funasr-onnx has been asked about.

``scripts/make_paraformer.py`` made them and their ``expected.json``. The output layers keep every
token far from a tie, so the ids hold for processors that round otherwise.
"""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import numpy as np
import onnx
import pytest
from engines.paraformer.clips import clip

from capswriter.engines import EngineFailed, Options, cif, load, paraformer
from capswriter.engines.features import Normalisation
from capswriter.engines.hotwords import NONE_OF_THEM
from capswriter.engines.paraformer import LONGEST, SEGMENT, Paraformer
from capswriter.engines.pieces import joined, language_of, read_vocabulary

FOLDER = Path(__file__).parent / "paraformer"
LAYOUTS = ("timestamped", "contextual", "sherpa")
EXPECTED = [
    pytest.param(layout, row, id=f"{layout}-{row['seconds']}s-{row.get('hotwords', '')}")
    for layout in LAYOUTS
    for row in json.loads((FOLDER / layout / "expected.json").read_text())["clips"]
]
TIMED = [case for case in EXPECTED if case.values[0] == "timestamped"]
RATE = 16_000
NARROW = b"<AddShift> 1 1\n<LearnRateCoef> 0 [ 0 0 ]\n<Rescale> 1 1\n<LearnRateCoef> 0 [ 1 1 ]\n"


@pytest.fixture(scope="module")
def engines() -> dict[str, Paraformer]:
    return {layout: load(FOLDER / layout) for layout in LAYOUTS}


@pytest.fixture(scope="module")
def timestamped(engines) -> Paraformer:
    return engines["timestamped"]


@pytest.fixture
def damaged(tmp_path):
    """Copy a model, without one of its files or with another content for it."""

    def copy(layout: str, name: str, content: bytes | None) -> Path:
        folder = tmp_path / layout
        shutil.copytree(FOLDER / layout, folder)
        (folder / name).unlink()
        if content is not None:
            (folder / name).write_bytes(content)
        return folder

    return copy


@pytest.mark.parametrize(("layout", "row"), EXPECTED)
def test_the_tokens_are_those_of_funasr(engines, layout, row):
    heard = engines[layout].hear(clip(row["seconds"], row["seed"]), row.get("hotwords", ""))
    assert heard.ids.tolist() == row["ids"]


@pytest.mark.parametrize(("layout", "row"), TIMED)
def test_the_times_are_those_of_funasr_to_the_millisecond(engines, layout, row):
    heard = engines[layout].hear(clip(row["seconds"], row["seed"]))
    # It cuts the decimals off, so 1.15 s, which is a little less in binary, is 1149 ms.
    assert (heard.spans * 1000).astype(int).tolist() == row["times"]


def test_the_clips_are_worth_comparing():
    assert len(TIMED) == 5
    for case in EXPECTED:
        _, row = case.values
        assert len(row["ids"]) >= 3 * row["seconds"] - 1, "four tokens a second are to be expected"
    ids = [index for case in EXPECTED for index in case.values[1]["ids"]]
    assert len(set(ids)) > 200, "two thirds of the 300 tokens occur"


@pytest.mark.parametrize(("layout", "row"), EXPECTED)
def test_a_transcript_is_its_tokens_in_the_time_of_the_audio(engines, layout, row):
    options = Options(prompt=row.get("hotwords", ""))
    transcript = engines[layout].transcribe(clip(row["seconds"], row["seed"]), options)
    assert "".join(token.text for token in transcript.tokens) == transcript.text
    assert transcript.text == transcript.text.strip()
    assert all(token.text for token in transcript.tokens)
    assert bool(transcript.text) == bool(row["ids"])
    starts = [token.start for token in transcript.tokens]
    assert starts == sorted(starts)
    assert all(0 <= token.start <= token.end <= row["seconds"] for token in transcript.tokens)


def test_pieces_become_words(timestamped):
    row = TIMED[1].values[1]
    transcript = timestamped.transcribe(clip(row["seconds"], row["seed"]), Options())
    vocabulary = read_vocabulary(FOLDER / "timestamped" / "tokens.json")
    assert [vocabulary[index] for index in row["ids"]] == ["f", "bfs", "ab@@"]
    assert [token.text for token in transcript.tokens] == ["f", " bfs", " ab"]
    assert transcript.language == "en"
    spans = [(token.start, token.end) for token in transcript.tokens]
    assert spans == [(0.21, 0.47), (0.47, 0.73), (0.73, 1.0)]


def test_hotwords_change_what_is_heard(engines):
    samples = clip(3, 0)
    without = engines["contextual"].hear(samples)
    prompted = engines["contextual"].hear(samples, "一丁")
    again = engines["contextual"].hear(samples)
    assert without.ids.tolist() == again.ids.tolist() != prompted.ids.tolist()


@pytest.mark.parametrize("prompt", ["一丁,七", " 一丁  七 ", "一丁，七\n", "一丁、七"])
def test_hotwords_stand_between_spaces_and_commas(engines, prompt):
    ids = {token: index for index, token in enumerate(engines["contextual"]._vocabulary)}
    rows = engines["contextual"]._hotwords.tokens(prompt)
    assert rows == [[ids["一"], ids["丁"]], [ids["七"]], [NONE_OF_THEM]]


def test_hotwords_may_be_long_unknown_or_in_capitals(engines):
    vocabulary = engines["contextual"]._vocabulary
    rows = engines["contextual"]._hotwords.tokens("ABC ééé 一二三四五六七八九十百千万")
    assert rows[0] == [vocabulary.index(letter) for letter in "abc"]
    assert {vocabulary[index] for index in rows[1]} == {"<unk>"}
    assert len(rows[2]) == 10
    assert engines["contextual"].hear(clip(1, 0), "一" * 500 + " 龘" * 500).ids.size


def test_hotwords_are_no_error_for_a_network_that_takes_none(timestamped):
    samples = clip(1, 8)
    assert timestamped.hear(samples, "一丁").ids.tolist() == timestamped.hear(samples).ids.tolist()


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("length", [0, 1, 100, 399, 400, 1600])
@pytest.mark.parametrize("level", [0.0, 0.1])
def test_hardly_any_audio_is_no_error(engines, layout, length, level, capfd):
    noise = np.random.default_rng(3).normal(0, level, length).astype(np.float32)
    transcript = engines[layout].transcribe(noise, Options())
    assert len(transcript.tokens) <= 1
    if length < 400:
        assert (transcript.text, transcript.language, transcript.tokens) == ("", "", ())
    assert capfd.readouterr().err == ""


def test_a_second_more_than_the_most_is_refused(timestamped):
    limit = round(LONGEST * RATE)
    assert timestamped.transcribe(np.zeros(limit, np.float32), Options()) is not None
    with pytest.raises(EngineFailed, match=r"^31\.0 s of audio at once; paraformer takes 30 s$"):
        timestamped.transcribe(np.zeros(limit + RATE, np.float32), Options())


def test_a_language_it_does_not_know_is_refused(timestamped):
    with pytest.raises(EngineFailed, match=r"^language 'ja' is not one of: auto, en, zh$"):
        timestamped.transcribe(clip(1, 8), Options(language="ja"))
    assert timestamped.transcribe(clip(1, 8), Options(language="zh")).text


def test_what_the_text_has_not_is_said(engines):
    for layout, engine in engines.items():
        assert engine.traits.name == layout
        assert engine.traits.maximum == SEGMENT
        assert engine.traits.languages == {"zh", "en"}
        assert not engine.traits.punctuates
        assert not engine.traits.normalises


@pytest.mark.parametrize(
    ("layout", "name", "content"),
    [
        ("timestamped", "model_quant.onnx", b""),
        ("timestamped", "model_quant.onnx", bytes(100_000)),
        ("timestamped", "am.mvn", None),
        ("timestamped", "am.mvn", b"<Nnet>\n</Nnet>\n"),
        ("timestamped", "am.mvn", NARROW),
        ("timestamped", "am.mvn", b"<AddShift> 1 1\n<LearnRateCoef> 0 [ x ]\n"),
        ("timestamped", "tokens.json", b"{"),
        ("timestamped", "tokens.json", b'{"a": 1}'),
        ("timestamped", "tokens.json", b'["<blank>", "<s>", "</s>"]'),
        ("timestamped", "tokens.json", b"\xff\xfe"),
        ("timestamped", "config.yaml", None),
        ("timestamped", "config.yaml", b"[: broken"),
        ("timestamped", "config.yaml", b"text"),
        ("timestamped", "config.yaml", b"model_conf: 5"),
        ("contextual", "model_eb_quant.onnx", None),
        ("contextual", "model_eb_quant.onnx", b"no network"),
        ("sherpa", "tokens.txt", b"a 0\nb 7\n"),
        ("sherpa", "tokens.txt", b""),
    ],
)
def test_a_missing_or_broken_file_is_said_in_one_line(damaged, layout, name, content):
    folder = damaged(layout, name, content)
    with pytest.raises(EngineFailed) as refusal:
        load(folder)
    assert str(refusal.value).startswith(f"the model in {folder} cannot be loaded: ")
    assert "\n" not in str(refusal.value)


def test_a_network_of_another_kind_is_refused(damaged):
    folder = damaged("timestamped", "am.mvn", b"")
    shutil.copy(FOLDER / "contextual" / "model_eb_quant.onnx", folder / "model_quant.onnx")
    with pytest.raises(EngineFailed, match=r"it is no Paraformer$"):
        load(folder)


def test_a_failure_of_the_network_is_no_silence(timestamped, monkeypatch):
    """Fewer numbers than the network takes are what a wrong am.mvn would give."""
    narrow = Normalisation(np.zeros(560), np.ones(560))
    monkeypatch.setattr(timestamped, "_normalisation", lambda inputs: narrow(inputs)[:, :280])
    with pytest.raises(EngineFailed, match=r"^timestamped could not recognise it: .+") as failure:
        timestamped.transcribe(clip(1, 8), Options())
    assert "\n" not in str(failure.value)


def test_a_network_that_finds_no_token_hears_nothing(damaged, monkeypatch):
    """Wherever it fails then: older exports than these may fail elsewhere."""
    folder = damaged("timestamped", "expected.json", None)
    graph = onnx.load(folder / "model_quant.onnx")
    (bias,) = (row for row in graph.graph.initializer if row.name == "predictor.cif_output.bias")
    bias.CopyFrom(onnx.numpy_helper.from_array(np.full(1, -50, np.float32), bias.name))
    onnx.save(graph, folder / "model_quant.onnx")
    monkeypatch.setattr(paraformer, "NO_ELEMENTS", re.compile("no error says this"))
    deaf = load(folder)
    assert deaf.transcribe(clip(3, 0), Options()).text == ""


def test_sherpas_layout_with_times_has_them(tmp_path, timestamped):
    """The large export for sherpa-onnx gives the times too; its signs of the end are </s>."""
    facts = onnx.load(FOLDER / "sherpa" / "model.int8.onnx").metadata_props
    graph = onnx.load(FOLDER / "timestamped" / "model_quant.onnx")
    graph.metadata_props.extend(facts)
    onnx.save(graph, tmp_path / "model.int8.onnx")
    shutil.copy(FOLDER / "sherpa" / "tokens.txt", tmp_path)
    row = TIMED[3].values[1]
    samples = clip(row["seconds"], row["seed"])
    theirs, ours = timestamped.hear(samples), load(tmp_path).hear(samples)
    # Without a sign of the end, the last token ends with the audio and not where the end fires.
    assert ours.ids.tolist()[:-1] == theirs.ids.tolist()
    assert ours.spans[:-2].tolist() == theirs.spans[:-1].tolist()
    assert ours.spans[-1, 0] == ours.spans[-2, 1]
    assert ours.spans[-1, 1] == pytest.approx(10, abs=0.08)


def test_without_times_the_audio_is_divided_evenly(engines):
    row = next(case.values[1] for case in EXPECTED if case.id == "sherpa-3s-")
    heard = engines["sherpa"].hear(clip(3, row["seed"]))
    edges = np.linspace(0, 3, len(row["ids"]) + 1)
    assert heard.spans == pytest.approx(np.stack([edges[:-1], edges[1:]], axis=1))


def test_times_do_not_depend_on_the_tokens_that_are_no_text(timestamped):
    logits = np.full((5, 300), -9.0, np.float32)
    logits[range(5), [7, 0, 8, 2, 9]] = 0
    positions, ids = timestamped._decode(logits, 5)
    assert (positions.tolist(), ids.tolist()) == ([0, 2, 4], [7, 8, 9])


def test_the_time_of_a_blank_belongs_to_no_token(damaged, timestamped):
    row = TIMED[2].values[1]
    blank = row["ids"][4]
    folder = damaged("timestamped", "expected.json", None)
    graph = onnx.load(folder / "model_quant.onnx")
    (product,) = (node for node in graph.graph.node if node.name.endswith("output_layer/MatMul"))
    held = {tensor.name: tensor for tensor in graph.graph.initializer}
    for tensor in (held[product.input[1]], held["decoder.model.output_layer.bias"]):
        weights = onnx.numpy_helper.to_array(tensor).copy()
        weights[..., [0, blank]] = weights[..., [blank, 0]]
        tensor.CopyFrom(onnx.numpy_helper.from_array(weights, tensor.name))
    onnx.save(graph, folder / "model_quant.onnx")
    samples = clip(row["seconds"], row["seed"])
    heard, whole = load(folder).hear(samples), timestamped.hear(samples)
    assert heard.ids.tolist()[:-1] == [index for index in row["ids"] if index != blank]
    assert heard.spans[:-2].tolist() == [*whole.spans[:4].tolist(), *whole.spans[5:-1].tolist()]


def test_sherpas_tokens_end_with_the_first_end(engines):
    logits = np.full((5, 300), -9.0, np.float32)
    logits[range(5), [7, 0, 8, 2, 9]] = 0
    positions, ids = engines["sherpa"]._decode(logits, 5)
    assert (positions.tolist(), ids.tolist()) == ([0, 2], [7, 8])


def sums(frames: int, *fires: int) -> np.ndarray:
    row = np.full(frames, 0.5, np.float32)
    row[list(fires)] = 1.0
    return row


def test_a_token_ends_where_the_next_one_begins():
    # Three frames at the end are no silence: the last token ends with the audio.
    assert cif.spans(sums(60, 10, 20, 58), 2) == pytest.approx(
        np.array([[0.17, 0.37], [0.37, 1.2]])
    )


def test_half_of_the_silence_at_the_end_belongs_to_the_last_token():
    assert cif.spans(sums(100, 10, 20), 1)[0].tolist() == pytest.approx([0.17, (100 + 18.5) / 100])


def test_a_long_pause_belongs_to_no_token():
    assert cif.spans(sums(200, 10, 100, 199), 2)[0].tolist() == pytest.approx([0.17, 0.77])


def test_the_last_token_ends_with_the_audio_where_no_end_fires():
    assert cif.spans(sums(60, 10, 20), 2) == pytest.approx(np.array([[0.17, 0.37], [0.37, 1.2]]))


@pytest.mark.parametrize("fires", [(), (10,), (10, 20)])
def test_fewer_fires_than_tokens_tell_no_times(fires):
    assert cif.spans(sums(60, *fires), 3) is None


@pytest.mark.parametrize(
    ("pieces", "text"),
    [
        ([], ""),
        (["你", "好"], "你好"),
        (["he@@", "llo", "world"], "hello world"),
        (["he@@", "l@@", "lo"], "hello"),
        (["我", "用", "py@@", "thon", "写"], "我用python写"),
        (["一", "2", "3", "go"], "一23go"),
        (["go", "2", "go"], "go2go"),
        (["c", "t", "o"], "CTO"),
        (["the", "c", "t", "o", "said"], "the CTO said"),
        (["是", "a", "i", "吗"], "是AI吗"),
        (["i", "am", "a", "man"], "i am a man"),
        (["a", "我", "b"], "a我b"),
        (["b@@", "c", "d"], "bc d"),
        (["it's", "o'clock"], "it's o'clock"),
        (["<s>", "好", "<unk>", "的", "</s>", "<blank>"], "好的"),
        (["go", "<unk>", "on"], "go on"),
        (["a", "<unk>", "b"], "AB"),
        (["fin@@"], "fin"),
        (["fin@@", "好", "end"], "fin好end"),
        (["@@", "好"], "好"),
        (["été", "là"], "été là"),
    ],
)
def test_pieces_are_joined(pieces, text):
    texts = joined(pieces)
    assert len(texts) == len(pieces)
    assert "".join(texts) == text


@pytest.mark.parametrize(
    ("pieces", "text"),
    [
        (["▁he", "llo", "▁world"], "hello world"),
        (["▁i", "'", "m"], "i'm"),
        (["▁a", "▁b"], "a b"),
        (["▁", "he", "▁", "go"], "he go"),
        (["你", "▁ok", "好"], "你ok好"),
    ],
)
def test_pieces_that_mark_where_words_begin_are_joined(pieces, text):
    assert "".join(joined(pieces, begins=True)) == text


@pytest.mark.parametrize(
    ("text", "language"),
    [("", ""), ("你好", "zh"), ("hello", "en"), ("用python", "zh"), ("12", ""), ("㐀", "zh")],
)
def test_the_language_is_told_by_the_letters(text, language):
    assert language_of(text) == language


def test_a_vocabulary_of_either_kind_is_read():
    listed = read_vocabulary(FOLDER / "timestamped" / "tokens.json")
    assert listed == read_vocabulary(FOLDER / "sherpa" / "tokens.txt")
    assert listed[:3] == ["<blank>", "<s>", "</s>"]
