"""What the engines on ONNX Runtime have in common: reading a model's directory."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np
import yaml

from capswriter.audio import SAMPLE_RATE
from capswriter.engines import features
from capswriter.engines.base import EngineFailed
from capswriter.engines.graph.metadata import metadata_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    import numpy.typing as npt

NETWORKS = ("model_quant.onnx", "model.int8.onnx", "model.onnx")
"""Names of the network, the one to prefer first."""


def kind_of(directory: Path) -> str:
    """Tell which kind of network a directory of FunASR's or of sherpa-onnx's holds.

    Returns:
        What its configuration or its metadata say (``"SenseVoiceSmall"``, ``"sense_voice_ctc"``,
        ``"paraformer"`` …); empty where they say nothing, or it is no such directory.
    """
    try:
        network = first_of(directory, NETWORKS)
        configuration = directory / "config.yaml"
        if configuration.is_file():
            settings = yaml.safe_load(configuration.read_text(encoding="utf-8"))
            return str(settings.get("model") or "") if isinstance(settings, dict) else ""
        return metadata_of(network).get("model_type", "")
    except (OSError, ValueError, yaml.YAMLError):
        return ""


def first_of(directory: Path, names: Sequence[str]) -> Path:
    """Find the first of several names that there is.

    Raises:
        FileNotFoundError: there is none.
    """
    for name in names:
        if (directory / name).is_file():
            return directory / name
    raise FileNotFoundError(f"it has no {' or '.join(names)}")


def normalisation_in(metadata: Mapping[str, str]) -> features.Normalisation:
    """Read how a network of sherpa-onnx wants its features.

    Raises:
        KeyError, ValueError: it does not say, or wants what is not known here.
    """
    stacking = (int(metadata["lfr_window_size"]), int(metadata["lfr_window_shift"]))
    if stacking != (features.STACKED, features.KEPT_EVERY):
        raise ValueError(f"it stacks frames as {stacking}, which no model known here does")
    shift, scale = (
        [float(value) for value in metadata[key].split(",")] for key in ("neg_mean", "inv_stddev")
    )
    return features.Normalisation(shift, scale)


@contextmanager
def loading(directory: Path) -> Iterator[None]:
    """Say in one line why a model cannot be loaded.

    Raises:
        EngineFailed: in place of whatever was raised.
    """
    try:
        yield
    except EngineFailed:
        raise
    except Exception as error:  # ONNX Runtime's are of many classes, and yaml's too
        if wants_memory(error):
            raise EngineFailed(
                f"there is not enough memory to load the model in {directory}; "
                "end other programs, or start fewer --workers or a smaller --model"
            ) from error
        raise EngineFailed(f"the model in {directory} cannot be loaded: {line(error)}") from error


def trial_inputs() -> list[npt.NDArray[np.float32]]:
    """Make features as loud and as varied as those of speech, for checking prepared graphs.

    Returns:
        Each float32[t, 560], of several lengths: a vowel that a voice at 120 Hz repeats four times
        a second, and noise as even as the normalised features of a corpus are on average.
    """
    random = np.random.default_rng(0)
    voiced = []
    for seconds in (1.0, 6.0):
        time = np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
        harmonics = sum(np.sin(2 * np.pi * 120 * n * time) / n for n in range(1, 30))
        syllables = np.sin(2 * np.pi * 2 * time) ** 2
        sound = 0.1 * harmonics * syllables + 0.001 * random.standard_normal(len(time))
        voiced.append(features.stacked(features.fbank(sound.astype(np.float32))))
    every = np.concatenate(voiced)
    mean, deviation = every.mean(axis=0), every.std(axis=0)
    width = features.STACKED * features.BANDS
    # The last is the longest there is: what a mask hides in it, it may hide in others.
    even = [random.standard_normal((length, width), np.float32) for length in (1, 17, 100, 500)]
    return [*((each - mean) / deviation for each in voiced), *even]


def wants_memory(error: Exception) -> bool:
    """Tell whether there was not enough memory."""
    return "alloc" in str(error)


def line(error: Exception) -> str:
    """What an error says, in one line."""
    return " ".join(str(error).split()) or type(error).__name__
