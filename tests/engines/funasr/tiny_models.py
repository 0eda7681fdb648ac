"""Make small models of FunASR's own classes, in directories like those that are published.

    python tiny_models.py SAMPLES.npy TEXT OUT

A process of its own makes them, as FunASR and torch warn of much while they are imported. It also
asks ``AutoModel`` itself what it hears, and writes that to ``expected.json``.
"""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path

import numpy as np
import torch
import yaml
from funasr import AutoModel
from funasr.frontends.wav_frontend import WavFrontend
from funasr.models.bicif_paraformer.model import BiCifParaformer
from funasr.models.contextual_paraformer.model import ContextualParaformer
from funasr.models.sense_voice.model import SenseVoiceSmall
from sentencepiece import sentencepiece_model_pb2 as pb2

TAGS = ["<|en|>", "<|NEUTRAL|>", "<|Speech|>", "<|withitn|>", "<|woitn|>"]
MARKS = [".", ","]
AUTO, EVENT, EMOTION, WITH_ITN, WITHOUT_ITN = 0, 1, 2, 14, 15
"""Rows of SenseVoice's table of what it is asked; see its ``inference``."""

STEPS = 600

FRONTEND = {
    "fs": 16000,
    "window": "hamming",
    "n_mels": 80,
    "frame_length": 25,
    "frame_shift": 10,
    "lfr_m": 7,
    "lfr_n": 6,
}
NO_DROPOUT = {
    "dropout_rate": 0.0,
    "positional_dropout_rate": 0.0,
}
ENCODER = {
    "output_size": 64,
    "attention_heads": 4,
    "linear_units": 128,
    "num_blocks": 2,
    "attention_dropout_rate": 0.0,
    "input_layer": "pe",
    "pos_enc_class": "SinusoidalPositionEncoder",
    "normalize_before": True,
    "kernel_size": 11,
    "sanm_shfit": 0,
    "selfattention_layer_type": "sanm",
    **NO_DROPOUT,
}
SENSEVOICE_ENCODER = ENCODER | {"tp_blocks": 1}
DECODER = {
    "attention_heads": 4,
    "linear_units": 128,
    "num_blocks": 2,
    "att_layer_num": 2,
    "kernel_size": 11,
    "sanm_shfit": 0,
    "self_attention_dropout_rate": 0.0,
    "src_attention_dropout_rate": 0.0,
    **NO_DROPOUT,
}
PREDICTOR = {"idim": 64, "threshold": 1.0, "l_order": 1, "r_order": 1, "tail_threshold": 0.45}
UPSAMPLING = {
    "smooth_factor2": 0.25,
    "noise_threshold2": 0.01,
    "upsample_times": 3,
    "use_cif1_cnn": False,
    "upsample_type": "cnn_blstm",
}
RATE = 0.25
"""Paraformer's tokens per frame of 60 ms: four a second."""


def make_sensevoice(directory: Path, samples: np.ndarray, text: str) -> None:
    """Write a SenseVoice-small that has learned one recording by heart.

    With ITN it writes ``text``, without ITN the same in lower case without punctuation.
    """
    torch.manual_seed(0)
    pieces = ["<unk>", "<s>", "</s>", *TAGS, *MARKS, *_words(text), *_words(_plain(text))]
    pieces = list(dict.fromkeys(pieces))
    _write_sentencepieces(directory / "chn_jpn_yue_eng_ko_spectok.bpe.model", pieces)
    _write_cmvn(directory / "am.mvn")
    configuration = {
        "encoder": "SenseVoiceEncoderSmall",
        "encoder_conf": SENSEVOICE_ENCODER,
        "model": "SenseVoiceSmall",
        "model_conf": {"length_normalized_loss": True, "sos": 1, "eos": 2, "ignore_id": -1},
        "tokenizer": "SentencepiecesTokenizer",
        "tokenizer_conf": {"bpemodel": None, "unk_symbol": "<unk>", "split_with_space": True},
        "frontend": "WavFrontend",
        "frontend_conf": FRONTEND | {"cmvn_file": None},
    }
    metas = {
        "init_param": "model.pt",
        "config": "config.yaml",
        "tokenizer_conf": {"bpemodel": "chn_jpn_yue_eng_ko_spectok.bpe.model"},
        "frontend_conf": {"cmvn_file": "am.mvn"},
    }
    _write_configuration(directory, configuration, metas)
    frontend = WavFrontend(**FRONTEND, cmvn_file=str(directory / "am.mvn"), dither=0.0)
    model = SenseVoiceSmall(
        encoder="SenseVoiceEncoderSmall",
        encoder_conf=SENSEVOICE_ENCODER,
        input_size=560,
        vocab_size=len(pieces),
    ).eval()
    features, _ = frontend(torch.from_numpy(samples.copy())[None], torch.tensor([len(samples)]))
    _learn(
        model,
        features,
        [
            (WITH_ITN, [pieces.index(each) for each in [*TAGS[:4], *_words(text)]]),
            (
                WITHOUT_ITN,
                [pieces.index(each) for each in [*TAGS[:3], TAGS[4], *_words(_plain(text))]],
            ),
        ],
    )
    torch.save(model.state_dict(), directory / "model.pt")


def _learn(
    model: SenseVoiceSmall, features: torch.Tensor, lessons: list[tuple[int, list[int]]]
) -> None:
    """Train until the model says, asked for each kind of text, what it is to say."""
    optimiser = torch.optim.Adam(model.parameters(), lr=3e-3)
    queries = torch.tensor([[AUTO, EVENT, EMOTION, itn] for itn, _ in lessons])
    targets = [torch.tensor(target) for _, target in lessons]
    counts = torch.tensor([len(target) - 4 for target in targets])
    for _ in range(STEPS):
        heard = torch.cat((model.embed(queries), features.expand(len(lessons), -1, -1)), dim=1)
        lengths = torch.full((len(lessons),), heard.shape[1])
        logits = model.ctc.ctc_lo(model.encoder(heard, lengths)[0])
        best = [torch.unique_consecutive(row) for row in logits.argmax(-1)]
        if all(
            torch.equal(row[row != 0], target) for row, target in zip(best, targets, strict=True)
        ):
            return
        tags = torch.nn.functional.cross_entropy(
            logits[:, :4].flatten(0, 1), torch.cat([target[:4] for target in targets])
        )
        words = torch.nn.functional.ctc_loss(
            logits[:, 4:].log_softmax(-1).transpose(0, 1),
            torch.cat([target[4:] for target in targets]),
            lengths - 4,
            counts,
        )
        optimiser.zero_grad()
        (tags + words).backward()
        optimiser.step()
    raise AssertionError("the model has not learned its text")


def _plain(text: str) -> str:
    return "".join(char for char in text.lower() if char not in MARKS)


def _words(text: str) -> list[str]:
    for mark in MARKS:
        text = text.replace(mark, f"\0{mark}")
    return [
        "▁" + part if part not in MARKS else part
        for each in text.split()
        for part in each.split("\0")
    ]


def make_paraformer(directory: Path, *, contextual: bool) -> None:
    """Write a Paraformer with random weights, which hears Chinese characters and Latin words.

    Args:
        directory: to write to.
        contextual: whether it is the build that takes hotwords; the other one gives times.
    """
    torch.manual_seed(0)
    latin = ["he@@", "llo", "world", "asr"]
    tokens = ["<blank>", "<s>", "</s>", *map(chr, range(0x4E00, 0x4E40)), *latin, "<unk>"]
    parts = {
        "encoder": "SANMEncoder",
        "encoder_conf": ENCODER,
        "decoder": "ContextualParaformerDecoder" if contextual else "ParaformerSANMDecoder",
        "decoder_conf": DECODER,
        "predictor": "CifPredictorV2" if contextual else "CifPredictorV3",
        "predictor_conf": PREDICTOR if contextual else PREDICTOR | UPSAMPLING,
    }
    settings = {"predictor_bias": 1, "sampling_ratio": 0.75}
    if contextual:
        settings |= {"inner_dim": 64, "bias_encoder_type": "lstm", "bias_encoder_dropout_rate": 0.0}
    configuration = {
        "model": "ContextualParaformer" if contextual else "BiCifParaformer",
        "model_conf": settings,
        **parts,
        "tokenizer": "CharTokenizer",
        "tokenizer_conf": {"unk_symbol": "<unk>", "split_with_space": True},
        "frontend": "WavFrontend",
        "frontend_conf": FRONTEND,
    }
    metas = {
        "init_param": "model.pt",
        "config": "config.yaml",
        "tokenizer_conf": {"token_list": "tokens.json"},
        "frontend_conf": {"cmvn_file": "am.mvn"},
    }
    _write_configuration(directory, configuration, metas)
    _write_cmvn(directory / "am.mvn")
    (directory / "tokens.json").write_text(json.dumps(tokens))
    kind = ContextualParaformer if contextual else BiCifParaformer
    model = kind(input_size=560, vocab_size=len(tokens), **parts, **settings).eval()
    with torch.no_grad():
        model.predictor.cif_output.bias.fill_(math.log(RATE / (1 - RATE)))
        model.decoder.output_layer.bias[:3] = -1e3
        if contextual:
            model.decoder.bias_output.weight.mul_(30)  # so that hotwords matter
    torch.save(model.state_dict(), directory / "model.pt")


def _write_sentencepieces(path: Path, pieces: list[str]) -> None:
    proto = pb2.ModelProto()
    proto.trainer_spec.model_type = pb2.TrainerSpec.UNIGRAM
    proto.trainer_spec.vocab_size = len(pieces)
    proto.normalizer_spec.add_dummy_prefix = False
    kinds = {"<unk>": "UNKNOWN", "<s>": "CONTROL", "</s>": "CONTROL"}
    for index, text in enumerate(pieces):
        kind = kinds.get(text, "USER_DEFINED" if text in TAGS else "NORMAL")
        piece = proto.pieces.add()
        piece.piece, piece.score = text, -math.log(index + 1)
        piece.type = pb2.ModelProto.SentencePiece.Type.Value(kind)
    path.write_bytes(proto.SerializeToString())


def _write_cmvn(path: Path) -> None:
    """Write the shift and the scale of 560 features, near to those of real ones."""
    shift, scale = " ".join(["-11.0"] * 560), " ".join(["0.2"] * 560)
    lines = ["<Nnet>", "<Splice> 560 560", "[ 0 ]"]
    for name, values in (("AddShift", shift), ("Rescale", scale)):
        lines += [f"<{name}> 560 560", f"<LearnRateCoef> 0 [ {values} ]"]
    path.write_text("\n".join([*lines, "</Nnet>", ""]))


def _write_configuration(directory: Path, configuration: dict, metas: dict) -> None:
    (directory / "config.yaml").write_text(yaml.safe_dump(configuration, sort_keys=False))
    (directory / "configuration.json").write_text(
        json.dumps(
            {"framework": "pytorch", "task": "auto-speech-recognition", "file_path_metas": metas}
        )
    )


def ask(directory: Path, samples: np.ndarray) -> dict:
    """Ask FunASR itself, as its own documentation does, except for the dither."""
    model = AutoModel(
        model=str(directory), disable_update=True, disable_pbar=True, frontend_conf={"dither": 0.0}
    )
    return model.generate(input=samples.copy(), use_itn=True, output_timestamp=True)[0]


def main() -> None:
    torch.set_num_threads(1)  # the model is too small for more, and the machine may be busy
    samples, text, out = np.load(sys.argv[1]), sys.argv[2], Path(sys.argv[3])
    expected = {}
    for name in ("sensevoice", "paraformer", "contextual"):
        directory = out / name
        directory.mkdir()
        if name == "sensevoice":
            make_sensevoice(directory, samples, text)
        else:
            make_paraformer(directory, contextual=name == "contextual")
        expected[name] = ask(directory, samples)
    (out / "expected.json").write_text(json.dumps(expected))


if __name__ == "__main__":
    main()
