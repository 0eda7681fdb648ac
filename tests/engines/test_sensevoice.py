"""SenseVoice, on a small network of random weights that funasr-onnx has been asked about.

``scripts/make_sensevoice.py`` made it and its ``expected.json``. The output layer keeps every token
far from a tie, so the ids hold for processors that round otherwise.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from engines.paraformer.clips import clip
from recordings import samples_of

from capswriter.engines import EngineFailed, Options, load, sensevoice
from capswriter.engines.ctc import Labels, decode
from capswriter.engines.graph import prepared
from capswriter.engines.pieces import read_vocabulary
from capswriter.engines.sensevoice import LONGEST, SEGMENT, SenseVoice
from capswriter.engines.sensevoice_text import transcript_of
from capswriter.transcript import Transcript

FOLDER = Path(__file__).parent / "sensevoice"
LAYOUTS = ("funasr", "sherpa")
NETWORKS = {"funasr": "model_quant.onnx", "sherpa": "model.int8.onnx"}
ROWS = json.loads((FOLDER / "funasr" / "expected.json").read_text())["clips"]
EXPECTED = [
    pytest.param(row, id=f"{row['seconds']}s-{row['language']}-{'itn' if row['itn'] else 'plain'}")
    for row in ROWS
]
VOCABULARY = read_vocabulary(FOLDER / "funasr" / "tokens.json")
RATE = 16_000
BPE = "chn_jpn_yue_eng_ko_spectok.bpe.model"


@pytest.fixture(scope="module")
def engines() -> dict[str, SenseVoice]:
    return {layout: load(FOLDER / layout) for layout in LAYOUTS}


@pytest.fixture(scope="module")
def unprepared() -> dict[str, SenseVoice]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(prepared, "find_or_make", lambda *_: None)
        return {layout: load(FOLDER / layout) for layout in LAYOUTS}


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


def asked(row) -> tuple[np.ndarray, Options]:
    return clip(row["seconds"], row["seed"]), Options(language=row["language"], itn=row["itn"])


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("row", EXPECTED)
def test_the_labels_are_those_of_funasr(engines, layout, row):
    assert engines[layout].hear(*asked(row)).ids.tolist() == row["ids"]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_models_are_prepared_and_hear_the_same_unprepared(engines, unprepared, layout):
    assert prepared.state(FOLDER / layout / NETWORKS[layout]) == "prepared"
    for row in ROWS:
        ours, theirs = engines[layout].hear(*asked(row)), unprepared[layout].hear(*asked(row))
        for one, other in zip(ours, theirs, strict=True):
            assert one.tolist() == other.tolist()


def test_the_clips_are_worth_comparing():
    assert {row["language"] for row in ROWS} == set(sensevoice.LANGUAGES)
    assert {row["itn"] for row in ROWS} == {True, False}
    assert {row["seconds"] for row in ROWS} == {0.1, 1, 3, 10, 30}
    assert sum(len(row["ids"]) for row in ROWS) > 800
    assert len({index for row in ROWS for index in row["ids"]}) > 150


@pytest.mark.parametrize("name", ["tokens.json", BPE])
def test_either_vocabulary_tells_the_same_text(damaged, engines, name):
    other = {"tokens.json": BPE, BPE: "tokens.json"}[name]
    engine = load(damaged("funasr", other, None))
    for row in ROWS[:4]:
        assert engine.transcribe(*asked(row)) == engines["funasr"].transcribe(*asked(row))


@pytest.mark.parametrize("row", EXPECTED)
def test_a_transcript_is_its_tokens_in_the_time_of_the_audio(engines, row):
    transcript = engines["funasr"].transcribe(*asked(row))
    assert "".join(token.text for token in transcript.tokens) == transcript.text
    assert transcript.text == transcript.text.strip()
    assert "<|" not in transcript.text
    assert "▁" not in transcript.text
    assert len(transcript.tokens) == sum(bool(text_of(index)) for index in row["ids"])
    starts = [token.start for token in transcript.tokens]
    assert starts == sorted(starts)
    assert all(0 <= token.start <= token.end <= row["seconds"] for token in transcript.tokens)
    assert transcript == engines["sherpa"].transcribe(*asked(row))


def text_of(index: int) -> str:
    piece = VOCABULARY[index]
    return "" if piece.startswith("<") else piece.replace("▁", "").strip()


@pytest.mark.parametrize(
    ("seconds", "asked_for", "told"),
    [
        (0.1, "auto", ("", "", "")),
        (1, "auto", ("zh", "happy", "speech")),
        (1, "ko", ("ko", "happy", "speech")),
        (3, "zh", ("zh", "sad", "speech")),
        (3, "auto", ("ja", "neutral", "speech")),
        (10, "en", ("en", "neutral", "music")),
        (10, "auto", ("en", "angry", "laughter")),
        (30, "auto", ("yue", "surprised", "applause")),
    ],
)
def test_tags_tell_language_emotion_and_event(engines, seconds, asked_for, told):
    row = next(row for row in ROWS if (row["seconds"], row["language"]) == (seconds, asked_for))
    transcript = engines["funasr"].transcribe(*asked(row))
    assert (transcript.language, transcript.emotion, transcript.event) == told


def test_a_token_begins_at_its_frame_after_those_of_the_tags(engines):
    samples, options = asked(ROWS[-1])
    labels = engines["funasr"].hear(samples, options)
    transcript = engines["funasr"].transcribe(samples, options)
    frames = [
        start
        for index, start in zip(labels.ids.tolist(), labels.starts.tolist(), strict=True)
        if start >= 4 and text_of(index)
    ]
    assert [token.start for token in transcript.tokens] == pytest.approx(
        [0.06 * (frame - 4) for frame in frames]
    )
    assert transcript.tokens[-1].start > 25, "they go on to the end of the 30 s"


def told(*pieces: str, frames: int = 1, gap: int = 0):
    """What a network says that tells these pieces, each for some frames, after its tags."""
    tags = ["<|zh|>", "<|NEUTRAL|>", "<|Speech|>", "<|withitn|>"]
    vocabulary = [*tags, *dict.fromkeys(pieces)]
    starts = [*range(4), *(4 + index * (frames + gap) for index in range(len(pieces)))]
    stops = [start + (1 if start < 4 else frames) for start in starts]
    ids = [vocabulary.index(piece) for piece in (*tags, *pieces)]
    return transcript_of(Labels(*map(np.array, (ids, starts, stops))), vocabulary, 10.0)


@pytest.mark.parametrize(
    ("pieces", "text"),
    [
        (["▁he", "llo", "▁wor", "ld"], "hello world"),
        (["你", "好"], "你好"),
        (["▁", "你", "▁", "好", "▁"], "你好"),
        (["▁你", "▁好"], "你好"),
        (["▁か", "な"], "かな"),
        (["我", "用", "▁python", "写"], "我用 python写"),
        (["▁ok", "▁好"], "ok 好"),
        (["好", "ok", "好"], "好ok好"),
        (["▁안녕", "하", "▁세", "요"], "안녕하 세요"),
        (["▁it", "'", "s", ",", "▁so"], "it's, so"),
        (["你", "，", "▁好", "。"], "你， 好。"),
        (["<unk>", "▁go", "<s>", "</s>", "▁on"], "go on"),
        (["▁go", "<|zh|>", "ne"], "gone"),
        (["<|Cough|>"], ""),
        ([], ""),
    ],
)
def test_pieces_are_joined(pieces, text):
    transcript = told(*pieces)
    assert transcript.text == "".join(token.text for token in transcript.tokens) == text


def test_a_token_ends_where_the_next_begins_or_a_little_after_its_last_frame():
    near = told("一", "二", frames=2)
    assert [(token.start, token.end) for token in near.tokens] == [
        pytest.approx((0, 0.12)),
        pytest.approx((0.12, 0.24 + 0.3)),
    ]
    far = told("一", "二", frames=2, gap=20)
    assert (far.tokens[0].start, far.tokens[0].end) == pytest.approx((0, 0.12 + 0.3))


def test_a_tag_that_comes_late_tells_nothing_and_is_no_text():
    late = told("一", "<|HAPPY|>", "<|en|>", "二")
    assert (late.language, late.emotion, late.text) == ("zh", "neutral", "一二")


def test_repeats_are_joined_and_blanks_left_out():
    scores = np.eye(4)[[0, 1, 1, 0, 1, 2, 2, 3, 0]]
    labels = decode(scores)
    assert labels.ids.tolist() == [1, 1, 2, 3]
    assert labels.starts.tolist() == [1, 4, 5, 7]
    assert labels.stops.tolist() == [3, 5, 7, 8]
    assert decode(np.zeros((0, 4))).ids.tolist() == []
    assert decode(np.eye(4)[[2]]).stops.tolist() == [1]


def test_a_network_that_tells_nothing_at_all_has_heard_nothing():
    blanks = np.zeros((9, len(VOCABULARY)), np.float32)
    blanks[:, 0] = 1
    assert transcript_of(decode(blanks), VOCABULARY, 0.3) == Transcript("")


def test_what_is_asked_for_reaches_the_network(engines):
    samples = clip(1, 1)
    heard = {
        (language, itn): tuple(
            VOCABULARY[index]
            for index in engines["funasr"]
            .hear(samples, Options(language=language, itn=itn))
            .ids[:4]
        )
        for language in ("zh", "en", "yue", "ja", "ko")
        for itn in (True, False)
    }
    for (language, itn), tags in heard.items():
        assert tags[0] == f"<|{language}|>"
        assert tags[3] == ("<|withitn|>" if itn else "<|woitn|>")


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("length", [0, 1, 100, 399, 400, 1600])
@pytest.mark.parametrize("level", [0.0, 0.1])
def test_hardly_any_audio_is_no_error(engines, layout, length, level, capfd):
    noise = np.random.default_rng(3).normal(0, level, length).astype(np.float32)
    transcript = engines[layout].transcribe(noise, Options())
    assert len(transcript.tokens) <= 2
    assert all(0 <= token.start <= token.end <= length / RATE for token in transcript.tokens)
    assert capfd.readouterr().err == ""


def test_a_second_more_than_the_most_is_refused(engines):
    limit = round(LONGEST * RATE)
    assert engines["funasr"].transcribe(np.zeros(limit, np.float32), Options()) is not None
    with pytest.raises(EngineFailed, match=r"^31\.0 s of audio at once; sensevoice takes 30 s$"):
        engines["funasr"].transcribe(np.zeros(limit + RATE, np.float32), Options())


def test_a_language_it_does_not_know_is_refused(engines):
    known = r"^language 'fr' is not one of: auto, zh, en, yue, ja, ko$"
    with pytest.raises(EngineFailed, match=known):
        engines["funasr"].transcribe(clip(1, 1), Options(language="fr"))


def test_hotwords_are_no_error_for_a_network_that_takes_none(engines):
    samples = clip(1, 1)
    prompted = engines["funasr"].transcribe(samples, Options(prompt="一丁"))
    assert prompted == engines["funasr"].transcribe(samples, Options())


def test_what_the_text_has_is_said(engines):
    for layout, engine in engines.items():
        assert engine.traits.name == layout
        assert engine.traits.maximum == SEGMENT
        assert engine.traits.languages == {"zh", "en", "yue", "ja", "ko"}
        assert engine.traits.punctuates
        assert engine.traits.normalises


@pytest.mark.parametrize(
    ("layout", "name", "content"),
    [
        ("funasr", "model_quant.onnx", b""),
        ("funasr", "model_quant.onnx", bytes(100_000)),
        ("funasr", "am.mvn", None),
        ("funasr", "am.mvn", b"<Nnet>\n</Nnet>\n"),
        ("funasr", "am.mvn", b"<AddShift> 1 1\n<LearnRateCoef> 0 [ x ]\n"),
        ("funasr", "tokens.json", b"{"),
        ("funasr", "tokens.json", b'{"a": 1}'),
        ("funasr", "tokens.json", b'["<unk>", "<s>", "</s>"]'),
        ("funasr", "tokens.json", b"\xff\xfe"),
        ("sherpa", "tokens.txt", None),
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


def test_a_broken_tokenizer_is_said_in_one_line(damaged):
    folder = damaged("funasr", "tokens.json", None)
    (folder / BPE).write_bytes(b"no sentencepiece model")
    with pytest.raises(EngineFailed, match=r"cannot be loaded: [^\n]+$"):
        load(folder)


def test_a_network_of_another_kind_is_refused(damaged):
    folder = damaged("funasr", "model_quant.onnx", None)
    paraformer = Path(__file__).parent / "paraformer" / "timestamped" / "model_quant.onnx"
    shutil.copy(paraformer, folder)
    with pytest.raises(EngineFailed, match=r"cannot be loaded: [^\n]+$"):
        load(folder)


def test_a_normalisation_of_another_width_is_refused(damaged):
    narrow = b"<AddShift> 1 1\n<LearnRateCoef> 0 [ 0 ]\n<Rescale> 1 1\n<LearnRateCoef> 0 [ 1 ]\n"
    with pytest.raises(EngineFailed, match=r"it does not normalise features of 560 numbers$"):
        load(damaged("funasr", "am.mvn", narrow))


def test_a_failure_of_the_network_is_one_line(engines, monkeypatch):
    engine = engines["funasr"]
    monkeypatch.setattr(engine, "_normalisation", lambda inputs: inputs[:, :280])
    with pytest.raises(EngineFailed, match=r"^funasr could not recognise it: .+") as failure:
        engine.transcribe(clip(1, 1), Options())
    assert "\n" not in str(failure.value)


@pytest.mark.speech
def test_both_layouts_agree_on_recordings(engines, speech):
    for path in sorted([*speech.glob("*.wav"), *speech.glob("*.flac")]):
        samples = samples_of(path)[: round(LONGEST * RATE)]
        one, other = (engines[layout].transcribe(samples, Options()) for layout in LAYOUTS)
        assert one == other
        assert one.tokens
        assert one.tokens[-1].end <= len(samples) / RATE
