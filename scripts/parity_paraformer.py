"""Compare the paraformer engine with funasr-onnx, token by token and time by time.

    PYTHONPATH=src /tmp/lab/ref/bin/python scripts/parity_paraformer.py MODEL RECORDINGS

The recordings are compared one by one (at most 30 s), their middles of 0.1 and 1 s, and all of them
joined, 30 s at once. Needs what make_paraformer.py needs.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from funasr_onnx.paraformer_bin import Paraformer as Reference
from funasr_onnx.utils.timestamp_utils import time_stamp_lfr6_onnx
from funasr_onnx.utils.utils import ONNXRuntimeError
from make_paraformer import recorded

from capswriter.engines.paraformer import Paraformer, load

if TYPE_CHECKING:
    import numpy as np


@dataclass(slots=True)
class Score:
    """Counts of clips and tokens, and of those that are equal."""

    clips: int = 0
    same_clips: int = 0
    tokens: int = 0
    same_tokens: int = 0
    same_times: int = 0

    def __str__(self) -> str:
        return (
            f"{self.same_clips} of {self.clips} clips, {self.same_tokens} of {self.tokens} tokens "
            f"and {self.same_times} of {self.tokens} times are equal"
        )


def reference(model: Reference, samples: np.ndarray) -> tuple[list[int], list[list[int]]]:
    """Token ids, and their times in milliseconds where the network tells any."""
    features, lengths = model.extract_feat([samples])
    try:
        logits, counts, *times = model.infer(features, lengths)
    except ONNXRuntimeError:  # funasr-onnx takes it for silence
        return [], []
    pieces = model.decode_one(logits[0], counts[0])
    ids = [index for index in logits[0].argmax(-1).tolist() if index not in (0, 2)][: len(pieces)]
    if not times:
        return ids, []
    _, spans = time_stamp_lfr6_onnx(times[1][0], list(pieces))
    return ids, spans


def compare(engine: Paraformer, model: Reference, samples: np.ndarray, score: Score) -> bool:
    """Count what is equal in one clip; whether all of it is."""
    ids, spans = reference(model, samples)
    heard = engine.hear(samples)
    same = [ours == theirs for ours, theirs in zip(heard.ids.tolist(), ids, strict=False)]
    times = (heard.spans * 1000).astype(int).tolist()
    timed = [ours == theirs for ours, theirs in zip(times, spans, strict=False)]
    score.clips += 1
    score.tokens += max(len(ids), len(heard.ids))
    score.same_tokens += sum(same)
    score.same_times += sum(timed)
    equal = heard.ids.tolist() == ids and (times == spans or not spans)
    score.same_clips += equal
    return equal


def main() -> None:
    directory = Path(sys.argv[1])
    engine = load(directory, threads=1, device="cpu")
    model = Reference(str(directory), quantize=True, intra_op_num_threads=1)
    score = Score()
    for name, samples in recorded(Path(sys.argv[2])):
        equal = compare(engine, model, samples, score)
        print(f"{'equal ' if equal else 'DIFFER'} {name}", flush=True)
    print(score)


if __name__ == "__main__":
    main()
