"""Networks of Paraformer with random weights, in the files that they are published as."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING

import numpy as np
import onnx
import torch
import yaml
from funasr.models.bicif_paraformer.model import BiCifParaformer
from funasr.models.contextual_paraformer.model import ContextualParaformer
from onnxruntime.quantization import QuantType, quantize_dynamic

if TYPE_CHECKING:
    from pathlib import Path

HAN = 0x4E00
WIDTH_OF_FEATURES = 560
RATE = 0.25  # tokens per frame of 60 ms: 4.2 a second
LOUDER = 50.0
SMALL, LARGE = 300, 8404  # tokens
SPECIAL = ("<blank>", "<s>", "</s>")


def vocabulary(size: int) -> list[str]:
    """Han characters, letters, pieces of words and digits, in the order FunASR has: <unk> last."""
    letters = [chr(ord("a") + index) for index in range(26)]
    pairs = [first + second for first in letters for second in letters]
    words = [pair + "s" for pair in pairs]
    pieces = [pair + "@@" for pair in pairs]
    digits = [str(digit) for digit in range(10)]
    share = (size - len(SPECIAL) - 1 - len(letters) - len(digits)) // 4
    latin = [*pieces[:share], *words[:share]]
    han = size - len(SPECIAL) - 1 - len(letters) - len(digits) - len(latin)
    chosen = [chr(HAN + index) for index in range(han)]
    return [*SPECIAL, *chosen, *letters, *latin, *digits, "<unk>"]


def configuration(*, small: bool, contextual: bool) -> dict:
    """What config.yaml says; at full size the published values."""
    width = 32 if small else 512
    attention = {"attention_heads": 4, "linear_units": 64 if small else 2048, "kernel_size": 11}
    decoder_blocks = 2 if small else 16
    config = {
        "model": "ContextualParaformer" if contextual else "BiCifParaformer",
        "model_conf": {
            "ctc_weight": 0.0,
            "lsm_weight": 0.1,
            "length_normalized_loss": True,
            "predictor_weight": 1.0,
            "predictor_bias": 1,
            "sampling_ratio": 0.75,
        },
        "encoder": "SANMEncoder",
        "encoder_conf": {
            **attention,
            "output_size": width,
            "num_blocks": 2 if small else 50,
            "dropout_rate": 0.1,
            "positional_dropout_rate": 0.1,
            "attention_dropout_rate": 0.1,
            "input_layer": "pe",
            "pos_enc_class": "SinusoidalPositionEncoder",
            "normalize_before": True,
            "sanm_shfit": 0,
            "selfattention_layer_type": "sanm",
        },
        "decoder": "ContextualParaformerDecoder" if contextual else "ParaformerSANMDecoder",
        "decoder_conf": {
            **attention,
            "num_blocks": decoder_blocks,
            "att_layer_num": decoder_blocks,
            "dropout_rate": 0.1,
            "positional_dropout_rate": 0.1,
            "self_attention_dropout_rate": 0.1,
            "src_attention_dropout_rate": 0.1,
            "sanm_shfit": 0,
        },
        "predictor": "CifPredictorV2" if contextual else "CifPredictorV3",
        "predictor_conf": {
            "idim": width,
            "threshold": 1.0,
            "l_order": 1,
            "r_order": 1,
            "tail_threshold": 0.45,
        },
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
    if contextual:
        config["model_conf"] |= {
            "inner_dim": width,
            "bias_encoder_type": "lstm",
            "bias_encoder_dropout_rate": 0.1,
        }
    else:
        config["predictor_conf"] |= {
            "smooth_factor2": 0.25,
            "noise_threshold2": 0.01,
            "upsample_times": 3,
            "use_cif1_cnn": False,
            "upsample_type": "cnn_blstm",
        }
    return config


def build(config: dict, size: int) -> torch.nn.Module:
    """The untrained network of FunASR's own classes."""
    torch.manual_seed(0)
    known = {"BiCifParaformer": BiCifParaformer, "ContextualParaformer": ContextualParaformer}
    model = known[config["model"]](
        input_size=WIDTH_OF_FEATURES,
        vocab_size=size,
        **config["model_conf"],
        **{
            key: config[key]
            for part in ("encoder", "decoder", "predictor")
            for key in (part, f"{part}_conf")
        },
    ).eval()
    with torch.no_grad():
        model.predictor.cif_output.bias.fill_(math.log(RATE / (1 - RATE)))
        model.decoder.output_layer.bias[: len(SPECIAL)] = -1e3
        if isinstance(model, ContextualParaformer):
            # Untrained, the hotwords would change next to nothing.
            model.decoder.bias_output.weight[:, model.bias_embed.embedding_dim :] *= LOUDER
        elif size > SMALL:
            # The times of so deep a network are near ties everywhere, unless they hardly vary.
            model.predictor.cif_output2.weight *= 0.02
    return model


def parts_of(model: torch.nn.Module, config: dict) -> list[torch.nn.Module]:
    """The networks to export, rewritten for it by FunASR itself."""
    kinds = {part: config[part] for part in ("encoder", "decoder", "predictor")}
    parts = model.export(type="onnx", device="cpu", **kinds)
    return [part.eval() for part in (parts if isinstance(parts, tuple) else (parts,))]


def export(parts: list[torch.nn.Module], folder: Path) -> None:
    """model.onnx and model_quant.onnx, and the same of model_eb, with FunASR's own settings."""
    for part in parts:
        example = part.export_dummy_inputs()
        if "bias_embed" in part.export_input_names():
            example = (*example[:2], torch.randn(2, 1, part.bias_embed.embedding_dim))
        full = folder / f"{part.export_name}.onnx"
        with torch.no_grad():
            torch.onnx.export(
                part,
                example,
                str(full),
                opset_version=14,
                input_names=part.export_input_names(),
                output_names=part.export_output_names(),
                dynamic_axes=part.export_dynamic_axes(),
                dynamo=False,
            )
        names = [node.name for node in onnx.load(str(full)).graph.node]
        kept = ("output", "bias_encoder", "bias_decoder")
        quantize_dynamic(
            str(full),
            str(folder / f"{part.export_name}_quant.onnx"),
            op_types_to_quantize=["MatMul"],
            per_channel=True,
            reduce_range=False,
            weight_type=QuantType.QUInt8,
            nodes_to_exclude=[name for name in names if any(word in name for word in kept)],
        )


def mean_and_scale() -> tuple[np.ndarray, np.ndarray]:
    """Plausible values for log energies of 16-bit speech."""
    rng = np.random.default_rng(7)
    bands = np.tile(np.linspace(9.0, 13.0, 80), 7)
    return -(bands + rng.normal(0, 0.1, bands.size)), rng.uniform(0.2, 0.3, bands.size)


def write_beside(folder: Path, config: dict, tokens: list[str]) -> None:
    """am.mvn as Kaldi writes it, config.yaml and tokens.json."""
    shift, scale = (" ".join(f"{value:.6f}" for value in row) for row in mean_and_scale())
    (folder / "am.mvn").write_text(
        f"<Nnet>\n<Splice> 560 560\n[ 0 ]\n<AddShift> 560 560\n<LearnRateCoef> 0 [ {shift} ]\n"
        f"<Rescale> 560 560\n<LearnRateCoef> 0 [ {scale} ]\n</Nnet>\n",
        encoding="utf-8",
    )
    (folder / "config.yaml").write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")
    (folder / "tokens.json").write_text(json.dumps(tokens, ensure_ascii=False), encoding="utf-8")


def write_for_sherpa(source: Path, folder: Path) -> None:
    """The network without times in sherpa-onnx's layout: one file that knows its features."""
    graph = onnx.load(source / "model_quant.onnx")
    del graph.graph.output[2:]
    shift, scale = mean_and_scale()
    facts = {
        "model_type": "paraformer",
        "version": "1",
        "vocab_size": str(len(json.loads((source / "tokens.json").read_text()))),
        "lfr_window_size": "7",
        "lfr_window_shift": "6",
        "neg_mean": ",".join(f"{value:.6f}" for value in shift),
        "inv_stddev": ",".join(f"{value:.6f}" for value in scale),
    }
    onnx.helper.set_model_props(graph, facts)
    folder.mkdir(parents=True, exist_ok=True)
    onnx.save(without_unused(graph), folder / "model.int8.onnx")
    pieces = json.loads((source / "tokens.json").read_text())
    lines = (f"{piece} {index}\n" for index, piece in enumerate(pieces))
    (folder / "tokens.txt").write_text("".join(lines), encoding="utf-8")


def without_unused(graph: onnx.ModelProto) -> onnx.ModelProto:
    """Leave out what no output comes from."""
    needed = {output.name for output in graph.graph.output}
    kept = []
    for node in reversed(graph.graph.node):
        if needed & set(node.output):
            kept.append(node)
            needed |= set(node.input) | names_inside(node)
    del graph.graph.node[:]
    graph.graph.node.extend(reversed(kept))
    used = [tensor for tensor in graph.graph.initializer if tensor.name in needed]
    del graph.graph.initializer[:]
    graph.graph.initializer.extend(used)
    return graph


def names_inside(node: onnx.NodeProto) -> set[str]:
    """The inputs of the nodes in a loop or a branch, which may come from outside it."""
    inner = [each for attribute in node.attribute for each in attribute.g.node]
    return {name for each in inner for name in {*each.input, *names_inside(each)}} | {
        output.name for attribute in node.attribute for output in attribute.g.output
    }
