#!/usr/bin/env python3
"""Make CT-Transformer punctuation models with random weights, and record what funasr-onnx answers.

    python scripts/make_punctuation.py OUT            # as published: 272,727 words, 2 x 560 MB
    python scripts/make_punctuation.py OUT --small    # the fixture of tests/engines/punctuation

Both builds that FunASR publishes are made by its own classes and its own export: ``offline``
(SANMEncoder, four blocks, two inputs) and ``realtime`` (SANMVadEncoder, three blocks, four inputs).
The last layer is set so that all marks occur, at about the rate at which real ones do. Recorded are
texts whose every label wins clearly, so that another processor does not change them.

Needs: torch (CPU), funasr, funasr-onnx, onnx, onnxruntime.
"""
# ruff: noqa: PLR2004  # lengths of the texts

from __future__ import annotations

import argparse
import json
import logging
import random
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml
from funasr.models.ct_transformer import export_meta as offline_export
from funasr.models.ct_transformer.model import CTTransformer
from funasr.models.ct_transformer_streaming import export_meta as realtime_export
from funasr.models.ct_transformer_streaming.model import CTTransformerStreaming
from funasr.models.sanm.encoder import SANMEncoder
from funasr.models.transformer.embedding import SinusoidalPositionEncoder
from funasr_onnx.punc_bin import CT_Transformer, CT_Transformer_VadRealtime
from onnxruntime.quantization import QuantType, quantize_dynamic

MARKS = {
    "offline": ["<unk>", "_", "，", "。", "？", "、"],
    "realtime": ["<unk>", "_", ",", "。", "?", "、"],
}
RATES = [0.0, 0.84, 0.08, 0.03, 0.02, 0.03]
"""How often each label is to win."""

MARGIN = 0.1
"""By how much a label must win, with logits in the hundreds."""

ENGLISH = (
    *("hello", "world", "the", "server", "is", "on", "one", "port", "and", "it", "turns", "speech"),
    *("into", "text", "we", "use", "python", "java", "c++", "don't", "stop", "me", "now", "how"),
    *("are", "you", "i", "am", "fine", "thank", "ok", "3.14", "2024", "gpu", "cpu"),
)
CHINESE = (
    "今天天气很好我们去公园散步吧你吃饭了吗这是一个测试服务器把语音变成文字明明觉得代码写完之后要"
    "跑一遍才知道对不对请问图书馆怎么走他说下午三点开会还有别忘记带电脑和水杯因为晚上可能会下雨"
)


def vocabulary(*, small: bool) -> list[str]:
    known = [*dict.fromkeys([*CHINESE, *ENGLISH])]
    if small:
        return ["<blank>", "<s>", "</s>", *known, "<unk>"]
    filler = [f"word{index}" for index in range(272_727 - len(known) - 4)]
    return ["<blank>", "<s>", "</s>", *known, *filler, "<unk>"]


def architecture(build: str, *, small: bool) -> dict[str, Any]:
    """Settings of the encoder; the full size is the published one."""
    width = 16 if small else 256
    return {
        "input_size": width,
        "output_size": width,
        "attention_heads": 2 if small else 8,
        "linear_units": 32 if small else 1024,
        "num_blocks": (2 if small else 4) if build == "offline" else 3,
        "dropout_rate": 0.1,
        "positional_dropout_rate": 0.1,
        "attention_dropout_rate": 0.0,
        "input_layer": "pe",
        "pos_enc_class": "SinusoidalPositionEncoder",
        "normalize_before": True,
        "kernel_size": 11,
        "sanm_shfit": 0 if build == "offline" else 5,
        "selfattention_layer_type": "sanm",
        "padding_idx": 0,
    }


def network(build: str, words: int, conf: dict[str, Any]) -> torch.nn.Module:
    """The network with random weights, rewritten for ONNX by funasr itself."""
    kind, rewrite, encoder = {
        "offline": (CTTransformer, offline_export, SANMEncoder.__name__),
        "realtime": (CTTransformerStreaming, realtime_export, "SANMVadEncoder"),
    }[build]
    conf = {**conf, "pos_enc_class": SinusoidalPositionEncoder}
    width = conf["output_size"]
    torch.manual_seed(1)
    model = kind(
        encoder=encoder,
        encoder_conf=conf,
        vocab_size=words,
        punc_list=MARKS[build],
        embed_unit=width,
        att_unit=width,
        dropout_rate=0.1,
        ignore_id=0,
    ).eval()
    return rewrite.export_rebuild_model(model, encoder=encoder, type="onnx")


def run(model: torch.nn.Module, ids: list[int]) -> torch.Tensor:
    """Logits[words, labels], all words seeing each other."""
    size = len(ids)
    inputs = [torch.tensor([ids], dtype=torch.int32), torch.tensor([size], dtype=torch.int32)]
    mask = torch.ones(1, 1, size, size)
    extra = [mask, mask] if "sub_masks" in model.export_input_names() else []
    with torch.no_grad():
        return model(*inputs, *extra)[0]


def set_last_layer(model: torch.nn.Module, usual: list[int]) -> None:
    """Scale the last layer, and shift it until the labels win at their rates."""
    random.seed(2)
    with torch.no_grad():
        model.decoder.weight *= 100.0
        model.decoder.bias.zero_()
    logits = torch.cat([run(model, random.choices(usual, k=40)) for _ in range(200)])
    wanted = torch.tensor(RATES)
    bias = torch.zeros(len(RATES))
    for step in range(2_000):
        won = torch.bincount((logits + bias).argmax(-1), minlength=len(RATES)) / len(logits)
        bias += (wanted - won) * 100.0 / (1 + step / 100)
    bias[0] = -1e6
    with torch.no_grad():
        model.decoder.bias.copy_(bias)


def export(model: torch.nn.Module, folder: Path, *, quantise: bool) -> None:
    torch.onnx.export(
        model,
        model.export_dummy_inputs(),
        str(folder / "model.onnx"),
        opset_version=14,
        input_names=model.export_input_names(),
        output_names=model.export_output_names(),
        dynamic_axes=model.export_dynamic_axes(),
        dynamo=False,
    )
    if quantise:
        quantize_dynamic(
            str(folder / "model.onnx"),
            str(folder / "model_quant.onnx"),
            op_types_to_quantize=["MatMul"],
            per_channel=True,
            reduce_range=False,
            weight_type=QuantType.QUInt8,
        )


class Reference:
    """funasr-onnx, with a look at what its network is given and answers."""

    def __init__(self, build: str, folder: Path, *, quantised: bool) -> None:
        kind = CT_Transformer if build == "offline" else CT_Transformer_VadRealtime
        self.model = kind(str(folder), quantize=quantised, intra_op_num_threads=1)
        self.margin = self.widest = 0.0
        infer = self.model.infer

        def watched(ids: Any, *others: Any) -> Any:
            outputs = infer(ids, *others)
            ordered = np.sort(outputs[0][0], axis=-1)
            self.margin = min(self.margin, float((ordered[:, -1] - ordered[:, -2]).min()))
            self.widest = max(self.widest, ids.shape[1])
            return outputs

        self.model.infer = watched
        self.build = build

    def __call__(self, text: str) -> dict[str, Any]:
        self.margin, self.widest = np.inf, 0
        if self.build == "offline":
            punctuated, labels = self.model(text)
        else:
            punctuated, marks, _ = self.model(text, {"cache": []})
            labels = [self.model.punc_list.index(mark) for mark in marks]
        return {
            "text": text,
            "labels": labels,
            "punctuated": punctuated,
            "widest": int(self.widest),
            "margin": round(self.margin, 3),
        }


def texts(rng: random.Random) -> dict[str, str]:
    """One text of each sort."""

    def chinese(size: int) -> str:
        return "".join(rng.choices(CHINESE, k=size))

    def english(size: int) -> str:
        return " ".join(rng.choices(ENGLISH, k=size))

    def mixed(size: int) -> str:
        return "".join(
            rng.choice([chinese(rng.randint(1, 6)), " " + english(rng.randint(1, 3)) + " "])
            for _ in range(size)
        ).strip()

    return {
        "one character": chinese(1),
        "one word": english(1),
        "Chinese": chinese(15),
        "20 characters": chinese(20),
        "21 characters": chinese(21),
        "40 characters": chinese(40),
        "100 characters": chinese(100),
        "500 characters": chinese(500),
        "English": english(12),
        "60 words": english(60),
        "mixed": mixed(8),
        "mixed, long": mixed(60),
        "unknown words": "鑫" + chinese(9) + " Zürich " + chinese(9) + " quux " + english(5),
        "spaces": f"  {chinese(5)}\u3000{chinese(5)}\t{english(4)}\n{chinese(5)} ",
    }


def recorded(reference: Reference) -> list[dict[str, Any]]:
    """A text of each sort with clear labels, and one cut because its sentence does not end."""
    record = []
    for sort in texts(random.Random(0)):
        answers = (reference(texts(random.Random(seed))[sort]) for seed in count())
        record.append({"sort": sort, **next(a for a in answers if a["margin"] > MARGIN)})
    quiet = [word for word in CHINESE if reference(word * 60)["widest"] == 60]
    for seed in range(20_000):
        rng = random.Random(seed)
        some = rng.sample(quiet, k=min(len(quiet), rng.randint(2, 8)))
        answer = reference("".join(rng.choices(some, k=330)))
        if answer["margin"] > MARGIN and 200 < answer["widest"] < 300:
            return [*record, {"sort": "no end for 200 characters", **answer}]
    raise SystemExit("no text was found whose sentence does not end")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--small", action="store_true")
    chosen = parser.parse_args()
    logging.disable(logging.WARNING)
    words = vocabulary(small=chosen.small)
    usual = [words.index(word) for word in dict.fromkeys([*CHINESE, *ENGLISH])]
    record = {}
    for build, marks in MARKS.items():
        folder = chosen.folder / build
        folder.mkdir(parents=True, exist_ok=True)
        conf = architecture(build, small=chosen.small)
        model = network(build, len(words), conf)
        set_last_layer(model, usual)
        export(model, folder, quantise=not chosen.small)
        (folder / "tokens.json").write_text(
            json.dumps(words, ensure_ascii=False, indent=0), encoding="utf-8"
        )
        config = {
            "model": "CTTransformer" if build == "offline" else "CTTransformerStreaming",
            "model_conf": {"punc_list": marks, "sentence_end_id": 3},
            "encoder_conf": conf,
        }
        (folder / "config.yaml").write_text(
            yaml.safe_dump(config, sort_keys=False, allow_unicode=True), encoding="utf-8"
        )
        record[build] = recorded(Reference(build, folder, quantised=not chosen.small))
        print(
            build, *(f"{entry['sort']}: {entry['margin']}" for entry in record[build]), sep="\n  "
        )
    blocks = (
        f'"{build}": [\n'
        + ",\n".join(json.dumps(line, ensure_ascii=False) for line in lines)
        + "\n]"
        for build, lines in record.items()
    )
    (chosen.folder / "expected.json").write_text(
        "{\n" + ",\n".join(blocks) + "\n}\n", encoding="utf-8"
    )


if __name__ == "__main__":
    main()
