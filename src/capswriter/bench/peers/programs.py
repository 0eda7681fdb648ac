"""The programs that are compared with ours, and with which settings; each made an ``Engine``.

Each is loaded in a process of its own, and imported there alone.
"""

from __future__ import annotations

import os
import re
import sys
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, TypeAlias, cast

from capswriter.engines import registry
from capswriter.engines.base import EngineFailed, Traits
from capswriter.engines.whisper import BEAM
from capswriter.errors import UserError
from capswriter.models.store import ModelStore
from capswriter.transcript import Transcript

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from faster_whisper import WhisperModel

    from capswriter.audio import Samples
    from capswriter.engines.base import Options

    Hear: TypeAlias = "Callable[[Samples], str]"

FASTER_WHISPER, FUNASR, SHERPA = "faster-whisper", "funasr-onnx", "sherpa-onnx"

MODULES = {
    FASTER_WHISPER: "faster_whisper",
    FUNASR: "funasr_onnx",
    SHERPA: "sherpa_onnx",
}
"""What each is imported as."""

SHERPA_FILES = ("model.int8.onnx", "tokens.txt")
"""What sherpa-onnx loads as SenseVoice."""

DEFAULT_WHISPER = "whisper-base"
"""The model for faster-whisper where ours is none of Whisper's."""

BATCH = 8
"""Pieces that faster-whisper recognises at once, where it does so."""

TAGS = re.compile(r"<\|[^|]*\|>")
"""What SenseVoice says beside the words."""


def cores() -> int:
    """Count the cores that this process may use."""
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1


@dataclass(frozen=True, slots=True)
class Program:
    """A program with settings.

    Args:
        program: one of the above.
        settings: what is not as it comes, in words.
        model: directory.
        loader: name of the function of this module that loads it.
    """

    program: str
    settings: str
    model: Path
    loader: str

    @property
    def name(self) -> str:
        """What to call it: program, model and settings."""
        return f"{self.program} {self.model.name}, {self.settings}"


def programs(
    model: Path, *, funasr: Path | None = None, sherpa: Path | None = None
) -> tuple[list[Program], list[str]]:
    """Name the programs that can be compared here.

    Args:
        model: that our server serves.
        funasr: a SenseVoice or Paraformer model for funasr-onnx, if ours is none.
        sherpa: a SenseVoice model in sherpa-onnx's layout.

    Returns:
        The programs, and a line for each that cannot: why, and what to do.
    """
    ours = _engine_of(model)
    found: list[Program] = []
    missing: list[str] = []
    threads = f"{cores()} thread{'s' if cores() > 1 else ''}"
    whisper = model if ours == "whisper" else _installed_whisper()
    if whisper is None:
        missing.append(
            f"{FASTER_WHISPER} is left out: it has no model; "
            f"capswriter models pull {DEFAULT_WHISPER} gets one"
        )
    else:
        found += [
            Program(FASTER_WHISPER, "as it comes", whisper, "whisper_as_it_comes"),
            Program(FASTER_WHISPER, f"int8, beam {BEAM}, {threads}", whisper, "whisper_int8"),
            Program(
                FASTER_WHISPER,
                f"int8, beam {BEAM}, {threads}, {BATCH} pieces at once",
                whisper,
                "whisper_batched",
            ),
        ]
    theirs = funasr or (model if ours in {"sensevoice", "paraformer"} else None)
    wants = "a SenseVoice or Paraformer model; name its folder with --funasr-model"
    if _there(FUNASR, theirs, wants, missing) and theirs is not None:
        if _engine_of(theirs) not in {"sensevoice", "paraformer"}:
            raise UserError(f"{theirs} holds no SenseVoice or Paraformer model for {FUNASR}")
        found += [
            Program(FUNASR, "as it comes", theirs, "funasr_as_it_comes"),
            Program(FUNASR, f"int8, {threads}", theirs, "funasr_int8"),
        ]
    wants = f"a folder with {' and '.join(SHERPA_FILES)}; name it with --sherpa-model"
    own = _has_sherpa(model)
    theirs = sherpa or (model if own else None)
    if _there(SHERPA, theirs, wants, missing) and theirs is not None:
        if not _has_sherpa(theirs):
            raise UserError(f"{theirs} does not hold {' and '.join(SHERPA_FILES)} for {SHERPA}")
        found += [
            Program(SHERPA, "as it comes", theirs, "sherpa_as_it_comes"),
            Program(SHERPA, threads, theirs, "sherpa_threads"),
        ]
    return found, missing


def _there(program: str, model: Path | None, wants: str, missing: list[str]) -> bool:
    if find_spec(MODULES[program]) is None:
        missing.append(
            f"{program} is left out: it is not installed; "
            f"pip install 'capswriter-server[reference]' does that"
        )
        return False
    if model is None:
        missing.append(f"{program} is left out: it needs {wants}")
        return False
    return True


def _has_sherpa(directory: Path) -> bool:
    return all((directory / file).is_file() for file in SHERPA_FILES)


def _engine_of(directory: Path) -> str:
    try:
        return registry.engine_of(directory)
    except EngineFailed:  # an engine of somebody's own
        return ""


def _installed_whisper() -> Path | None:
    try:
        return ModelStore().path(DEFAULT_WHISPER)
    except UserError:
        return None


class Peer:
    """A program as an engine.

    Args:
        hear: makes a text of a whole recording.
    """

    traits = Traits("peer", maximum=float("inf"), languages=frozenset())

    def __init__(self, hear: Hear) -> None:
        self._hear = hear

    def transcribe(self, samples: Samples, options: Options) -> Transcript:  # noqa: ARG002
        """Recognise a whole recording, with the program's own options."""
        return Transcript(self._hear(samples))


def _whisper(model: Path, **settings: Any) -> WhisperModel:
    from faster_whisper import WhisperModel  # noqa: PLC0415  # see above

    return WhisperModel(str(model), device="cpu", local_files_only=True, **settings)


def _joined(segments: Any) -> str:
    return "".join(segment.text for segment in segments).strip()


def whisper_as_it_comes(model: Path, *, threads: int, device: str) -> Peer:  # noqa: ARG001
    """Load faster-whisper as its documentation's first example does."""
    loaded = _whisper(model)
    return Peer(lambda samples: _joined(loaded.transcribe(samples)[0]))


def whisper_int8(model: Path, *, threads: int, device: str) -> Peer:  # noqa: ARG001
    """Load faster-whisper with our precision and beam, and all cores."""
    loaded = _whisper(model, compute_type="int8", cpu_threads=cores())
    return Peer(lambda samples: _joined(loaded.transcribe(samples, beam_size=BEAM)[0]))


def whisper_batched(model: Path, *, threads: int, device: str) -> Peer:  # noqa: ARG001
    """Load faster-whisper likewise, to recognise several pieces at once."""
    from faster_whisper import BatchedInferencePipeline  # noqa: PLC0415  # see above

    loaded = BatchedInferencePipeline(
        model=_whisper(model, compute_type="int8", cpu_threads=cores())
    )

    def hear(samples: Samples) -> str:
        return _joined(loaded.transcribe(samples, beam_size=BEAM, batch_size=BATCH)[0])

    return Peer(hear)


def funasr_as_it_comes(model: Path, *, threads: int, device: str) -> Peer:  # noqa: ARG001
    """Load funasr-onnx quantised, as the model is published, and nothing else told."""
    return _funasr(model, {})


def funasr_int8(model: Path, *, threads: int, device: str) -> Peer:  # noqa: ARG001
    """Load funasr-onnx likewise, with all cores."""
    return _funasr(model, {"intra_op_num_threads": cores()})


def _funasr(model: Path, settings: Mapping[str, Any]) -> Peer:
    library, is_sensevoice = import_module(MODULES[FUNASR]), _engine_of(model) == "sensevoice"
    made = library.SenseVoiceSmall if is_sensevoice else library.Paraformer
    loaded = made(str(model), quantize=True, **settings)
    told = {"language": "auto", "textnorm": "withitn"} if is_sensevoice else {}

    def hear(samples: Samples) -> str:
        (answer,) = loaded(samples, **told)
        if not is_sensevoice:
            answer = answer["preds"][0]
        return TAGS.sub("", cast("str", answer)).strip()

    return Peer(hear)


def sherpa_as_it_comes(model: Path, *, threads: int, device: str) -> Peer:  # noqa: ARG001
    """Load SenseVoice by sherpa-onnx."""
    return _sherpa(model, {})


def sherpa_threads(model: Path, *, threads: int, device: str) -> Peer:  # noqa: ARG001
    """Load it likewise, with all cores."""
    return _sherpa(model, {"num_threads": cores()})


def _sherpa(model: Path, settings: Mapping[str, Any]) -> Peer:
    network, tokens = (str(model / file) for file in SHERPA_FILES)
    loaded = import_module(MODULES[SHERPA]).OfflineRecognizer.from_sense_voice(
        model=network, tokens=tokens, use_itn=True, **settings
    )

    def hear(samples: Samples) -> str:
        stream = loaded.create_stream()
        stream.accept_waveform(16_000, samples)
        loaded.decode_stream(stream)
        return str(stream.result.text).strip()

    return Peer(hear)
