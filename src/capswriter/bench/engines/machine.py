"""The machine in words, for the report on engines."""

from __future__ import annotations

from typing import TYPE_CHECKING

from capswriter.bench.machine import CPUINFO, TELLING, installed, machine

if TYPE_CHECKING:
    from pathlib import Path

EVERYWHERE = 4
"""The first so many flags are told to be missing, too."""

PACKAGES = ("onnxruntime", "numpy", "funasr-onnx", "sherpa-onnx", "kaldi-native-fbank", "torch")


def describe(cpuinfo: Path = CPUINFO) -> dict[str, str]:
    """Tell what the figures depend on, by name.

    Args:
        cpuinfo: what Linux tells of the processor.
    """
    here = machine(cpuinfo)
    told = [f"{'has' if flag in here.flags else 'no'} {flag}" for flag in TELLING[:EVERYWHERE]]
    told += [f"has {flag}" for flag in TELLING[EVERYWHERE:] if flag in here.flags]
    return {
        "processor": ", ".join([here.processor, f"{here.cores} cores", *told]),
        "system": f"{here.system}, Python {here.python}",
        "packages": ", ".join(f"{name} {installed(name) or 'missing'}" for name in PACKAGES),
        "load before the run": "unknown" if here.load is None else f"{here.load:.1f}",
    }
