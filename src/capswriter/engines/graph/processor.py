"""Which processor this is."""

from __future__ import annotations

import hashlib
import platform
from pathlib import Path


def identity() -> str:
    """Tell processors apart for which ONNX Runtime lays weights out differently; 12 letters."""
    described = f"{platform.machine()} {platform.processor()}"
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    told = {line for line in lines if line.startswith(("flags", "Features", "model name"))}
    return hashlib.sha256("\n".join([described, *sorted(told)]).encode()).hexdigest()[:12]
