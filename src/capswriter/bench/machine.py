"""Which machine this is, and which versions."""

from __future__ import annotations

import os
import platform
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import psutil

from capswriter.bench.result import Machine

TELLING = ("avx2", "avx_vnni", "avx512_vnni", "amx_int8", "asimddp", "i8mm")
"""Flags of processors that decide how fast products of bytes are."""

PACKAGES = (
    "ctranslate2",
    "faster-whisper",
    "onnxruntime",
    "numpy",
    "websockets",
    "uvicorn",
    "funasr-onnx",
    "sherpa-onnx",
    "kaldi-native-fbank",
    "torch",
)
"""Those whose versions are told, where they are installed."""

CPUINFO = Path("/proc/cpuinfo")
"""What Linux tells of the processor."""

CONTROL_GROUP = Path("/sys/fs/cgroup/memory.max")
"""What a container may use of the memory."""


def machine(cpuinfo: Path = CPUINFO) -> Machine:
    """Tell what the figures depend on."""
    name, flags = _processor(cpuinfo)
    return Machine(
        processor=name,
        flags=tuple(flag for flag in TELLING if flag in flags),
        cores=_cores(),
        memory=_memory(),
        system=f"{platform.system()} {platform.release()}",
        python=platform.python_version(),
        packages={name: found for name in PACKAGES if (found := installed(name))},
        load=round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None,
    )


def installed(package: str) -> str | None:
    """Give the version of a package; None where it is missing."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _processor(cpuinfo: Path) -> tuple[str, set[str]]:
    name, flags = platform.processor() or platform.machine(), set[str]()
    try:
        lines = cpuinfo.read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    for line in lines:
        key, _, value = line.partition(":")
        if key.strip() == "model name":
            name = value.strip()
        elif key.strip() in {"flags", "Features"}:
            flags = set(value.split())
    return name, flags


def _cores() -> int:
    if sys.platform == "linux":
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _memory() -> int:
    total = int(psutil.virtual_memory().total)
    try:
        return min(total, int(CONTROL_GROUP.read_text()))
    except (OSError, ValueError):
        return total
