"""Inputs for graphs; and run by itself, loads a model and prints what it hears.

``python preparing.py DIRECTORY [LIMIT]``; no file may get larger than LIMIT bytes, as on a full
disk.
"""

from __future__ import annotations

import json
import logging
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from engines.paraformer.clips import clip

from capswriter.engines import Options, load

if TYPE_CHECKING:
    import onnxruntime as ort

SECONDS, SEED = 1, 1


def feeds_of(graph: ort.InferenceSession, lengths: tuple[int, ...]) -> list[dict[str, np.ndarray]]:
    random = np.random.default_rng(99)
    feeds = []
    for length in lengths:
        values = {
            "speech": random.standard_normal((1, length, 560), np.float32),
            "speech_lengths": np.array([length], np.int32),
            "language": np.array([length % 13], np.int32),
            "textnorm": np.array([14 + length % 2], np.int32),
            "bias_embed": random.standard_normal((1, 1 + length % 5, 32), np.float32),
        }
        values |= {"x": values["speech"], "x_length": values["speech_lengths"]}
        values |= {"text_norm": values["textnorm"]}
        feeds.append({each.name: values[each.name] for each in graph.get_inputs()})
    return feeds


def outputs_of(graph: ort.InferenceSession, feed: dict[str, np.ndarray]) -> list[bytes]:
    return [output.tobytes() for output in graph.run(None, feed)]


def main() -> None:
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s")
    if len(sys.argv) > 2:
        import resource

        resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]),) * 2)
    engine = load(Path(sys.argv[1]))
    print(json.dumps(engine.hear(clip(SECONDS, SEED), Options()).ids.tolist()))


if __name__ == "__main__":
    main()
