"""Which machine this is, and which versions."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

TELLING = ("avx2", "avx_vnni", "avx512_vnni", "amx_int8", "asimddp", "i8mm")
"""Flags of processors that decide how fast products of bytes are."""

PACKAGES = ("onnxruntime", "numpy", "funasr-onnx", "sherpa-onnx", "kaldi-native-fbank", "torch")


def describe(cpuinfo: Path = Path("/proc/cpuinfo")) -> dict[str, str]:
    """Tell what the figures depend on, by name.

    Args:
        cpuinfo: what Linux tells of the processor.
    """
    model, flags = platform.processor() or platform.machine(), set[str]()
    try:
        lines = cpuinfo.read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    for line in lines:
        name, _, value = line.partition(":")
        if name.strip() == "model name":
            model = value.strip()
        elif name.strip() in {"flags", "Features"}:
            flags = set(value.split())
    cores = f"{os.cpu_count()} cores"
    told = [f"{'has' if flag in flags else 'no'} {flag}" for flag in TELLING[:4]]
    told += [f"has {flag}" for flag in TELLING[4:] if flag in flags]
    installed = [f"{package} {_version(package)}" for package in PACKAGES]
    return {
        "processor": ", ".join([model, cores, *told]),
        "system": f"{platform.system()} {platform.release()}, Python {platform.python_version()}",
        "packages": ", ".join(installed),
        "load before the run": _load(),
    }


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "missing"


def _load() -> str:
    if not hasattr(os, "getloadavg"):  # Windows
        return "unknown"
    return f"{os.getloadavg()[0]:.1f}"
