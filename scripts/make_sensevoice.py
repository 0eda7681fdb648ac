"""Make a SenseVoice model directory with random weights, and record what FunASR hears with it.

The graph, the shapes, the quantisation and the files are those of SenseVoiceSmall as ModelScope
publishes it for ONNX (234 M parameters, model_quant.onnx about 240 MB), so speed and memory
measured on it hold for the real weights. Its text is noise, and the same noise for every correct
implementation. Untrained, a network hangs between its tokens, and a rounding error changes some of
them; so for a record the output layer is trained to tell the tokens of a few clips, far from any
tie, and their tags.

Needs torch, funasr, funasr-onnx, onnx, onnxruntime, sentencepiece and kaldi-native-fbank 1.20,
which is the last to transform in double precision; with --sherpa also sherpa-onnx:

    python scripts/make_sensevoice.py OUT                              # minutes, 5 GB of memory
    python scripts/make_sensevoice.py OUT --small --expect             # three blocks of width 32
    python scripts/make_sensevoice.py OUT --small --expect --sherpa OUT2  # also as for sherpa-onnx
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import onnx
import onnxruntime as ort
import torch
from funasr.models.sense_voice.export_meta import export_rebuild_model
from funasr.models.sense_voice.model import SenseVoiceSmall
from funasr_onnx import SenseVoiceSmall as Reference
from make_paraformer import inputs_of, shaken
from paraformer_networks import WIDTH_OF_FEATURES, export, mean_and_scale, write_beside
from scipy.cluster.vq import kmeans2
from sentencepiece import sentencepiece_model_pb2

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "engines" / "paraformer"))
from clips import clip

if TYPE_CHECKING:
    from collections.abc import Iterator

LARGE = 25_055
SPECIAL = ("<unk>", "<s>", "</s>")
LANGUAGES = {"auto": 0, "zh": 3, "en": 4, "yue": 7, "ja": 11, "ko": 12}
ITN = {"withitn": 14, "woitn": 15}
TAGS = (
    *("zh", "en", "yue", "ja", "ko", "nospeech"),
    *("HAPPY", "SAD", "ANGRY", "NEUTRAL", "FEARFUL", "DISGUSTED", "SURPRISED", "EMO_UNKNOWN"),
    *("Speech", "BGM", "Applause", "Laughter", "Cry", "Sneeze", "Breath", "Cough", "Event_UNK"),
    *("withitn", "woitn"),
)
TAGGED = 4  # frames
TEXTS = 150
"""Tokens that the text of all clips is made of."""

STEPS, LEARNING_RATE = 3000, 0.02


class Case(NamedTuple):
    """A clip, how it is asked about, and what its tags are to tell."""

    seconds: float
    seed: int
    language: str
    itn: str
    told: tuple[str, str, str]

    @property
    def tags(self) -> tuple[str, ...]:
        return (*self.told, self.itn)


CASES = (
    Case(0.1, 0, "auto", "withitn", ("nospeech", "EMO_UNKNOWN", "Event_UNK")),
    *(
        Case(1, 1, language, itn, (language.replace("auto", "zh"), "HAPPY", "Speech"))
        for language in LANGUAGES
        for itn in ITN
    ),
    Case(3, 2, "zh", "woitn", ("zh", "SAD", "Speech")),
    Case(3, 2, "auto", "withitn", ("ja", "NEUTRAL", "Speech")),
    Case(10, 3, "en", "withitn", ("en", "NEUTRAL", "BGM")),
    Case(10, 3, "auto", "woitn", ("en", "ANGRY", "Laughter")),
    Case(30, 4, "auto", "withitn", ("yue", "SURPRISED", "Applause")),
)


def architecture(*, small: bool) -> dict[str, Any]:
    """What config.yaml says of the encoder; at full size the published values."""
    return {
        "output_size": 32 if small else 512,
        "attention_heads": 4,
        "linear_units": 64 if small else 2048,
        "num_blocks": 2 if small else 50,
        "tp_blocks": 1 if small else 20,
        "dropout_rate": 0.1,
        "positional_dropout_rate": 0.1,
        "attention_dropout_rate": 0.1,
        "input_layer": "pe",
        "pos_enc_class": "SinusoidalPositionEncoder",
        "normalize_before": True,
        "kernel_size": 11,
        "sanm_shfit": 0,
        "selfattention_layer_type": "sanm",
    }


def configuration(*, small: bool) -> dict[str, Any]:
    return {
        "model": "SenseVoiceSmall",
        "encoder": "SenseVoiceEncoderSmall",
        "encoder_conf": architecture(small=small),
        "frontend": "WavFrontend",
        "frontend_conf": {
            "fs": 16000,
            "window": "hamming",
            "n_mels": 80,
            "frame_length": 25,
            "frame_shift": 10,
            "lfr_m": 7,
            "lfr_n": 6,
            "dither": 0.0,
        },
    }


def vocabulary(size: int | None = None) -> list[str]:
    """Pieces as SenseVoice has them, in five scripts, with the tags at the end."""
    letters = [chr(ord("a") + index) for index in range(26)]
    words = ["the", "he", "we", "go", "in", "on", "is", "it", "no", "one", "two", "wh", "st"]
    pieces = [
        *(f"▁{word}" for word in (*words, *letters)),
        *letters,
        *("llo", "ing", "ed", "er", "'s", "'"),
        *(chr(ord("一") + index) for index in range(150)),
        *(chr(ord("か") + index) for index in range(20)),
        *(f"{mark}{chr(ord('가') + 28 * index)}" for index in range(15) for mark in ("▁", "")),
        *(str(digit) for digit in range(10)),
        *("▁", "，", "。", "？", ".", ",", "?"),
    ]
    tags = [f"<|{tag}|>" for tag in TAGS]
    missing = (size or 0) - len(SPECIAL) - len(pieces) - len(tags)
    more = [f"▁w{index}" for index in range(missing)]
    return [*SPECIAL, *pieces, *more, *tags]


def write_sentencepieces(path: Path, tokens: list[str]) -> None:
    """The vocabulary as funasr-onnx wants it."""
    proto = sentencepiece_model_pb2.ModelProto()
    kinds = sentencepiece_model_pb2.ModelProto.SentencePiece
    proto.trainer_spec.model_type = sentencepiece_model_pb2.TrainerSpec.BPE
    for index, token in enumerate(tokens):
        kind = {0: kinds.UNKNOWN, 1: kinds.CONTROL, 2: kinds.CONTROL}.get(index, kinds.NORMAL)
        proto.pieces.add(piece=token, score=-float(index), type=kind)
    path.write_bytes(proto.SerializeToString())


def build(config: dict[str, Any], size: int) -> torch.nn.Module:
    """The untrained network of FunASR's own classes, rewritten for export by FunASR itself."""
    torch.manual_seed(0)
    model = SenseVoiceSmall(
        encoder=config["encoder"],
        encoder_conf=config["encoder_conf"],
        input_size=WIDTH_OF_FEATURES,
        vocab_size=size,
        ctc_conf={"dropout_rate": 0.0, "ctc_type": "builtin", "reduce": True},
    ).eval()
    model = export_rebuild_model(model, max_seq_len=512, device="cpu")
    model.export_name = "model"
    return model


def runs_of(folder: Path, case: Case, output: str) -> np.ndarray:
    """An inner or outer tensor of the quantised network for a clip, shaken by rounding errors.

    Returns:
        float32[runs, frames, width]; in the first run nothing is shaken.
    """
    graph = onnx.load(folder / "model_quant.onnx")
    graph.graph.output.append(onnx.helper.make_empty_tensor_value_info(output))
    session = ort.InferenceSession(graph.SerializeToString())
    inputs = inputs_of(folder, clip(case.seconds, case.seed))
    inputs["speech_lengths"] = inputs["speech_lengths"].astype(np.int32)
    inputs["language"] = np.array([LANGUAGES[case.language]], np.int32)
    inputs["textnorm"] = np.array([ITN[case.itn]], np.int32)
    return np.array([session.run([output], each)[0][0] for each in (inputs, *shaken(inputs))])


def states_before_output(folder: Path) -> str:
    graph = onnx.load(folder / "model.onnx")
    (product,) = (node for node in graph.graph.node if node.name.endswith("ctc_lo/MatMul"))
    return str(product.input[0])


def train_output(model: torch.nn.Module, folder: Path, tokens: list[str]) -> None:
    """Train the output layer to tell tags and tokens apart, as far from ties as it can."""
    inner = states_before_output(folder)
    states = [runs_of(folder, case, inner) for case in CASES]
    texts = np.concatenate([each[0, TAGGED:] for each in states])
    centres, groups = kmeans2(texts, TEXTS, seed=1, minit="++")
    blank = np.bincount(groups).argmax()
    pieces = np.arange(len(SPECIAL), len(tokens) - len(TAGS))
    dealt = np.random.default_rng(2).permutation(pieces)[: len(centres)]
    dealt[blank] = 0
    labels, at = [], 0
    for case, each in zip(CASES, states, strict=True):
        count = each.shape[1] - TAGGED
        tags = [tokens.index(f"<|{tag}|>") for tag in case.tags]
        labels.append(np.concatenate([tags, dealt[groups[at : at + count]]]))
        at += count
    target = torch.tensor(
        np.concatenate([np.tile(row, len(each)) for row, each in zip(labels, states, strict=True)])
    )
    width = states[0].shape[-1]
    given = torch.tensor(np.concatenate([each.reshape(-1, width) for each in states]))
    weight = torch.zeros(len(tokens), width)
    bias = torch.full((len(tokens),), -1e2)
    used = target.unique()
    for label in used:
        centre = given[target == label].mean(axis=0)
        weight[label], bias[label] = centre, -(centre**2).sum() / 2
    descend(weight, bias, given, target)
    with torch.no_grad():
        model.ctc.ctc_lo.weight.copy_(weight)
        model.ctc.ctc_lo.bias.copy_(bias)


def descend(
    weight: torch.Tensor, bias: torch.Tensor, given: torch.Tensor, target: torch.Tensor
) -> None:
    """Minimise how much each state lacks of a margin to the next likely label."""
    parameters = [weight.requires_grad_(), bias.requires_grad_()]
    optimiser = torch.optim.Adam(parameters, LEARNING_RATE)
    for _ in range(STEPS):
        scores = given @ weight.T + bias
        right = scores.gather(1, target[:, None])
        others = scores.scatter(1, target[:, None], -torch.inf).amax(axis=1, keepdim=True)
        lacking = torch.relu(1 + (others - right) / weight.norm(dim=1).mean())
        optimiser.zero_grad()
        (lacking.mean() + lacking.square().mean()).backward()
        optimiser.step()
    for each in parameters:
        each.requires_grad_(requires_grad=False)
    print(f"the output layer was trained; worst state lacks {lacking.max():.2f} of its margin")


def check_steadiness(folder: Path) -> None:
    """Tell how near a tie gets, and refuse a record that a rounding error would change."""
    worst = np.inf
    for case in CASES:
        logits = runs_of(folder, case, "ctc_logits")
        ranked = np.sort(logits, axis=-1)
        margins = (ranked[..., -1] - ranked[..., -2]).min(axis=0)
        moved = np.abs(logits - logits[0]).max(axis=(0, 2)) + 1e-9
        same = (logits.argmax(axis=-1) == logits[0].argmax(axis=-1)).all()
        steadiness = float((margins / moved).min())
        worst = min(worst, steadiness if same else 0.0)
        print(f"{case.seconds} s, {case.language}, {case.itn}: ties {steadiness:.2f} away")
    if worst < 1:
        raise SystemExit("some token is a near tie")


def expect(folder: Path) -> None:
    """Write expected.json: what funasr-onnx makes of the clips, and which frames tell it."""
    model = Reference(str(folder), quantize=True, intra_op_num_threads=1)
    ids: list[list[int]] = []
    model.tokenizer.decode = ids.append  # of all labels, before they are text
    rows = []
    for case in CASES:
        model(clip(case.seconds, case.seed), language=case.language, textnorm=case.itn)
        rows.append(
            {
                "seconds": case.seconds,
                "seed": case.seed,
                "language": case.language,
                "itn": case.itn == "withitn",
                "ids": ids[-1],
            }
        )
    packages = ("funasr", "funasr-onnx", "numpy", "onnxruntime", "torch")
    versions = {package: version(package) for package in packages} | fbank_version()
    lines = ",\n  ".join(json.dumps(row) for row in rows)
    text = f'{{"versions": {json.dumps(versions)},\n "clips": [\n  {lines}\n]}}\n'
    (folder / "expected.json").write_text(text, encoding="utf-8")


def fbank_version() -> dict[str, str]:
    """Of the copy that is imported, which may be another than the one that is installed."""
    import kaldi_native_fbank  # noqa: PLC0415

    return {"kaldi-native-fbank": str(kaldi_native_fbank.__version__)}


def write_for_sherpa(source: Path, folder: Path) -> None:
    """The same network in sherpa-onnx's layout: one file that knows its features."""
    graph = onnx.load(source / "model_quant.onnx")
    names = dict(zip(("speech", "speech_lengths", "language", "textnorm"), SHERPA, strict=True))
    names |= {"ctc_logits": "logits"}
    for each in (*graph.graph.input, *graph.graph.output):
        each.name = names.get(each.name, each.name)
    for node in graph.graph.node:
        for row in (node.input, node.output):
            row[:] = [names.get(name, name) for name in row]
    tokens = json.loads((source / "tokens.json").read_text(encoding="utf-8"))
    shift, scale = mean_and_scale()
    facts = {
        "lfr_window_size": "7",
        "lfr_window_shift": "6",
        "normalize_samples": "0",
        "neg_mean": ",".join(f"{value:.6f}" for value in shift),
        "inv_stddev": ",".join(f"{value:.6f}" for value in scale),
        "model_type": "sense_voice_ctc",
        "version": "1",
        "model_author": "random weights",
        "vocab_size": str(len(tokens)),
        **{f"lang_{language}": str(row) for language, row in LANGUAGES.items()},
        "with_itn": str(ITN["withitn"]),
        "without_itn": str(ITN["woitn"]),
    }
    onnx.helper.set_model_props(graph, facts)
    folder.mkdir(parents=True, exist_ok=True)
    onnx.save(graph, folder / "model.int8.onnx")
    lines = (f"{piece} {index}\n" for index, piece in enumerate(tokens))
    (folder / "tokens.txt").write_text("".join(lines), encoding="utf-8")


SHERPA = ("x", "x_length", "language", "text_norm")
"""What the inputs are called there."""


def compare_with_sherpa(source: Path, folder: Path) -> None:
    """Print how many tokens sherpa-onnx tells alike, from features of its own."""
    import sherpa_onnx  # noqa: PLC0415

    rows = json.loads((source / "expected.json").read_text(encoding="utf-8"))["clips"]
    tokens = json.loads((source / "tokens.json").read_text(encoding="utf-8"))
    for row in rows:
        recogniser = sherpa_onnx.OfflineRecognizer.from_sense_voice(
            model=str(folder / "model.int8.onnx"),
            tokens=str(folder / "tokens.txt"),
            language=row["language"],
            use_itn=row["itn"],
        )
        stream = recogniser.create_stream()
        stream.accept_waveform(16_000, clip(row["seconds"], row["seed"]))
        recogniser.decode_stream(stream)
        heard = list(stream.result.tokens)
        wanted = [tokens[index].replace("▁", " ") for index in row["ids"][TAGGED:]]
        same = sum(ours == theirs for ours, theirs in zip(heard, wanted, strict=False))
        print(f"sherpa-onnx, {row['seconds']} s: {same} of {len(wanted)} tokens are equal")


def slim(path: Path) -> None:
    """Leave out hints of shapes, a tenth of a small file; ONNX Runtime finds them itself."""
    graph = onnx.load(path)
    del graph.graph.value_info[:]
    onnx.save(graph, path)


def files_in(folders: list[Path]) -> Iterator[str]:
    for folder in folders:
        for file in sorted(folder.iterdir()):
            yield f"{folder.name}/{file.name} {file.stat().st_size:,} B"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--small", action="store_true", help="three blocks of width 32")
    parser.add_argument("--sherpa", type=Path, metavar="TO", help="write sherpa-onnx's layout too")
    parser.add_argument("--expect", action="store_true", help="write expected.json too")
    options = parser.parse_args()
    logging.disable(logging.WARNING)
    folder = options.folder
    folder.mkdir(parents=True, exist_ok=True)
    config = configuration(small=options.small)
    tokens = vocabulary(None if options.small else LARGE)
    model = build(config, len(tokens))
    export([model], folder)
    write_beside(folder, config, tokens)
    write_sentencepieces(folder / "chn_jpn_yue_eng_ko_spectok.bpe.model", tokens)
    if options.expect:
        train_output(model, folder, tokens)
        export([model], folder)
        check_steadiness(folder)
        expect(folder)
    slim(folder / "model_quant.onnx")
    if options.sherpa:
        write_for_sherpa(folder, options.sherpa)
        if options.expect:
            compare_with_sherpa(folder, options.sherpa)
    print(*files_in([each for each in (folder, options.sherpa) if each]), sep="\n")


if __name__ == "__main__":
    main()
