"""What the engines on ONNX Runtime have in common: reading a model's directory."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import yaml

from capswriter.engines import features
from capswriter.engines.base import EngineFailed
from capswriter.engines.graph.metadata import metadata_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

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
        if "alloc" in str(error):
            raise EngineFailed(
                f"there is not enough memory to load the model in {directory}; "
                "end other programs, or start fewer --workers or a smaller --model"
            ) from error
        raise EngineFailed(f"the model in {directory} cannot be loaded: {line(error)}") from error


def line(error: Exception) -> str:
    """What an error says, in one line."""
    return " ".join(str(error).split()) or type(error).__name__
