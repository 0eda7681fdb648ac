"""FunASR's ``AutoModel``: whatever model it supports, on the CPU or with CUDA.

``python -m capswriter.engines.funasr funasr:paraformer-zh FILE`` recognises the start of a file.

A model is named ``funasr:DIRECTORY``, ``funasr:NAME`` for ModelScope or ``funasr:hf:NAME`` for
Hugging Face. One of a hub is downloaded once; after that the hub is not asked again. Code that
comes with a model is never run.

FunASR and torch are imported by ``load``, thus in a worker, or by ``funasr_imports`` in the process
that workers are forked from; never in the front.
"""

from __future__ import annotations

import json
import logging
import re
import sys
import warnings
from contextlib import contextmanager, redirect_stdout
from importlib import import_module
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from capswriter.audio import SAMPLE_RATE, Samples
from capswriter.engines.base import EngineFailed, Options, Traits
from capswriter.engines.funasr_results import transcript_of
from capswriter.engines.sensevoice_tags import LANGUAGES
from capswriter.transcript import Transcript

if TYPE_CHECKING:
    from collections.abc import Iterator

PREFIX = "funasr:"

WINDOW = 30.0
"""Seconds: what SenseVoice and Paraformer are trained on at most."""

SHORTEST = 400
"""Samples of one frame of features, 25 ms; in less, nothing can be heard."""

PUNCTUATING = ("SenseVoice", "FunASRNano", "Qwen", "Whisper", "GLM", "MOSS")
"""How the classes are called that write punctuation and numbers; Paraformer does neither."""

NANO_LANGUAGES = {"zh": "中文", "en": "英文", "ja": "日文", "ko": "韩文"}
"""Fun-ASR-Nano is asked in Chinese; it takes other languages' codes too."""

CONFIGURATIONS = ("configuration.json", "config.yaml")

logger = logging.getLogger(__name__)


def wants(name: str) -> bool:
    """Whether ``load`` is for this model: its name says so, or the directory is FunASR's."""
    if name.startswith(PREFIX):
        return True
    directory = Path(name)
    configured = any((directory / each).is_file() for each in CONFIGURATIONS)
    return configured and (directory / "model.pt").is_file()


class FunAsr:
    """A loaded model.

    Args:
        model: FunASR's ``AutoModel``.
        name: what to call it.
    """

    def __init__(self, model: Any, *, name: str) -> None:
        self._model = model
        self._kind = type(model.model).__name__
        self._untimed = False  # said already that times were missing
        writes = any(each in self._kind for each in PUNCTUATING)
        languages = LANGUAGES if "SenseVoice" in self._kind else frozenset[str]()
        self.traits = Traits(name, WINDOW, languages, punctuates=writes, normalises=writes)

    def transcribe(self, samples: Samples, options: Options) -> Transcript:
        """Recognise one segment; see ``Engine``."""
        duration = len(samples) / SAMPLE_RATE
        if duration > WINDOW:
            raise EngineFailed(f"{duration:.1f} s of audio at once; funasr takes {WINDOW:.0f} s")
        asked = self._asked(options)
        if len(samples) < SHORTEST:
            return Transcript("")
        language = "" if options.language == "auto" else options.language
        return transcript_of(self._heard(samples, asked), duration=duration, language=language)

    def _asked(self, options: Options) -> dict[str, Any]:
        """Put the options as each model calls them; what a model does not know it ignores."""
        asked: dict[str, Any] = {"use_itn": options.itn, "itn": options.itn}
        if options.language != "auto":
            if self.traits.languages and options.language not in self.traits.languages:
                known = ", ".join(sorted(self.traits.languages))
                raise EngineFailed(f"language {options.language!r} is not one of: auto, {known}")
            named = NANO_LANGUAGES if self._kind == "FunASRNano" else {}
            asked["language"] = named.get(options.language, options.language)
        if hotwords := re.findall(r"[^\s,，、]+", options.prompt):
            asked["hotwords"] = hotwords
            # FunASR would open what ends in ".txt" as a file, and fetch what starts with "http".
            asked["hotword"] = f" {' '.join(hotwords)} "
        return asked

    def _heard(self, samples: Samples, asked: dict[str, Any]) -> dict[str, Any]:
        with _quiet():
            try:
                return self._first(samples, asked | {"output_timestamp": True})
            except MemoryError:
                raise
            except Exception as error:  # noqa: BLE001  # SenseVoice's alignment fails at some texts
                heard = self._first(samples, asked)
                if not self._untimed:
                    logger.info("FunASR has no times for a text: %s", type(error).__name__)
                self._untimed = True
                return heard

    def _first(self, samples: Samples, asked: dict[str, Any]) -> dict[str, Any]:
        try:
            results = self._model.generate(input=samples.copy(), **asked)
        except RuntimeError as error:
            if "out of memory" in str(error) or "allocate memory" in str(error):
                raise MemoryError(str(error)) from error
            raise
        return results[0] if results else {}


def load(directory: Path | str, *, threads: int, device: str) -> FunAsr:
    """Load a model.

    Args:
        directory: of the model, or its name as above.
        threads: of the CPU for one recognition; torch keeps to it in the whole process.
        device: ``"cpu"``, ``"cuda"``, or ``"auto"`` for CUDA where there is any.

    Raises:
        EngineFailed: FunASR is not installed, or the model cannot be loaded.
    """
    model, hub = parse(directory)
    funasr, torch = import_quietly()
    with _quiet() as said:
        if device == "cuda" and not torch.cuda.is_available():
            raise EngineFailed("torch finds no CUDA device; use --device cpu")
        if device == "auto":
            device = "cuda" if torch.cuda.is_available() else "cpu"
        logging.getLogger().addFilter(_only_errors)
        place = model if _is_local(model) else _cached(model, hub) or model
        _check(Path(place))
        try:
            loaded = funasr.AutoModel(
                model=place,
                hub=hub,
                device=device,
                ncpu=threads,
                disable_update=True,
                disable_pbar=True,
                disable_log=True,
                trust_remote_code=False,
                frontend_conf={"dither": 0.0},  # else the same audio has another text each time
            )
        except MemoryError:
            raise
        except Exception as error:
            raise EngineFailed(f"FunASR cannot load {model}: {_reason(error, said)}") from error
    if "Warning, miss key in ckpt" in said.getvalue():
        logger.warning("%s has not all weights of the model; expect noise", model)
    return FunAsr(loaded, name=f"funasr {Path(model).name}")


def parse(name: Path | str) -> tuple[str, str]:
    """Take a model's name apart.

    Returns:
        Its directory or its name at a hub; and which hub that is, ``"ms"`` or ``"hf"``.
    """
    bare = (name if isinstance(name, str) else name.as_posix()).removeprefix(PREFIX)
    for hub in ("hf", "ms"):
        if bare.startswith(f"{hub}:"):
            return bare.removeprefix(f"{hub}:"), hub
    path = Path(bare).expanduser()
    return (str(path) if path.is_absolute() or path.is_dir() else bare), "ms"


def _is_local(model: str) -> bool:
    return Path(model).is_dir() or Path(model).is_absolute() or model.startswith(".")


def _check(place: Path) -> None:
    """Refuse a directory that FunASR would load nothing from, or not all that it needs.

    Raises:
        EngineFailed: ``place`` is no directory of a model, or a file of it is missing; without its
            weights FunASR would answer with noise.
    """
    if not _is_local(str(place)):
        return
    if not place.is_dir():
        raise EngineFailed(f"{place} is no directory")
    if not any((place / each).is_file() for each in CONFIGURATIONS):
        raise EngineFailed(f"{place} holds no FunASR model: no {' and no '.join(CONFIGURATIONS)}")
    configuration = place / CONFIGURATIONS[0]
    if configuration.is_file():
        try:
            metas = json.loads(configuration.read_text(encoding="utf-8")).get("file_path_metas")
        except (ValueError, AttributeError) as error:
            raise EngineFailed(f"{configuration} is not readable: {error}") from error
        for file in _strings(metas):
            if not (place / file).exists():
                raise EngineFailed(f"{place} has no {file}")


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        yield from _strings(list(value.values()))
    elif isinstance(value, list):
        for each in value:
            yield from _strings(each)


def import_quietly() -> tuple[Any, Any]:
    """Import ``funasr`` and ``torch``, and keep off the output what they print meanwhile.

    Raises:
        EngineFailed: one of them is not there, or cannot be imported.
    """
    with _quiet():
        return _imported("funasr"), _imported("torch")


def _imported(module: str) -> Any:
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        if error.name != module:
            raise EngineFailed(f"{module} cannot be imported: {error}") from error
        missing = {"funasr": "FunASR"}.get(module, module)
        raise EngineFailed(
            f"{missing} is not installed; run: pip install 'capswriter-server[funasr]'"
        ) from error
    except Exception as error:  # a library of CUDA that is missing is an OSError
        raise EngineFailed(f"{module} cannot be imported: {error}") from error


def _cached(model: str, hub: str) -> str | None:
    """Find a hub's model on this machine, so that no hub need be reached."""
    maps = import_module("funasr.download.name_maps_from_hub")
    name = getattr(maps, f"name_maps_{hub}", {}).get(model, model)
    library = "huggingface_hub" if hub == "hf" else "modelscope"
    try:
        found = import_module(library).snapshot_download(name, local_files_only=True)
    except Exception:  # noqa: BLE001  # each of the two has its own, and versions differ
        return None
    return found if any((Path(found) / each).is_file() for each in CONFIGURATIONS) else None


def _reason(error: Exception, said: StringIO) -> str:
    """Tell the first line of the error, and what FunASR has printed instead of raising it."""
    printed = [line for line in said.getvalue().splitlines() if "failed" in line]
    return "; ".join([*printed[:1], f"{type(error).__name__}: {error}".splitlines()[0]])


def _only_errors(record: logging.LogRecord) -> bool:
    """Keep what is logged without a logger's name, as FunASR does at every step, to errors."""
    return record.levelno >= logging.ERROR


@contextmanager
def _quiet() -> Iterator[StringIO]:
    """Keep what FunASR prints, and the warnings of its libraries, off the server's own output."""
    said = StringIO()
    with redirect_stdout(said), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield said


def _show(name: str, path: Path) -> None:
    from capswriter.audio.decode import AudioFile  # noqa: PLC0415
    from capswriter.audio.segment import Segmenter  # noqa: PLC0415

    segmenter = Segmenter()
    with AudioFile(path) as file:
        segments = [segment for block in file.blocks() for segment in segmenter.push(block)]
    engine = load(name, threads=1, device="cpu")
    for segment in segments + segmenter.finish():
        if segment.samples is not None:
            transcript = engine.transcribe(segment.samples, Options())
            sys.stdout.write(f"[{transcript.language}] {transcript.text}\n")


if __name__ == "__main__":
    _show(sys.argv[1], Path(sys.argv[2]))
