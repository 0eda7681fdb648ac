"""Whether our engines hear what funasr-onnx hears, token by token and time by time.

``python -m capswriter.bench.engines.parity KIND MODEL SPEECH`` writes what funasr-onnx hears as
JSON; with another kaldi-native-fbank in ``PYTHONPATH`` it tells how much that one matters.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import asdict, dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import numpy as np

from capswriter.bench.engines.contenders import Kind, funasr_onnx
from capswriter.bench.engines.report import Section
from capswriter.bench.engines.speech import clips, recordings
from capswriter.bench.tables import Aim, Table
from capswriter.engines import Options, features, load

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from capswriter.audio import Samples
    from capswriter.bench.engines.fixtures import Place
    from capswriter.engines.paraformer import Paraformer
    from capswriter.engines.sensevoice import SenseVoice

NEWER = "newer-fbank"
"""Folder beside the reference's Python, of a kaldi-native-fbank from 1.21 on."""

ASKED = (("auto", True), ("zh", False))
"""Languages SenseVoice is told, and whether it is to normalise."""

BLANK, END = 0, 2


class Heard(NamedTuple):
    """Tokens, and for Paraformer their starts and ends in milliseconds, cut off."""

    ids: list[int]
    times: list[list[int]]


@dataclass(slots=True)
class Score:
    """Counts of clips and tokens, and of those that are equal."""

    clips: int = 0
    same_clips: int = 0
    tokens: int = 0
    same_tokens: int = 0
    same_times: int = 0

    def count(self, ours: Heard, theirs: Heard) -> None:
        """Compare one clip."""
        self.clips += 1
        self.same_clips += ours == theirs
        self.tokens += max(len(ours.ids), len(theirs.ids))
        self.same_tokens += sum(a == b for a, b in zip(ours.ids, theirs.ids, strict=False))
        self.same_times += sum(a == b for a, b in zip(ours.times, theirs.times, strict=False))


def score(ours: Mapping[str, Heard], theirs: Mapping[str, Heard]) -> Score:
    """Compare clips of the same names."""
    total = Score()
    for name, heard in theirs.items():
        total.count(ours[name], heard)
    return total


def measure(place: Place) -> Section:
    """Compare both kinds of engines, and the features."""
    section = Section("Parity with funasr-onnx")
    heard = clips(recordings(place.speech))
    seconds = sum(len(each) for each in heard.values()) / 16_000
    section.parts.append(
        f"{len(heard)} clips, {seconds:.0f} s in all; SenseVoice hears each twice: its language "
        "unknown and with ITN, and as Chinese and without."
    )
    rows = []
    for kind, directory in place.models(section):
        theirs = heard_by_funasr(kind, directory, heard)
        compared = {"ours": score(heard_by_us(kind, directory, heard), theirs)}
        if (newer := _newer(kind, directory, place.speech)) is not None:
            compared["funasr-onnx, kaldi-native-fbank ≥ 1.21"] = score(newer, theirs)
        for name, found in compared.items():
            times = f"{found.same_times}" if kind == "paraformer" else "–"
            rows.append(
                [
                    f"{kind}: {name}",
                    f"{found.same_clips} of {found.clips}",
                    f"{found.same_tokens} of {found.tokens}",
                    times,
                ]
            )
            section.figures[f"{kind}: {name}"] = asdict(found)
        own = compared["ours"]
        section.aims.append(
            Aim(
                f"{kind}: clips equal to the reference",
                own.same_clips / own.clips,
                1,
                at_least=True,
            )
        )
        largest, equal = features_apart(funasr_onnx(kind, directory), heard)
        section.figures[f"{kind}: features"] = {"largest difference": largest, "bit-equal": equal}
        section.parts.append(
            f"Log mel energies of {kind} beside kaldi-native-fbank's: at most {largest:.2g} apart, "
            f"{equal:.3%} equal to the last bit."
        )
    section.parts.append(Table(["", "equal clips", "equal tokens", "equal times of tokens"], rows))
    return section


def heard_by_us(kind: Kind, directory: Path, heard: Mapping[str, Samples]) -> dict[str, Heard]:
    """Ask our engine."""
    loaded = load(directory)
    if kind == "sensevoice":
        sensevoice = cast("SenseVoice", loaded)

        def ids(samples: Samples, language: str, itn: bool) -> list[int]:  # noqa: FBT001
            found: list[int] = sensevoice.hear(samples, Options(language, itn=itn)).ids.tolist()
            return found

        return _asked(heard, ids)
    paraformer = cast("Paraformer", loaded)
    return {name: _in_milliseconds(paraformer, samples) for name, samples in heard.items()}


def heard_by_funasr(kind: Kind, directory: Path, heard: Mapping[str, Samples]) -> dict[str, Heard]:
    """Ask funasr-onnx, step by step, as it gives texts alone."""
    model = funasr_onnx(kind, directory)
    if kind == "sensevoice":
        return _asked(heard, lambda *asked: _sensevoice_ids(model, *asked))
    return {name: _paraformer(model, samples) for name, samples in heard.items()}


def features_apart(model: Any, heard: Mapping[str, Samples]) -> tuple[float, float]:
    """Compare features with kaldi-native-fbank's.

    Args:
        model: of funasr-onnx.
        heard: clips.

    Returns:
        The largest difference of a logarithm, and the share that is equal to the last bit.
    """
    largest, equal, count = 0.0, 0, 0
    for samples in heard.values():
        theirs, _ = model.frontend.fbank(samples)
        difference = np.abs(features.fbank(samples) - theirs)
        largest = max(largest, float(difference.max()))
        equal += int((difference == 0).sum())
        count += difference.size
    return largest, equal / count


def _asked(
    heard: Mapping[str, Samples], ids: Callable[[Samples, str, bool], list[int]]
) -> dict[str, Heard]:
    return {
        f"{name}, {language}": Heard(ids(samples, language, itn), [])
        for name, samples in heard.items()
        for language, itn in ASKED
    }


def _in_milliseconds(engine: Paraformer, samples: Samples) -> Heard:
    heard = engine.hear(samples)
    return Heard(heard.ids.tolist(), (heard.spans * 1000).astype(int).tolist())


def _sensevoice_ids(model: Any, samples: Samples, language: str, itn: bool) -> list[int]:  # noqa: FBT001
    found, lengths = model.extract_feat([samples])
    told = (model.lid_dict[language], model.textnorm_dict["withitn" if itn else "woitn"])
    logits, counts = model.infer(found, lengths, *(np.array([each], np.int32) for each in told))
    best = logits[0, : counts[0]].argmax(-1)
    ids = best[np.append(True, np.diff(best) != 0)]
    kept: list[int] = ids[ids != BLANK].tolist()
    return kept


def _paraformer(model: Any, samples: Samples) -> Heard:
    utils = import_module("funasr_onnx.utils.utils")
    stamps = import_module("funasr_onnx.utils.timestamp_utils")
    found, lengths = model.extract_feat([samples])
    try:
        logits, counts, *times = model.infer(found, lengths)
    except utils.ONNXRuntimeError:  # funasr-onnx takes it for silence
        return Heard([], [])
    pieces = model.decode_one(logits[0], counts[0])
    best = logits[0].argmax(-1).tolist()
    ids = [index for index in best if index not in {BLANK, END}][: len(pieces)]
    _, spans = stamps.time_stamp_lfr6_onnx(times[1][0], list(pieces))
    return Heard(ids, spans)


def _newer(kind: Kind, directory: Path, speech: Path) -> dict[str, Heard] | None:
    """Ask funasr-onnx with a newer kaldi-native-fbank, where there is one."""
    folder = Path(sys.prefix, NEWER)
    if not folder.is_dir():
        return None
    done = subprocess.run(  # noqa: S603  # this module
        [sys.executable, "-m", __name__, kind, directory, speech],
        env={**os.environ, "PYTHONPATH": str(folder)},
        stdout=subprocess.PIPE,
        check=True,
    )
    answer = done.stdout.splitlines()[-1]  # funasr-onnx prints, too
    return {name: Heard(*each) for name, each in json.loads(answer).items()}


def _show(kind: Kind, directory: Path, speech: Path) -> None:
    heard = heard_by_funasr(kind, directory, clips(recordings(speech)))
    sys.stdout.write("\n" + json.dumps(heard) + "\n")


if __name__ == "__main__":
    _show(cast("Kind", sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]))
