"""The prepared copies of models on this computer: found, made once, checked, thrown away.

They lie in the model store, under names that hold all that they depend on: the model's hash, ONNX
Runtime's version and the processor.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import shutil
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Literal

import filelock
import onnxruntime as ort

from capswriter.engines.graph.processor import identity
from capswriter.models.checked import sha256_of, write_atomically
from capswriter.models.store import default_directory

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from capswriter.engines.graph.session import Feed

logger = logging.getLogger(__name__)

REVISION = 1
"""Of the way copies are made; raise it with every change to ``prepare`` or ``rewrite``."""

MODEL, MANIFEST, FAILED = "model.onnx", "manifest.json", "failed.txt"

HASHED = 20
"""Letters of a hash in a name."""

PATIENCE = 200.0
"""Seconds that making a copy may take; a worker is given up after 300 s without a model."""

ROOM = 4
"""Times the model's size that must be free on the disk."""

SULK = 24 * 3600.0
"""Seconds after a failure until the next try, since every worker would fail as slowly."""

UNUSED = 30 * 24 * 3600.0
"""Seconds after which a copy for another version of ONNX Runtime is taken to be left over."""

State = Literal["prepared", "not prepared", "corrupt", "cannot be prepared"]


@dataclass(frozen=True, slots=True)
class _Look:
    """How a file looked when it was hashed."""

    size: int
    mtime_ns: int
    sha256: str

    @classmethod
    def at(cls, path: Path) -> _Look:
        found = path.stat()
        return cls(found.st_size, found.st_mtime_ns, sha256_of(path))

    def fits(self, path: Path) -> bool:
        """Tell whether the file still looks so."""
        found = path.stat()
        return (found.st_size, found.st_mtime_ns) == (self.size, self.mtime_ns)


def find_or_make(source: Path, trials: Callable[[], Sequence[Feed]]) -> Path | None:
    """Find a model's prepared copy, or make it; None where there is none to be had.

    Processes that want the same copy wait for the first of them. Where there is none, the reason
    is logged, and the model can be used as it is.

    Args:
        source: the ``.onnx`` file.
        trials: makes what ``prepare.make`` wants.

    Raises:
        Exception: what ``trials`` raises.
    """
    try:
        place = place_of(source)
        if _state(place) not in {"prepared", "cannot be prepared"}:
            place.parent.mkdir(parents=True, exist_ok=True)
            with filelock.FileLock(f"{place}.lock"):
                _make_where_missing(source, place, trials)
        if _state(place) != "prepared":
            return None
    except (OSError, NotImplementedError) as error:  # the latter where there are no locks
        logger.warning("%s is used as it is, more slowly: not prepared: %s", source, error)
        return None
    with suppress(OSError):  # a store that may not be written
        os.utime(place / MANIFEST)  # tells when it was last used
    return place / MODEL


def state(source: Path, *, thorough: bool = False) -> State:
    """Tell how a model's prepared copy is.

    Args:
        source: the ``.onnx`` file.
        thorough: hash the copy, whatever its files look like.

    Raises:
        OSError: the model cannot be read.
    """
    return _state(place_of(source), thorough=thorough)


def place_of(source: Path) -> Path:
    """Name the directory of a model's prepared copy, whether there is one or not.

    Raises:
        OSError: the model cannot be read.
    """
    version = f"ort{ort.__version__}-{identity()}-r{REVISION}"
    return _root() / f"{_hash_of(source)[:HASHED]}-{version}"


def forget(source: Path) -> None:
    """Delete what was prepared from a model, for any processor and version.

    Raises:
        OSError: it cannot be deleted.
    """
    for place in _root().glob(f"{_hash_of(source)[:HASHED]}-*"):
        if place.is_dir():
            shutil.rmtree(place)
        else:
            place.unlink()
    _remembered(source).unlink(missing_ok=True)


def _root() -> Path:
    return default_directory() / "prepared"


def _remembered(source: Path) -> Path:
    """Name the file that remembers a model's hash."""
    named = hashlib.sha256(str(source.resolve()).encode()).hexdigest()[:HASHED]
    return _root() / "hashes" / f"{named}.json"


def _state(place: Path, *, thorough: bool = False) -> State:
    with suppress(FileNotFoundError):
        failed = (place / FAILED).stat().st_mtime
        return "cannot be prepared" if time.time() - failed < SULK else "not prepared"
    try:
        manifest = json.loads((place / MANIFEST).read_bytes())
        looks = {name: _Look(**look) for name, look in manifest["files"].items()}
        if MODEL not in looks:
            return "corrupt"
        for name, look in looks.items():
            trusted = not thorough and look.fits(place / name)
            if not trusted and sha256_of(place / name) != look.sha256:
                return "corrupt"
    except FileNotFoundError:
        return "corrupt" if place.exists() else "not prepared"
    except (ValueError, KeyError, TypeError, AttributeError):
        return "corrupt"
    return "prepared"


def _make_where_missing(source: Path, place: Path, trials: Callable[[], Sequence[Feed]]) -> None:
    """Make a copy, under the lock, unless another process has done so meanwhile."""
    found = _state(place)
    if found in {"prepared", "cannot be prepared"}:
        return
    if found == "corrupt":
        logger.warning("the prepared copy of %s is corrupt: it is made again", source)
    drafts = place.parent.glob(f"{place.name}.draft-*")  # of processes that were killed
    for left in (place, *drafts, *_left_over(place)):
        shutil.rmtree(left, ignore_errors=True)
    size, free = source.stat().st_size, shutil.disk_usage(place.parent).free
    if free < ROOM * size:
        raise OSError(
            f"{ROOM * size / 1e6:.0f} MB must be free in {place.parent}, {free / 1e6:.0f} are"
        )
    draft = place.with_name(f"{place.name}.draft-{os.getpid()}")
    draft.mkdir()
    try:
        _make(source, draft, trials)
        draft.replace(place)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _left_over(place: Path) -> Iterator[Path]:
    """Find copies of the same model that nobody has used for long."""
    for other in place.parent.glob(f"{place.name[:HASHED]}-*"):
        with suppress(OSError):
            if time.time() - (other / MANIFEST).stat().st_mtime > UNUSED:
                yield other


def _make(source: Path, draft: Path, trials: Callable[[], Sequence[Feed]]) -> None:
    """Fill a directory with a copy, or with the reason why there is none."""
    logger.info("preparing %s for this computer, once", source)
    began = time.monotonic()
    reason = _make_apart(source, draft, trials)
    if reason:
        for path in draft.iterdir():
            path.unlink()
        write_atomically(draft / FAILED, reason)
        logger.warning("%s is used as it is, more slowly: not prepared: %s", source, reason)
        return
    looks = {path.name: asdict(_Look.at(path)) for path in draft.iterdir()}
    write_atomically(draft / MANIFEST, json.dumps({"source": source.name, "files": looks}))
    logger.info("%s was prepared in %.0f s", source, time.monotonic() - began)


def _make_apart(source: Path, draft: Path, trials: Callable[[], Sequence[Feed]]) -> str:
    """Make a copy in a process of its own.

    Returns:
        The reason why there is none, and none can be expected the next time; else nothing.

    Raises:
        OSError: the disk refused.
    """
    from capswriter.engines.graph import prepare  # noqa: PLC0415  # needs onnx

    inputs = draft / "trials.npz"
    prepare.save_trials(inputs, trials())
    # The other process ends when this one does, as nobody then holds the writing end.
    reader, writer = os.pipe()
    try:
        made = subprocess.run(  # noqa: S603  # our own module
            [sys.executable, "-m", prepare.__name__, source, draft, inputs],
            stdin=reader,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"it took longer than {PATIENCE:.0f} s"
    finally:
        os.close(reader)
        os.close(writer)
    inputs.unlink()
    if made.returncode < 0:
        return f"the process was ended by signal {-made.returncode}"
    said = (made.stderr.strip().splitlines() or ["it failed without a word"])[-1]
    if made.returncode == prepare.DISK_REFUSED:
        raise OSError(said)
    return said if made.returncode else ""


def _hash_of(source: Path) -> str:
    """Hash a model, or remember its hash: hashing takes as long as loading."""
    memory = _remembered(source)
    with suppress(OSError, ValueError, TypeError):
        look = _Look(**json.loads(memory.read_bytes()))
        if look.fits(source):
            return look.sha256
    look = _Look.at(source)
    with suppress(OSError):  # a store that may not be written is hashed every time
        memory.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(memory, json.dumps(asdict(look)))
    return look.sha256
