# ruff: noqa: RUF001, RUF003
import json
import logging
import shutil
from itertools import pairwise
from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from capswriter.engines import EngineFailed, Options, Traits
from capswriter.engines.marks import HALF_WIDTH, punctuated, words_of
from capswriter.engines.punctuation import Punctuated, load
from capswriter.transcript import Token, Transcript

# Made by scripts/make_punctuation.py with FunASR's classes; expected.json is what funasr-onnx 0.4.3
# answered. Its offline class ends each text, its real-time one leaves the end open.
FIXTURE = Path(__file__).parent / "punctuation"
EXPECTED = json.loads((FIXTURE / "expected.json").read_text(encoding="utf-8"))
RECORDS = [(build, record) for build, records in EXPECTED.items() for record in records]
PURELY_CHINESE = {"one character", "Chinese", "no end for 200 characters"} | {
    f"{count} characters" for count in (20, 21, 40, 100, 500)
}
MARKS = "".join({*HALF_WIDTH, *HALF_WIDTH.values()})
TO_FULL_WIDTH = str.maketrans({".": "。", ",": "，", "、": "，", "?": "？"})

PUNCTUATORS = {build: load(FIXTURE / build) for build in EXPECTED}

SPOKEN = st.one_of(
    st.sampled_from(
        ["今天", " Hello", " wor", "ld", "天", "好吗", " don't", " 3.14", " ", "", "café"]
    ),
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters=MARKS + "…"), max_size=6),
)
ANY = st.one_of(SPOKEN, st.sampled_from(["，", "。", " ok.", "?", "（", "“", "…"]))


def of_records(records):
    return pytest.mark.parametrize(
        ("build", "record"), records, ids=[f"{build}-{record['sort']}" for build, record in records]
    )


def tokens_of(texts):
    return [Token(text, float(index), index + 0.5) for index, text in enumerate(texts)]


def joined(tokens):
    return "".join(token.text for token in tokens)


def punctuate(text, build="offline", **options):
    return joined(PUNCTUATORS[build].punctuate([Token(text, 0.0, 1.0)], **options))


def with_marks(texts, marks):
    """Set each mark behind the word with its number."""
    tokens = tokens_of(texts)
    _, ends = words_of(joined(tokens))
    chosen = [marks.get(number, "") for number in range(len(ends))]
    return [token.text for token in punctuated(tokens, ends, chosen)]


def without(marks, text):
    return text.translate(dict.fromkeys(map(ord, marks)))


def normalised(text):
    return "".join(text.split()).translate(TO_FULL_WIDTH)


@of_records(RECORDS)
def test_labels_are_those_of_funasr_onnx(build, record):
    words, _ = words_of(record["text"])
    labels = PUNCTUATORS[build].labels(words, finished=build == "offline")
    assert labels == record["labels"]


@of_records([(build, record) for build, record in RECORDS if record["sort"] in PURELY_CHINESE])
def test_chinese_text_is_that_of_funasr_onnx(build, record):
    assert punctuate(record["text"], build, finished=build == "offline") == record["punctuated"]


@of_records(
    # funasr-onnx punctuates inside of "Zürich"
    [(build, record) for build, record in RECORDS if record["sort"] != "unknown words"]
)
def test_any_text_is_that_of_funasr_onnx_but_for_spaces_and_widths(build, record):
    ours = punctuate(record["text"], build, finished=build == "offline")
    assert normalised(ours) == normalised(record["punctuated"])


def test_the_record_holds_every_mark_and_every_rule_of_the_window():
    for records in EXPECTED.values():
        assert {label for record in records for label in record["labels"]} == {1, 2, 3, 4, 5}
        assert any(len(record["labels"]) > 400 for record in records)
        # A sentence that grew beyond 200 words and was ended at a comma.
        assert any(200 < record["widest"] < 300 for record in records)


@pytest.mark.parametrize("build", EXPECTED)
@pytest.mark.parametrize("text", ["", " ", "\n", "...", "。", "—"])
def test_text_that_says_nothing_stays_as_it_is(build, text):
    assert punctuate(text, build) == text


@pytest.mark.parametrize("build", EXPECTED)
def test_nothing_at_all_stays_nothing(build):
    assert PUNCTUATORS[build].punctuate([]) == ()
    assert PUNCTUATORS[build].labels([]) == []


@pytest.mark.parametrize("build", EXPECTED)
@pytest.mark.parametrize("text", ["今天天气很好", "带", "how are you", "今天 hello"])
def test_a_finished_text_ends_a_sentence_and_an_open_one_has_no_mark_at_its_end(build, text):
    assert punctuate(text, build)[-1] in "。？.?"
    assert punctuate(text, build, finished=False)[-1] == text[-1]


@settings(max_examples=300)
@given(st.lists(SPOKEN, max_size=60), st.sampled_from(list(EXPECTED)), st.booleans())
def test_without_the_marks_every_token_is_what_it_was(texts, build, finished):
    # A full stop or comma inside of a word is the word's own.
    tokens = tokens_of(text if text != " 3.14" else " 314" for text in texts)
    after = PUNCTUATORS[build].punctuate(tokens, finished=finished)
    assert [without(MARKS, token.text) for token in after] == [token.text for token in tokens]


@settings(max_examples=300)
@given(st.lists(ANY, max_size=60), st.sampled_from(list(EXPECTED)))
def test_punctuation_adds_single_marks_to_any_text_and_takes_nothing(texts, build):
    tokens = tokens_of(texts)
    after = PUNCTUATORS[build].punctuate(tokens)
    for token, marked in zip(tokens, after, strict=True):
        rest = iter(marked.text)
        assert all(char in rest for char in token.text)  # in this order
        assert sorted(without(MARKS, marked.text)) == sorted(without(MARKS, token.text))
    added = joined(after)
    before = joined(tokens)
    doubled = [pair for pair in pairwise(added) if set(pair) <= set(MARKS)]
    assert len(doubled) == len([pair for pair in pairwise(before) if set(pair) <= set(MARKS)])


@given(st.lists(ANY, max_size=40), st.lists(st.floats(0, 2), min_size=40, max_size=40))
def test_times_are_what_they_were(texts, gaps):
    tokens = [
        Token(text, sum(gaps[:index]), sum(gaps[: index + 1])) for index, text in enumerate(texts)
    ]
    after = PUNCTUATORS["offline"].punctuate(tokens)
    assert [(token.start, token.end) for token in after] == [
        (token.start, token.end) for token in tokens
    ]


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_words_are_those_of_a_plain_reading_of_the_rule(text):
    words = []
    for run in text.split():
        word = ""
        for char in run:
            if char.isascii():
                word += char
            else:
                words += [word, char]
                word = ""
        words.append(word)
    found, ends = words_of(text)
    assert found == [word for word in words if word]
    assert all(text[:end].endswith(word) for word, end in zip(found, ends, strict=True))


def test_a_mark_goes_behind_its_word_wherever_tokens_part_it():
    assert with_marks([" wor", "ld is", " here"], {0: "，", 2: "。"}) == [
        " wor",
        "ld, is",
        " here.",
    ]
    assert with_marks(["今天好", "吗 "], {1: "，", 3: "？"}) == ["今天，好", "吗？ "]


@pytest.mark.parametrize(
    ("text", "marks", "expected"),
    [
        ("how are you fine", {2: "？", 3: "。"}, "how are you? fine."),
        ("one two three", {0: "、", 1: "，", 2: "！"}, "one, two, three!"),
        ("我用 Python 不用 Java", {2: "，", 5: "。"}, "我用 Python， 不用 Java。"),
        ("我很好 how are you", {2: "。", 5: "？"}, "我很好。 how are you?"),
        ("ok好", {0: "？", 1: "。"}, "ok？好。"),
        ("ok 好", {0: "？", 1: "。"}, "ok? 好。"),
        ("привет мир", {5: "，", 8: "。"}, "привет, мир."),
        ("안녕 세상", {1: "，", 3: "。"}, "안녕, 세상."),
    ],
)
def test_marks_are_as_wide_as_the_script_of_their_sentence(text, marks, expected):
    assert with_marks([text], marks) == [expected]


@pytest.mark.parametrize(
    ("text", "mark_behind"),
    [
        ("café ok", 0),  # caf|é
        ("don’t", 0),  # don|’t
        ("don’t", 1),
        ("cafe\u0301 ok", 0),  # the accent is a character of its own
        ("안녕", 0),
        ("今天，好", 1),  # there is a comma
        ("今天，好", 2),
        ("今天 ，好", 1),
        ("他说“好”", 2),  # an opening quote
        ("（今天）", 0),
        ("ok. fine", 0),
    ],
)
def test_no_mark_stands_inside_a_word_or_beside_punctuation(text, mark_behind):
    assert with_marks([text], {mark_behind: "，"}) == [text]


def test_a_quote_may_end_before_a_mark():
    assert with_marks(["他说“好”"], {4: "。"}) == ["他说“好”。"]


class Hears:
    """An engine that hears what it was made with."""

    traits = Traits("hears", 30.0, frozenset({"zh"}), punctuates=False, normalises=False)

    def __init__(self, *texts):
        tokens = tuple(tokens_of(texts))
        self.transcript = Transcript(joined(tokens), "zh", tokens, "happy", "speech")

    def transcribe(self, samples, options):
        return self.transcript


SAMPLES = np.zeros(16_000, np.float32)


def test_an_engine_is_given_punctuation_and_says_so():
    record = next(record for build, record in RECORDS if record["sort"] == "Chinese")
    engine = Punctuated(Hears(*record["text"]), PUNCTUATORS["offline"])
    transcript = engine.transcribe(SAMPLES, Options())
    assert transcript.text == record["punctuated"] == joined(transcript.tokens)
    assert (transcript.language, transcript.emotion, transcript.event) == ("zh", "happy", "speech")
    assert engine.traits == Traits("hears", 30.0, frozenset({"zh"}), normalises=False)


def test_silence_stays_silence():
    engine = Punctuated(Hears(), PUNCTUATORS["offline"])
    assert engine.transcribe(SAMPLES, Options()) == Transcript("", "zh", (), "happy", "speech")


@pytest.fixture
def takes_two_words(tmp_path):
    """A directory whose network fails for any number of words but two."""
    shutil.copytree(FIXTURE / "offline", tmp_path / "model")
    inputs = [
        helper.make_tensor_value_info("inputs", TensorProto.INT32, [1, "n"]),
        helper.make_tensor_value_info("text_lengths", TensorProto.INT32, [1]),
    ]
    nodes = [
        helper.make_node("Cast", ["inputs"], ["ids"], to=TensorProto.FLOAT),
        helper.make_node("Reshape", ["ids", "two"], ["both"]),
        helper.make_node("MatMul", ["both", "weights"], ["logits"]),
    ]
    weights = [
        numpy_helper.from_array(np.array([1, 2, 1]), "two"),
        numpy_helper.from_array(np.eye(1, 6, dtype=np.float32), "weights"),
    ]
    logits = helper.make_tensor_value_info("logits", TensorProto.FLOAT, [1, 2, 6])
    model = helper.make_model(
        helper.make_graph(nodes, "two", inputs, [logits], weights),
        opset_imports=[helper.make_opsetid("", 14)],
    )
    model.ir_version = 8
    onnx.save(model, tmp_path / "model" / "model.onnx")
    return tmp_path / "model"


def test_text_survives_when_its_punctuation_fails(caplog, takes_two_words):
    engine = Punctuated(Hears("今", "天", "好"), load(takes_two_words))
    with caplog.at_level(logging.WARNING):
        transcript = engine.transcribe(SAMPLES, Options())
    assert transcript == Hears("今", "天", "好").transcript
    assert "could not be punctuated" in caplog.text


def test_an_error_of_the_engine_is_not_hidden():
    class Fails(Hears):
        def transcribe(self, samples, options):
            raise EngineFailed("too long")

    with pytest.raises(EngineFailed, match="too long"):
        Punctuated(Fails(), PUNCTUATORS["offline"]).transcribe(SAMPLES, Options())


def test_the_quantised_network_is_taken_first(tmp_path):
    model = tmp_path / "model"
    shutil.copytree(FIXTURE / "offline", model)
    (model / "model.onnx").rename(model / "model_quant.onnx")
    (model / "model.onnx").write_bytes(b"never read")
    record = EXPECTED["offline"][2]
    assert load(model).labels(list(record["text"])) == record["labels"]


def test_a_model_that_was_exported_for_sherpa_onnx_needs_no_other_file(tmp_path):
    model = onnx.load(FIXTURE / "offline" / "model.onnx")
    words = json.loads((FIXTURE / "offline" / "tokens.json").read_text(encoding="utf-8"))
    # The keys that sherpa-onnx reads, in its csrc/offline-ct-transformer-model.cc.
    for key, value in {
        "model_type": "ct_transformer",
        "tokens": "|".join(words),
        "vocab_size": str(len(words)),
        "punctuations": "<unk>|_|，|。|？|、",
        "unk_symbol": "<unk>",
    }.items():
        model.metadata_props.add(key=key, value=value)
    onnx.save(model, tmp_path / "model.int8.onnx")
    punctuator = load(tmp_path)
    for record in EXPECTED["offline"]:
        assert punctuator.labels(words_of(record["text"])[0]) == record["labels"]


@pytest.mark.parametrize("file", ["model.onnx", "tokens.json", "config.yaml"])
@pytest.mark.parametrize("content", [None, b"", b"{", b"[1]"])
def test_a_missing_or_broken_file_is_told_in_one_line(tmp_path, file, content):
    model = tmp_path / "model"
    shutil.copytree(FIXTURE / "offline", model)
    (model / file).unlink()
    if content is not None:
        (model / file).write_bytes(content)
    with pytest.raises(EngineFailed) as failed:
        load(model)
    assert str(model) in str(failed.value)
    assert "\n" not in str(failed.value)


def test_files_of_different_models_are_refused(tmp_path):
    model = tmp_path / "model"
    shutil.copytree(FIXTURE / "offline", model)
    words = json.loads((model / "tokens.json").read_text(encoding="utf-8"))
    (model / "tokens.json").write_text(json.dumps([*words, "more"]), encoding="utf-8")
    with pytest.raises(EngineFailed, match="cannot be loaded"):
        load(model)
    config = (FIXTURE / "offline" / "config.yaml").read_text(encoding="utf-8")
    shutil.copy(FIXTURE / "offline" / "tokens.json", model)
    (model / "config.yaml").write_text(config.replace("  - 、\n", ""), encoding="utf-8")
    with pytest.raises(EngineFailed, match="6 marks apart, not 5"):
        load(model)


def test_a_model_that_needs_a_dictionary_is_refused(tmp_path):
    shutil.copytree(FIXTURE / "offline", tmp_path / "large")
    (tmp_path / "large" / "jieba_usr_dict").write_text("今天 3\n", encoding="utf-8")
    with pytest.raises(EngineFailed, match="dictionary"):
        load(tmp_path / "large")
