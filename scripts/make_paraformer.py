"""Make a Paraformer model directory with random weights, and record what FunASR hears with it.

The graph, the shapes, the quantisation and the files are those of paraformer-large as ModelScope
publishes it for ONNX (218 M parameters, model_quant.onnx about 240 MB), so parity, speed and memory
measured on it hold for the real weights. Its text is noise, and the same noise for every correct
implementation. Untrained, a network hangs between its tokens: with weights of one byte, a rounding
error in the features changes one in twenty of them. So the bias of the predictor is set for four
tokens a second, and the output layer, for some clips or recordings, far from any tie.

Needs torch, funasr, funasr-onnx, onnx and onnxruntime, in an environment of their own:

    python scripts/make_paraformer.py OUT --recordings ../shared/speech   # minutes, 5 GB of memory
    python scripts/make_paraformer.py OUT --small --expect                # two blocks of width 32
    python scripts/make_paraformer.py OUT --small --expect --contextual   # takes hotwords
    python scripts/make_paraformer.py OUT --small --expect --sherpa OUT2  # also as for sherpa-onnx
"""

from __future__ import annotations

import argparse
import json
import logging
import operator
import shutil
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import librosa
import numpy as np
import onnx
import onnxruntime as ort
import yaml
from funasr_onnx.paraformer_bin import ContextualParaformer, Paraformer
from funasr_onnx.utils.frontend import WavFrontend
from funasr_onnx.utils.timestamp_utils import time_stamp_lfr6_onnx
from funasr_onnx.utils.utils import ONNXRuntimeError
from paraformer_networks import (
    LARGE,
    SMALL,
    SPECIAL,
    build,
    configuration,
    export,
    parts_of,
    vocabulary,
    write_beside,
    write_for_sherpa,
)

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "engines" / "paraformer"))
from clips import clip

if TYPE_CHECKING:
    from collections.abc import Iterator

SECONDS = (0.1, 1, 3, 10, 30)
SECONDS_WITH_HOTWORDS = (0.1, 1, 3, 10)
SEEDS, SHAKES = 60, 6
RADII = np.arange(2, 12, 0.5)
MAXIMUM = 30
HOTWORDS = ("", "一丁", "api 一丁七万丈三上下不与 ab")


def inputs_of(folder: Path, samples: np.ndarray) -> dict[str, np.ndarray]:
    """Features as funasr-onnx makes them."""
    settings = yaml.safe_load((folder / "config.yaml").read_text())["frontend_conf"]
    frontend = WavFrontend(str(folder / "am.mvn"), **settings)
    features, count = frontend.lfr_cmvn(frontend.fbank(samples)[0])
    return {"speech": features[None].astype(np.float32), "speech_lengths": count[None]}


def shaken(inputs: dict[str, np.ndarray]) -> Iterator[dict[str, np.ndarray]]:
    """The same inputs with differences as small as another processor's rounding.

    Dynamic quantisation makes of them differences as large as its own steps.
    """
    rng = np.random.default_rng(1)
    for _ in range(SHAKES):
        speech = inputs["speech"]
        yield inputs | {"speech": speech + rng.normal(0, 1e-4, speech.shape).astype(np.float32)}


def separate(folder: Path, clips: list[dict[str, np.ndarray]]) -> None:
    """Give each token of the clips an id of its own, far from a tie.

    The output layer becomes a search for the nearest of the decoder's states.
    """
    graph = onnx.load(folder / "model_quant.onnx")
    (product,) = (node for node in graph.graph.node if node.name.endswith("output_layer/MatMul"))
    graph.graph.output.append(onnx.helper.make_empty_tensor_value_info(product.input[0]))
    session = ort.InferenceSession(graph.SerializeToString())
    centres, spread = [], 0.0
    for each in clips:
        try:
            runs = [session.run([product.input[0]], inputs)[0][0] for inputs in shaken(each)]
        except Exception:  # noqa: BLE001 - ONNX Runtime's, of many classes: it hears no token
            continue
        if len({len(run) for run in runs}) > 1:
            raise SystemExit("the number of tokens is a near tie")
        centres.append(np.mean(runs, axis=0))
        spread = max(spread, np.linalg.norm(np.array(runs) - centres[-1], axis=-1).max())
    states = np.concatenate(centres)
    margin, kept = max(
        (apart(states, radius * spread) for radius in RADII), key=operator.itemgetter(0)
    )
    print(f"{len(states)} tokens, {len(kept)} ids; spread {spread:.3g}, ties {margin:.3g} away")
    for name in ("model.onnx", "model_quant.onnx"):
        write_output_layer(folder / name, kept)


def apart(states: np.ndarray, radius: float) -> tuple[float, np.ndarray]:
    """Choose states farther from each other than the radius, and tell how near a tie gets."""
    kept = [0]
    for index, state in enumerate(states):
        if np.linalg.norm(states[kept] - state, axis=1).min() > radius:
            kept.append(index)
    if len(kept) == 1:
        return 0.0, states[kept]
    distances = np.array([np.linalg.norm(states[kept] - state, axis=1) for state in states])
    nearest = np.partition(distances, 1, axis=1)
    return float((nearest[:, 1] - nearest[:, 0]).min()), states[kept]


def write_output_layer(path: Path, states: np.ndarray) -> None:
    """Make the likeliest id that of the nearest state; ids are dealt at random."""
    graph = onnx.load(path)
    (product,) = (node for node in graph.graph.node if node.name.endswith("output_layer/MatMul"))
    (add,) = (node for node in graph.graph.node if node.name.endswith("output_layer/Add"))
    held = {tensor.name: tensor for tensor in graph.graph.initializer}
    weight = held[product.input[1]]
    bias = next(held[name] for name in add.input if name in held)
    size = bias.dims[0]
    ids = np.random.default_rng(2).permutation(np.arange(len(SPECIAL), size - 1))[: len(states)]
    weights = np.zeros((states.shape[1], size), np.float32)
    biases = np.full(size, -1e3, np.float32)
    weights[:, ids] = states.T
    biases[ids] = -(states**2).sum(axis=1) / 2
    weight.CopyFrom(onnx.numpy_helper.from_array(weights, weight.name))
    bias.CopyFrom(onnx.numpy_helper.from_array(biases, bias.name))
    # Hints of shapes, a tenth of a small file; ONNX Runtime finds them itself.
    del graph.graph.value_info[:]
    onnx.save(graph, path)


def make_steady(folder: Path, *, contextual: bool) -> dict[float, int]:
    """Choose a clip of each length, and give its tokens ids far from ties; the clips' seeds."""
    fixed: list[dict[str, np.ndarray]] = [{}]
    if contextual:
        model = reference(folder, contextual=True)
        fixed = [{"bias_embed": bias_of(model, hotwords)} for hotwords in HOTWORDS]
    seconds = SECONDS_WITH_HOTWORDS if contextual else SECONDS
    seeds = {each: steadiest_seed(folder, each, fixed[0]) for each in seconds}
    inputs = [inputs_of(folder, clip(each, seed)) for each, seed in seeds.items()]
    separate(folder, [each | more for each in inputs for more in fixed])
    return seeds


def steadiest_seed(folder: Path, seconds: float, fixed: dict[str, np.ndarray]) -> int:
    """Choose the clip whose times are farthest from near ties."""
    session = ort.InferenceSession(folder / "model_quant.onnx")
    best, chosen = 0.0, -1
    for seed in range(SEEDS):
        inputs = inputs_of(folder, clip(seconds, seed)) | fixed
        try:
            runs = [session.run(None, each) for each in shaken(inputs)]
        except Exception:  # noqa: BLE001 - ONNX Runtime's, of many classes: it hears no token
            continue
        if len({int(run[1][0]) for run in runs}) > 1:
            continue
        if "us_cif_peak" not in [output.name for output in session.get_outputs()]:
            return seed
        sums = np.array([run[3][0] for run in runs])
        spread = np.abs(sums - sums.mean(axis=0)).max(axis=0) + 1e-6
        steadiness = float((np.abs(sums.mean(axis=0) - (1 - 1e-4)) / spread).min())
        if steadiness > best:
            best, chosen = steadiness, seed
    print(f"{seconds} s: clip {chosen}, its times {best:.3g} spreads away from a tie")
    return chosen


def recorded(folder: Path) -> Iterator[tuple[str, np.ndarray]]:
    """Recordings at 16 kHz: 0.1 s, 1 s and all of each, and all of them together, 30 s at once."""
    every = []
    for path in sorted([*folder.glob("*.wav"), *folder.glob("*.flac")]):
        samples, rate = librosa.load(path, sr=16_000, mono=True)
        every.append(samples)
        middle = len(samples) // 2
        yield f"{path.name}, 0.1 s", samples[middle : middle + rate // 10]
        yield f"{path.name}, 1 s", samples[middle : middle + rate]
        yield path.name, samples[: MAXIMUM * rate]
    joined = np.concatenate(every)
    for start in range(0, len(joined), MAXIMUM * rate):
        yield f"all, from {start / rate:.0f} s", joined[start : start + MAXIMUM * rate]


def heard(model: Any, seconds: float, seed: int, hotwords: str | None) -> dict[str, Any]:
    """What funasr-onnx makes of a clip."""
    row: dict[str, Any] = {"seconds": seconds, "seed": seed}
    features, lengths = model.extract_feat([clip(seconds, seed)])
    try:
        if hotwords is None:
            logits, counts, *times = model.infer(features, lengths)
        else:
            row["hotwords"] = hotwords
            logits, counts, *times = model.bb_infer(features, lengths, bias_of(model, hotwords))
    except ONNXRuntimeError:  # funasr-onnx takes it for silence
        return row | {"ids": [], "times": []}
    pieces = model.decode_one(logits[0], counts[0])
    row["ids"] = [model.converter.token2id[piece] for piece in pieces]
    if times:
        _, row["times"] = time_stamp_lfr6_onnx(times[1][0], list(pieces))
    return row


def bias_of(model: Any, hotwords: str) -> np.ndarray:
    """The vectors of hotwords; for none of them FunASR's torch model has the one of <s> alone."""
    tokens, lengths = model.proc_hotword(hotwords)
    if not hotwords:
        tokens, lengths = tokens[1:], lengths[1:]
    (states,) = model.eb_infer(tokens, lengths)
    return states.transpose(1, 0, 2)[np.arange(len(tokens)), lengths][None]


def reference(folder: Path, *, contextual: bool) -> Any:
    """The model as funasr-onnx loads it."""
    kind = ContextualParaformer if contextual else Paraformer
    return kind(str(folder), quantize=True, intra_op_num_threads=1)


def expect(model: Any, seeds: dict[float, int], folder: Path, *, contextual: bool) -> None:
    """Write expected.json."""
    prompts = HOTWORDS if contextual else (None,)
    rows = [
        heard(model, seconds, seed, prompt) for seconds, seed in seeds.items() for prompt in prompts
    ]
    packages = ("funasr", "funasr-onnx", "kaldi-native-fbank", "numpy", "onnxruntime", "torch")
    versions = {package: version(package) for package in packages}
    lines = ",\n  ".join(json.dumps(row) for row in rows)
    text = f'{{"versions": {json.dumps(versions)},\n "clips": [\n  {lines}\n]}}\n'
    (folder / "expected.json").write_text(text, encoding="utf-8")


def expect_of_sherpa(source: Path, folder: Path, seeds: dict[float, int]) -> None:
    """Write expected.json for a network whose only sign of the end is ``</s>``."""
    with tempfile.TemporaryDirectory() as name:
        same = Path(name)
        for file in ("am.mvn", "config.yaml", "tokens.json"):
            shutil.copy(source / file, same)
        shutil.copy(folder / "model.int8.onnx", same / "model_quant.onnx")
        model = reference(same, contextual=False)
        model.pred_bias = 0
        expect(model, seeds, folder, contextual=False)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--small", action="store_true", help="two blocks of width 32")
    parser.add_argument("--contextual", action="store_true", help="the build that takes hotwords")
    parser.add_argument("--sherpa", type=Path, metavar="TO", help="write sherpa-onnx's layout too")
    parser.add_argument("--expect", action="store_true", help="write expected.json too")
    parser.add_argument("--recordings", type=Path, help="tokens of these are kept from ties too")
    options = parser.parse_args()
    logging.disable(logging.WARNING)
    folder = options.folder
    folder.mkdir(parents=True, exist_ok=True)
    config = configuration(small=options.small, contextual=options.contextual)
    tokens = vocabulary(SMALL if options.small else LARGE)
    export(parts_of(build(config, len(tokens)), config), folder)
    write_beside(folder, config, tokens)
    if options.expect:
        seeds = make_steady(folder, contextual=options.contextual)
        model = reference(folder, contextual=options.contextual)
        expect(model, seeds, folder, contextual=options.contextual)
    if options.recordings:
        separate(folder, [inputs_of(folder, each) for _, each in recorded(options.recordings)])
    if options.sherpa:
        write_for_sherpa(folder, options.sherpa)
        if options.expect:
            expect_of_sherpa(folder, options.sherpa, seeds)
    print(
        *(f"{file.name} {file.stat().st_size:,} B" for file in sorted(folder.iterdir())), sep="\n"
    )


if __name__ == "__main__":
    main()
