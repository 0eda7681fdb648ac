"""Making the prepared copy of a model: the same numbers in less time and less memory.

``python -m capswriter.engines.graph.prepare MODEL DIRECTORY TRIALS`` is run by ``prepared``, in a
process of its own: making a copy takes five times the model's memory, which goes with the process.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import onnxruntime as ort
from onnx import external_data_helper, helper

from capswriter.engines.graph import signedness
from capswriter.engines.graph.rewrite import drop_masks, join_attention, sign_weights
from capswriter.engines.graph.session import open_session, options

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from capswriter.engines.graph.session import Feed

MODEL, WEIGHTS, RECIPE_FILE = "model.onnx", "weights.bin", "recipe.json"

DISK_REFUSED = 3
"""The exit status that says that another time it may succeed."""

SMALLEST = 1024
"""Bytes of a tensor that is worth sharing."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """What a copy is made by.

    Args:
        signed: weights of integer products are encoded as signed bytes.
        unmasked: masks that hide nothing are left out.
        joined: attention reads its heads in place.
    """

    signed: bool
    unmasked: bool = True
    joined: bool = True

    def __str__(self) -> str:
        parts = {
            "weights as signed bytes": self.signed,
            "no masks": self.unmasked,
            "attention in place": self.joined,
        }
        return ", ".join(["fused", *(part for part, done in parts.items() if done)])


class Differs(Exception):
    """The copy gives other numbers than the original."""


def make(source: Path, directory: Path, trials: Sequence[Feed]) -> Recipe:
    """Make a copy in ``directory``: the graph, and its weights as the kernels want them.

    Workers map the weights from one file, so all of them use the same memory.

    Args:
        source: the ``.onnx`` file.
        directory: exists, and is empty.
        trials: inputs like those the graph will get; for each that the original can compute, the
            copy gives the same, bit for bit.

    Returns:
        What was done.

    Raises:
        Differs: it does not, whatever is left undone.
        ValueError: the weights are not in the file, so its hash does not tell what they are.
        Exception: of ONNX Runtime or of the disk.
    """
    graph = onnx.load(source, load_external_data=False).graph
    if any(external_data_helper.uses_external_data(tensor) for tensor in graph.initializer):
        raise ValueError(f"the weights of {source.name} lie in another file")
    del graph
    trials, expected = _computed(open_session(source), trials)
    signed = signedness.prefers_signed()
    for recipe in (
        Recipe(signed),
        Recipe(signed, joined=False),
        Recipe(signed, unmasked=False, joined=False),
    ):
        _write(source, directory, recipe, trials)
        copy = open_session(directory / MODEL, optimise=False)
        if _same(_run(copy, trials), expected):
            return recipe
    raise Differs(f"no copy of {source.name} gives the same numbers")


def _write(source: Path, directory: Path, recipe: Recipe, trials: Sequence[Feed]) -> None:
    draft = directory / "draft.onnx"
    model = onnx.load(source)
    if recipe.signed:
        sign_weights(model)
    onnx.save(model, draft)
    if recipe.unmasked or recipe.joined:
        del model
        _rewrite(draft, recipe, trials)
    _optimise(draft, directory / MODEL, weights=WEIGHTS)
    draft.unlink()


def _rewrite(draft: Path, recipe: Recipe, trials: Sequence[Feed]) -> None:
    """Rewrite what ONNX Runtime has fused, where the patterns are plainer."""
    optimised = draft.with_name("optimised.onnx")
    _optimise(draft, optimised)
    model = onnx.load(optimised)
    if recipe.unmasked:
        drop_masks(model, lambda names: _values(model, names, draft, trials))
    if recipe.joined:
        join_attention(model)
    onnx.save(model, draft)
    optimised.unlink()


def _optimise(source: Path, target: Path, *, weights: str = "") -> None:
    """Have ONNX Runtime fuse what it can, and write that down."""
    settings = options(threads=1)
    settings.optimized_model_filepath = str(target)
    if weights:
        for name, value in (
            ("session.optimized_model_external_initializers_file_name", weights),
            ("session.optimized_model_external_initializers_min_size_in_bytes", str(SMALLEST)),
            ("session.save_external_prepacked_constant_initializers", "1"),
        ):
            settings.add_session_config_entry(name, value)
    ort.InferenceSession(str(source), settings, providers=["CPUExecutionProvider"])


def _values(
    model: onnx.ModelProto, names: Sequence[str], draft: Path, trials: Sequence[Feed]
) -> list[list[npt.NDArray[Any]]]:
    """Compute tensors inside of a graph."""
    probe = onnx.ModelProto()
    probe.CopyFrom(model)
    del probe.graph.output[:]
    probe.graph.output.extend(helper.make_empty_tensor_value_info(name) for name in names)
    onnx.save(probe, draft)
    return _run(open_session(draft, optimise=False), trials)


def _computed(
    original: ort.InferenceSession, trials: Sequence[Feed]
) -> tuple[list[Feed], list[list[npt.NDArray[Any]]]]:
    """Find the trials that the original can compute, and what it makes of them."""
    computed, outputs = [], []
    for feed in trials:
        with suppress(Exception):  # FunASR's Paraformer fails where it hears no word
            outputs.append(original.run(None, feed))
            computed.append(feed)
    if not computed:
        raise Differs("it computes none of the trials")
    return computed, outputs


def _run(session: ort.InferenceSession, trials: Sequence[Feed]) -> list[list[npt.NDArray[Any]]]:
    return [session.run(None, feed) for feed in trials]


def _same(ones: list[list[npt.NDArray[Any]]], others: list[list[npt.NDArray[Any]]]) -> bool:
    """Compare bit for bit."""
    return all(
        a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()
        for one, other in zip(ones, others, strict=True)
        for a, b in zip(one, other, strict=True)
    )


def save_trials(path: Path, trials: Sequence[Feed]) -> None:
    """Write inputs down for the process that makes the copy."""
    arrays = {
        f"{index} {name}": value
        for index, feed in enumerate(trials)
        for name, value in feed.items()
    }
    np.savez(path, **arrays)  # type: ignore[arg-type]  # no name of an input is an option of it


def load_trials(path: Path) -> list[Feed]:
    """Read what ``save_trials`` wrote."""
    feeds: dict[int, Feed] = {}
    with np.load(path) as arrays:
        for key in arrays.files:
            index, name = key.split(" ", 1)
            feeds.setdefault(int(index), {})[name] = arrays[key]
    return [feeds[index] for index in sorted(feeds)]


def main() -> int:
    """Make a copy; a line on standard error says why there is none."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    source, directory, trials = map(Path, sys.argv[1:4])
    try:
        recipe = make(source, directory, load_trials(trials))
        (directory / RECIPE_FILE).write_text(json.dumps(asdict(recipe)), encoding="utf-8")
    except Exception as error:  # noqa: BLE001  # whatever it is, the original is used
        reason = " ".join(str(error).split()) or type(error).__name__
        sys.stderr.write(f"{reason}\n")
        return DISK_REFUSED if isinstance(error, OSError) else 1
    return 0


def _end_with_parent() -> None:
    """Wait until nobody holds the other end of the standard input."""
    os.read(sys.stdin.fileno(), 1)
    os._exit(1)


if __name__ == "__main__":
    sys.exit(main())
