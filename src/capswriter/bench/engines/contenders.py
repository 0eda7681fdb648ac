"""The engines that are compared, each as a function from samples to text.

Libraries are imported where they are used: each takes memory, and none but ours is needed for the
rest of the program.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from importlib import import_module
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from capswriter.bench.engines.report import Skipped

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from capswriter.audio import Samples

Kind: TypeAlias = Literal["sensevoice", "paraformer"]
KINDS: tuple[Kind, ...] = ("sensevoice", "paraformer")

Recognise: TypeAlias = "Callable[[Samples], object]"

OURS, UNPREPARED, FUNASR, SHERPA = "ours", "ours, unprepared", "funasr-onnx", "sherpa-onnx"


def contender(name: str, kind: Kind, directory: Path) -> Recognise:
    """Load one, for one thread.

    Args:
        name: one of the above.
        kind: of the model.
        directory: in FunASR's layout; for sherpa-onnx in its own.

    Raises:
        Skipped: ours is to be prepared, and could not be.
    """
    if name == OURS:
        recognise = ours(directory)
        _expect_prepared(directory)
        return recognise
    if name == UNPREPARED:
        with nothing_prepared():
            return ours(directory)
    if name == SHERPA:
        return sherpa_onnx(directory)
    model = funasr_onnx(kind, directory)
    told = {"language": "auto", "textnorm": "withitn"} if kind == "sensevoice" else {}
    return lambda samples: model(samples, **told)


def ours(directory: Path) -> Recognise:
    """Load our engine."""
    from capswriter.engines import Options, load  # noqa: PLC0415  # see above

    engine, options = load(directory), Options()
    return lambda samples: engine.transcribe(samples, options).text


def _expect_prepared(directory: Path) -> None:
    """Refuse to measure a model as it is in place of its prepared copy."""
    from capswriter.engines.directory import NETWORKS, first_of  # noqa: PLC0415  # see above
    from capswriter.engines.graph import prepared  # noqa: PLC0415

    state = prepared.state(first_of(directory, NETWORKS))
    if state != "prepared":
        raise Skipped(f"the model in {directory} is {state}")


@contextmanager
def nothing_prepared() -> Iterator[None]:
    """Have models loaded as they are: nothing can be kept where there is no directory."""
    before = os.environ.get("CAPSWRITER_MODEL_DIR")
    os.environ["CAPSWRITER_MODEL_DIR"] = os.devnull
    try:
        yield
    finally:
        del os.environ["CAPSWRITER_MODEL_DIR"]
        if before is not None:
            os.environ["CAPSWRITER_MODEL_DIR"] = before


def funasr_onnx(kind: Kind, directory: Path) -> Any:
    """Load a model of funasr-onnx, quantised and without dither."""
    library = import_module("funasr_onnx")
    made = library.SenseVoiceSmall if kind == "sensevoice" else library.Paraformer
    model = made(str(directory), quantize=True, intra_op_num_threads=1)
    model.frontend.opts.frame_opts.dither = 0.0
    return model


def sherpa_onnx(directory: Path) -> Recognise:
    """Load SenseVoice by sherpa-onnx."""
    recogniser = import_module("sherpa_onnx").OfflineRecognizer.from_sense_voice(
        model=str(directory / "model.int8.onnx"),
        tokens=str(directory / "tokens.txt"),
        num_threads=1,
        language="auto",
        use_itn=True,
    )

    def recognise(samples: Samples) -> str:
        stream = recogniser.create_stream()
        stream.accept_waveform(16_000, samples)
        recogniser.decode_stream(stream)
        return str(stream.result.text)

    return recognise
